"""A model with all that belongs to it, as it lies in one folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from unmask.errors import DataError, UsageError
from unmask.models.config import EncoderConfig
from unmask.tasks.task import Model, Task
from unmask.text.tokenizer import Tokenizer


@dataclass(frozen=True)
class Bundle:
    """What `load` gives and `save` takes."""

    model: Model
    """In evaluation mode when loaded; `train()` it before training."""
    task: Task | None
    """What the heads can do; None where there is only an encoder."""
    tokenizer: Tokenizer | None
    """None where the folder holds none."""
    config: EncoderConfig
    folder: Path | None
    """Where it was loaded from; None for a model made in memory."""

    @property
    def name(self) -> str:
        """How messages call it."""
        return "the model" if self.folder is None else str(self.folder)

    @property
    def max_length(self) -> int:
        """Most tokens that the model reads at once, specials included."""
        positions = self.config.max_length
        limit = None if self.tokenizer is None else self.tokenizer.model_max_length
        return min(positions, limit or positions)

    def refuse_control(self) -> None:
        """See the function of that name."""
        refuse_control(self.config, self.name)

    def require_tokenizer(self) -> Tokenizer:
        """The tokenizer.

        Raises:
            DataError: There is none.
        """
        if self.tokenizer is None:
            raise DataError(
                f"{self.name}: holds no tokenizer, so no text can be read with it. Put the "
                "tokenizer.json or vocab.txt that the model was trained with into its folder."
            )
        return self.tokenizer


def refuse_control(config: EncoderConfig, place: str) -> None:
    """Refuses the left-to-right control, wherever it is not the experiment itself that asks.

    Raises:
        UsageError: It is one.
    """
    if config.is_control:
        raise UsageError(
            f"{place}: is the left-to-right control of an experiment, an encoder whose tokens see "
            "only what stands before them. It is no BERT, and it does not generate text; only "
            "`unmask reproduce objectives` uses it. Take a model that was pretrained by masked "
            "language modelling."
        )
