"""A loaded checkpoint that answers: text in, predictions out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args, overload

import numpy as np
import torch

from unmask.checkpoint import native
from unmask.checkpoint.bundle import Bundle
from unmask.errors import UsageError
from unmask.infer.asking import Asked, ask, is_fine_tuned, ranked_of
from unmask.infer.config import AnsweringConfig, FillConfig, Precision, ZeroShotConfig
from unmask.infer.fill import fill
from unmask.infer.looking import Inspection, inspect
from unmask.infer.rerank import Reranker, Windows
from unmask.infer.score import Score, score
from unmask.infer.sentence_engine import SentenceEngine, Texts
from unmask.infer.zero_shot import zero_shot
from unmask.nn.memory import keep_freed_memory
from unmask.nn.precision import uses_bf16
from unmask.tasks.reranking import Reranking

BACKENDS = ("auto", "torch")
"""What can run a model; "auto" takes the fastest that is there."""
Many = list[Asked] | tuple[Asked, ...] | Texts
"""Many questions."""
_ANSWERING = AnsweringConfig()
_FILL = FillConfig()
_ZERO_SHOT = ZeroShotConfig()


class Engine(SentenceEngine):
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
        super().__init__(bundle)

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
        a mapping such as {"question": ..., "context": ...}. A cross-encoder gives (N,) scores of
        pairs, or of one alone its score, as `CrossEncoder.predict` does; of one mapping with a list
        of `documents` (N,) their scores.

        A list or tuple of texts gives a list, also one text alone (transformers unwraps that one).

        Raises:
            UsageError, DataError: See `fill` and `asking.ask`.
        """
        if isinstance(self.bundle.task, Reranking):
            return self._scored(asked, candidates)
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

    def _scored(self, asked: Asked | Many, candidates: object) -> Any:
        """Scores of pairs; two texts alone are one pair."""
        if candidates is not None:
            raise UsageError("candidates: are for filling blanks; this model scores pairs.")
        if isinstance(asked, Mapping):
            example = ranked_of(1, asked)
            scores = self.reranker().rank(example.query, example.documents)
            return scores if "documents" in asked else scores[0]
        is_one = len(asked) > 0 and isinstance(asked[0], str)
        pairs: Any = [asked] if is_one else asked
        scores = self.reranker().predict(pairs)
        return scores[0] if is_one else scores

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

    def rank(
        self,
        query: str,
        documents: Texts,
        top_k: int | None = None,
        return_documents: bool = False,
        windows: Windows | None = None,
    ) -> list[dict[str, Any]]:
        """Documents by how well they answer a query, best first, as `CrossEncoder.rank` gives them.

        Each is {"corpus_id", "score"}, its number among those given and its score, and with
        `return_documents` the "text". `windows` "best" reads also what does not fit of long
        documents, see `RerankingConfig`.

        Raises:
            UsageError: The model is no cross-encoder.
            DataError: Something that is no text.
        """
        reranker = self.reranker(windows)
        logits = reranker.logits(query, documents)
        scores = reranker.task.activated(logits).tolist()
        found = []
        for i in np.argsort(-logits, kind="stable")[:top_k].tolist():
            found.append({"corpus_id": i, "score": scores[i]})
            if return_documents:
                found[-1]["text"] = documents[i]
        return found

    def reranker(self, windows: Windows | None = None) -> Reranker:
        """The model as search asks it to put passages in order, see `rank`."""
        return Reranker.of(self.bundle, windows)

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

    `precision` is how it computes, see `AnsweringConfig`. From now on the process holds memory that
    batches free, see `nn.memory`.

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
    keep_freed_memory()
    bundle = native.load(model)
    bundle.refuse_control()
    if uses_bf16(precision, next(bundle.model.parameters()).device):
        bundle.model.to(torch.bfloat16)
    return Engine(bundle)
