"""A loaded checkpoint that answers: text in, predictions out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args, overload

import torch

from unmask.checkpoint import native
from unmask.checkpoint.bundle import Bundle
from unmask.errors import UsageError
from unmask.infer.asking import Asked, ask, is_fine_tuned
from unmask.infer.config import AnsweringConfig, FillConfig, Precision, ZeroShotConfig
from unmask.infer.fill import fill
from unmask.infer.looking import Inspection, inspect
from unmask.infer.score import Score, score
from unmask.infer.zero_shot import zero_shot
from unmask.nn.precision import uses_bf16

BACKENDS = ("auto", "torch")
"""What can run a model; "auto" takes the fastest that is there."""
Texts = list[str] | tuple[str, ...]
"""Many texts; not any sequence of strings, because one string is that too."""
Many = list[Asked] | tuple[Asked, ...] | Texts
"""Many questions."""
_ANSWERING = AnsweringConfig()
_FILL = FillConfig()
_ZERO_SHOT = ZeroShotConfig()


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
        bundle.require_tokenizer()
        self.bundle = bundle

    def predict(
        self,
        asked: Asked | Many,
        top_k: int = _FILL.top_k,
        candidates: str | Texts | None = _FILL.candidates,
    ) -> Any:
        """Answers about one text or many, shaped like transformers' pipelines.

        A pretrained model fills blanks: for one mask a list of {"score", "token", "token_str",
        "sequence"}, best first; with several masks, a list of such lists. `candidates` are the
        only words allowed; scores stay probabilities among the whole vocabulary.

        A fine-tuned model gives a dictionary, see `asking.ask`; a pair is a tuple within a list, or
        a mapping such as {"question": ..., "context": ...}.

        A list or tuple of texts gives a list, also one text alone (transformers unwraps that one).

        Raises:
            UsageError, DataError: See `fill` and `asking.ask`.
        """
        several = [asked] if isinstance(asked, str | Mapping) else list(asked)
        if is_fine_tuned(self.bundle):
            if candidates is not None:
                raise UsageError("candidates: are for filling blanks; this model was fine-tuned.")
            found: list[Any] = list(ask(self.bundle, several))
        else:
            texts = [one for one in several if isinstance(one, str)]
            if len(texts) < len(several):
                raise UsageError(f"{self.bundle.name}: fills blanks, so it is asked about texts.")
            words = [candidates] if isinstance(candidates, str) else candidates
            found = list(fill(self.bundle, texts, top_k=top_k, candidates=words))
        return found[0] if isinstance(asked, str | Mapping) else found

    def zero_shot(
        self,
        texts: str | Texts,
        candidate_labels: str | Texts,
        hypothesis_template: str = _ZERO_SHOT.hypothesis_template,
        multi_label: bool = _ZERO_SHOT.multi_label,
        entailment: str | None = _ZERO_SHOT.entailment,
    ) -> Any:
        """Gives one text or many labels that the model was not trained on.

        The model judges, as one fine-tuned on natural language inference does, whether a sentence
        made of each label follows from the text; `entailment` is what it calls that, if not so.
        As from transformers' pipeline, {"sequence", "labels", "scores"} comes back, the likeliest
        label first; the scores add up to 1, or with `multi_label` each is a probability by itself.

        Raises:
            UsageError: See `zero_shot.zero_shot`.
        """
        several = [texts] if isinstance(texts, str) else texts
        config = ZeroShotConfig(
            hypothesis_template=hypothesis_template,
            multi_label=multi_label,
            entailment=entailment,
        )
        found = list(zero_shot(self.bundle, several, candidate_labels, config))
        return found[0] if isinstance(texts, str) else found

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


def load(
    model: str | Path, backend: str = "auto", precision: Precision = _ANSWERING.precision
) -> Engine:
    """Reads a model from a folder, a run's folder or the hub, ready to answer.

    `precision` is how it computes, see `AnsweringConfig`.

    Raises:
        UsageError: An unknown backend or precision, or neither a folder nor a possible hub id.
        DataError: A file is missing, altered, broken, or does not fit the others.
        MachineError: The hub cannot be reached.
    """
    if backend not in BACKENDS:
        raise UsageError(
            f"backend: {backend!r} is not there; expected one of "
            f"{', '.join(repr(name) for name in BACKENDS)}."
        )
    if precision not in get_args(Precision):
        raise UsageError(
            f"precision: {precision!r} is not there; expected one of "
            f"{', '.join(repr(name) for name in get_args(Precision))}."
        )
    bundle = native.load(model)
    bundle.refuse_control()
    if uses_bf16(precision, next(bundle.model.parameters()).device):
        bundle.model.to(torch.bfloat16)
    return Engine(bundle)
