"""BERT's numbers."""

from __future__ import annotations

from pydantic import Field

from unmask.models.sizes.encoder import EncoderConfig


class BertConfig(EncoderConfig):
    """The defaults are BERT-base, uncased."""

    type_vocab_size: int = Field(default=2, ge=1, le=1024)
    """Rows of the segment embedding."""

    @property
    def num_segments(self) -> int:
        """One for each row."""
        return self.type_vocab_size
