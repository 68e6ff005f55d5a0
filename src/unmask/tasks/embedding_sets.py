"""What a data set teaches a sentence encoder: the loss that fits the form of its examples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from unmask.data.labelled.examples import EmbeddingExample
from unmask.errors import DataError
from unmask.tasks.embedding_config import LossChoice
from unmask.tasks.embedding_labels import number_of, refuse_codes, refuse_strays
from unmask.tasks.embedding_losses.config import LOSS_CONFIGS, EmbeddingLossConfig
from unmask.tasks.embedding_losses.loss import EmbeddingLoss
from unmask.tasks.embedding_losses.registry import LOSSES

_LEAST_CLASSES = 2


@dataclass(frozen=True)
class Learned:
    """What one data set teaches."""

    loss: EmbeddingLossConfig
    num_texts: int
    """Texts of each of its examples."""
    classes: tuple[str, ...]
    """Its labels, where they are classes."""

    @property
    def kind(self) -> type[EmbeddingLoss]:
        """The loss' class, which knows what it takes."""
        return LOSSES[self.loss.name]


def learned(choice: LossChoice, examples: Sequence[EmbeddingExample]) -> Learned:
    """The loss for a data set, and what it needs to be built.

    Raises:
        DataError: The examples differ in form, or the loss does not take them.
    """
    if not examples:
        raise DataError("a data set holds no example; expected at least one.")
    num_texts, shape = len(examples[0].texts), _shape(examples[0])
    for example in examples:
        if _shape(example) != shape:
            raise DataError(
                f"{example.place}: {_form(example)}, but {examples[0].place}: "
                f"{_form(examples[0])}; expected all examples of a data set alike."
            )
    name = _fitting(examples) if choice.loss == "auto" else choice.loss
    kind = LOSSES[name]
    _require_form(name, kind, examples[0])
    classes: tuple[str, ...] = ()
    if kind.labels == "class":
        classes = tuple(sorted({str(example.label) for example in examples}))
        if len(classes) < _LEAST_CLASSES:
            raise DataError(
                f"{examples[0].place}: all labels are {classes[0]!r}; {name} needs two or more."
            )
    loss = LOSS_CONFIGS[name].model_validate(choice.loss_settings)
    return Learned(loss, num_texts, classes)


def _shape(example: EmbeddingExample) -> tuple[int, str, int]:
    """What all examples of a data set have in common: how many texts, and labels of what kind."""
    label = example.label
    if isinstance(label, tuple):
        return len(example.texts), "list", len(label)
    return len(example.texts), "none" if label is None else "one", 0


def _fitting(examples: Sequence[EmbeddingExample]) -> str:
    """The loss for a data set's form, see `LossChoice.loss`."""
    label, num_texts = examples[0].label, len(examples[0].texts)
    if label is None:
        return "simcse" if num_texts == 1 else "multiple-negatives-ranking"
    if isinstance(label, tuple):
        if len(label) > num_texts:  # more than a score for each
            return "embedding-mse"
        return "kl-divergence" if len(label) > 1 else "margin-mse"
    if num_texts == 1:
        raise DataError(
            f"{examples[0].place}: {_form(examples[0])}; no loss takes single texts with labels. "
            'Name no label column (--data.columns.label ""), or `unmask finetune classification`.'
        )
    refuse_strays(examples)
    try:
        numbers = {number_of(example) for example in examples}
    except DataError:
        return "softmax"
    if num_texts == 2:
        refuse_codes(examples)
    if num_texts > 2:  # how much better the positive is than the negative
        return "margin-mse"
    return "online-contrastive" if numbers <= {0.0, 1.0} else "cosent"


def _require_form(name: str, kind: type[EmbeddingLoss], example: EmbeddingExample) -> None:
    least, most = kind.texts
    number = len(example.texts) * kind.passes
    if number < least or (most is not None and number > most):
        wanted = f"{least}" if most == least else f"{least} or more"
        raise DataError(
            f"{example.place}: {_form(example)}; loss {name} takes {wanted} text(s) of each."
        )
    if (
        (kind.labels == "none") != (example.label is None)
        or (kind.labels == "vectors" and not isinstance(example.label, tuple))
        or (kind.labels in ("score", "class") and isinstance(example.label, tuple))
    ):
        raise DataError(
            f"{example.place}: {_form(example)}; loss {name} takes examples "
            + ("without labels." if kind.labels == "none" else f"with labels ({kind.labels}).")
        )


def _form(example: EmbeddingExample) -> str:
    label = "no label" if example.label is None else f"the label {str(example.label)[:40]!r}"
    if isinstance(example.label, tuple):
        label = f"a label of {len(example.label)} numbers"
    return f"has {len(example.texts)} text(s) and {label}"
