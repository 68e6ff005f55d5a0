"""The numbers of the left-to-right control."""

from __future__ import annotations

from unmask.models.sizes.bert import BertConfig


class LeftToRightConfig(BertConfig):
    """BERT's."""

    @property
    def is_control(self) -> bool:
        """The control of docs/objectives.md."""
        return True
