"""A loaded checkpoint that answers: text in, predictions out."""

from __future__ import annotations

from pathlib import Path
from typing import overload

from unmask.checkpoint import native
from unmask.checkpoint.bundle import Bundle
from unmask.errors import UsageError
from unmask.infer.config import FillConfig
from unmask.infer.fill import Answer, fill
from unmask.infer.inputs import tokenizer_of
from unmask.infer.looking import Inspection, inspect
from unmask.infer.score import Score, score

BACKENDS = ("auto", "torch")
"""What can run a model; "auto" takes the fastest that is there."""
Texts = list[str] | tuple[str, ...]
"""Many texts; not any sequence of strings, because one string is that too."""
_FILL = FillConfig()


class Engine:
    """Answers about texts by a model, on the device where its parameters are.

    >>> engine = load("model-folder")  # doctest: +SKIP
    >>> engine.predict("Paris is the [MASK] of France.", top_k=5)  # doctest: +SKIP
    """

    def __init__(self, bundle: Bundle) -> None:
        """Takes a bundle as it is; `load` reads one.

        Raises:
            DataError: The bundle has no tokenizer.
        """
        tokenizer_of(bundle)
        self.bundle = bundle

    @overload
    def predict(
        self, text: str, top_k: int = ..., candidates: str | Texts | None = ...
    ) -> Answer: ...

    @overload
    def predict(
        self, text: Texts, top_k: int = ..., candidates: str | Texts | None = ...
    ) -> list[Answer]: ...

    def predict(
        self,
        text: str | Texts,
        top_k: int = _FILL.top_k,
        candidates: str | Texts | None = _FILL.candidates,
    ) -> Answer | list[Answer]:
        """Fills the blanks of one text or many, shaped like transformers' fill-mask pipeline.

        One text gives, for its one mask, a list of {"score", "token", "token_str", "sequence"},
        best first; with several masks, a list of such lists. A list of texts gives a list of
        these, also a list of one text (transformers unwraps that one). `candidates` are the only
        words allowed; scores stay probabilities among the whole vocabulary.

        Raises:
            UsageError, DataError: See `fill`.
        """
        words = [candidates] if isinstance(candidates, str) else candidates
        if isinstance(text, str):
            return fill(self.bundle, [text], top_k=top_k, candidates=words)[0]
        return fill(self.bundle, text, top_k=top_k, candidates=words)

    @overload
    def score(self, text: str) -> Score: ...

    @overload
    def score(self, text: Texts) -> list[Score]: ...

    def score(self, text: str | Texts) -> Score | list[Score]:
        """The pseudo-log-likelihood of one text or of many; higher is more natural.

        Raises:
            UsageError, DataError: See `score.score`.
        """
        if isinstance(text, str):
            return score(self.bundle, [text])[0]
        return score(self.bundle, text)

    def inspect(self, text: str) -> Inspection:
        """The text's tokens, and every layer's hidden states and attention weights.

        Raises:
            DataError: See `looking.inspect`.
        """
        return inspect(self.bundle, text)


def load(model: str | Path, backend: str = "auto") -> Engine:
    """Reads a model from a folder, a run's folder or the hub, ready to answer.

    Raises:
        UsageError: An unknown backend, or neither a folder nor a possible hub id.
        DataError: A file is missing, altered, broken, or does not fit the others.
        MachineError: The hub cannot be reached.
    """
    if backend not in BACKENDS:
        raise UsageError(
            f"backend: {backend!r} is not there; expected one of "
            f"{', '.join(repr(name) for name in BACKENDS)}."
        )
    return Engine(native.load(model))
