"""What a task is: the part of training that knows what is predicted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol, Self, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel
from torch import Tensor, nn

from unmask.batch import Batch
from unmask.data.windows import Window
from unmask.nn.encoder import Encoder
from unmask.nn.mask_decoder import FinalStates
from unmask.tasks.metrics.resampling import Bootstrap, Interval
from unmask.text.tokenizer import Tokenizer

Outputs = Mapping[str, Tensor]
"""Scores by loss term, straight from the heads."""
Prediction = dict[str, Any]
"""One example's answer, as JSON has it."""


class Term(NamedTuple):
    """One summand of a loss: `weight * total / count`, its count known before any forward."""

    name: str
    weight: float
    total: Tensor
    """() the sum over the examples of this batch; never a mean."""


class Task(Protocol):
    """Everything the training loop asks of a task."""

    name: str

    def rows(self, batch: Batch) -> Tensor | None:
        """(M,) int64 ascending positions whose final hidden states are read; None for all."""
        ...

    def outputs(self, heads: nn.ModuleDict, hidden: Tensor, batch: Batch) -> Outputs:
        """Scores from the hidden states at `rows(batch)`."""
        ...

    def counts(self, batch: Batch) -> dict[str, float]:
        """The denominator of each term, from the labels alone."""
        ...

    def loss(self, outputs: Outputs, batch: Batch) -> list[Term]:
        """Sums, one a term, in the order of `counts`."""
        ...

    def stored(self) -> dict[str, Any]:
        """What a folder keeps of the task, `name` among it; JSON-able."""
        ...


class CountedTask(Task, Protocol):
    """A task whose accuracy is a share of the same counts as its loss."""

    def hits(self, outputs: Outputs, batch: Batch) -> dict[str, int]:
        """Right answers of each term, out of `counts`."""
        ...


@runtime_checkable
class FineTuned(Protocol):
    """What a folder says of a task for which a pretrained encoder got a head."""

    name: str

    def stored(self) -> dict[str, Any]:
        """See `Task.stored`."""
        ...

    @property
    def head(self) -> str:
        """The head's name by its structure, see `tasks.heads`."""

    @property
    def num_outputs(self) -> int:
        """Scores that the head gives for each of its rows."""

    @property
    def labels(self) -> tuple[str, ...]:
        """By class number; empty where the answers are no classes."""

    @property
    def problem_type(self) -> str | None:
        """Hugging Face's word for the kind of labels."""

    @property
    def architecture(self) -> str | None:
        """What follows the family's name in transformers' class; None where it has none."""


_Example = TypeVar("_Example", contravariant=True)
_Scores = TypeVar("_Scores")


class LabelledTask(Task, FineTuned, Protocol[_Example, _Scores]):
    """A task with labelled examples: fine-tuned, evaluated, and asked about texts."""

    @property
    def config(self) -> BaseModel:
        """The task's own settings."""

    @property
    def metric(self) -> str:
        """The score by which models are chosen; higher is better."""

    def encode(
        self, examples: Sequence[_Example], tokenizer: Tokenizer, longest: int
    ) -> list[list[Window]]:
        """Each example's windows of at most `longest` tokens, at least one, with its labels."""
        ...

    def results(self, outputs: Outputs, batch: Batch, /) -> list[NDArray[np.float32]]:
        """The scores of each sequence of a batch."""
        ...

    def merge(
        self,
        example: _Example,
        windows: Sequence[Window],
        results: Sequence[NDArray[np.float32]],
        /,
    ) -> _Scores:
        """One example's raw scores, out of those of its windows."""
        ...

    def decode(self, example: _Example, scores: _Scores, /) -> Prediction:
        """What is answered: JSON-able, with the keys of transformers' pipelines."""
        ...

    def score(self, examples: Sequence[_Example], scores: Sequence[_Scores]) -> dict[str, float]:
        """The metrics over labelled examples, 0..1 where they are shares; `metric` among them."""
        ...

    def intervals(
        self, examples: Sequence[_Example], scores: Sequence[_Scores], bootstrap: Bootstrap
    ) -> dict[str, Interval]:
        """The same scores with bootstrap confidence intervals."""
        ...

    def tuned(self, examples: Sequence[_Example], scores: Sequence[_Scores]) -> Self:
        """The task with what is fitted on validation data: temperature, thresholds."""
        ...


class Model(nn.Module):
    """An encoder and the heads that stand on it.

    The `decoder` is how the heads come by hidden states, see `nn.mask_decoder`.
    """

    def __init__(
        self, encoder: Encoder, heads: Mapping[str, nn.Module], decoder: nn.Module | None = None
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = FinalStates() if decoder is None else decoder
        self.heads = nn.ModuleDict(heads)

    def forward(self, batch: Batch, task: Task) -> Outputs:
        """The scores that `task` learns from or decodes."""
        return task.outputs(self.heads, self.decoder(self.encoder, batch, task.rows(batch)), batch)

    def published(self) -> Model:
        """The model as its folder holds it; another one where more is trained than stays."""
        return self

    def beside(self) -> dict[str, Tensor]:
        """What is trained and not published, by name."""
        return {}

    def of_some_steps(self) -> list[nn.Parameter]:
        """Those that a step may leave without a gradient, in all processes alike."""
        return []

    def restore(self, published: Mapping[str, Tensor], beside: Mapping[str, Tensor]) -> None:
        """Takes back the state of the published model, and what was trained beside it."""
        assert not beside, "nothing is trained beside this model"
        self.load_state_dict(published)
