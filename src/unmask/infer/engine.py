"""A loaded checkpoint that answers: text in, predictions out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args, overload

import numpy as np
import torch
from torch import Tensor

from unmask.checkpoint import native
from unmask.checkpoint.bundle import Bundle
from unmask.errors import UsageError
from unmask.infer.asking import Asked, ask, is_fine_tuned
from unmask.infer.config import AnsweringConfig, FillConfig, Precision, ZeroShotConfig
from unmask.infer.encode import BATCH_SIZE, DOCUMENT_PROMPTS, Embedder, Encoder
from unmask.infer.fill import fill
from unmask.infer.looking import Inspection, inspect
from unmask.infer.progress import telling
from unmask.infer.quantise import VectorPrecision, quantised
from unmask.infer.score import Score, score
from unmask.infer.similarity import Vectors, similarity, similarity_pairwise
from unmask.infer.zero_shot import zero_shot
from unmask.nn.precision import uses_bf16
from unmask.tasks.sentence_config import Similarity

BACKENDS = ("auto", "torch")
"""What can run a model; "auto" takes the fastest that is there."""
Texts = list[str] | tuple[str, ...]
"""Many texts; not any sequence of strings, because one string is that too."""
Many = list[Asked] | tuple[Asked, ...] | Texts
"""Many questions."""
OutputValue = Literal["sentence_embedding", "token_embeddings"]
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
        self._own_encoder: Encoder | None = None

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

    def encode(
        self,
        inputs: str | Texts,
        prompt_name: str | None = None,
        prompt: str | None = None,
        batch_size: int = BATCH_SIZE,
        show_progress_bar: bool = False,
        output_value: OutputValue = "sentence_embedding",
        precision: VectorPrecision = "float32",
        convert_to_numpy: bool = True,
        convert_to_tensor: bool = False,
        normalize_embeddings: bool = False,
        truncate_dim: int | None = None,
        pooling: str | None = None,
    ) -> Any:
        """Vectors of texts, with sentence-transformers' arguments and results.

        (N, E) float32, or (E,) of one text. `batch_size` texts of 128 tokens, or as many tokens in
        more or fewer texts, are computed at once. `output_value` "token_embeddings" gives (T, D)
        tensors of the tokens' states instead. `pooling` overrides the model's own, see `Encoder`.
        Texts longer than `max_seq_length` are cut, with a warning.

        Raises:
            UsageError: A prompt, a precision or a way of pooling that is not there.
            DataError: An input that is no text.
        """
        encoder = self._encoder(pooling)
        several = [inputs] if isinstance(inputs, str) else list(inputs)
        before = encoder.prompt(prompt, prompt_name)
        if output_value == "token_embeddings":
            tokens = encoder.token_vectors(several, before, batch_size)
            return tokens[0] if isinstance(inputs, str) else tokens
        with telling("encoding", show=show_progress_bar) as told:
            vectors = encoder.vectors(several, before, batch_size, told)
        if truncate_dim is not None:
            vectors = vectors[:, :truncate_dim]
        if normalize_embeddings:
            lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
            vectors = vectors / np.maximum(lengths, np.float32(1e-12))
        found = quantised(vectors, precision)
        made = found[0] if isinstance(inputs, str) else found
        if convert_to_tensor or not convert_to_numpy:
            tensor = torch.from_numpy(np.ascontiguousarray(made))
            return tensor if convert_to_tensor or isinstance(inputs, str) else list(tensor)
        return made

    def encode_query(self, inputs: str | Texts, **given: Any) -> Any:
        """As `encode`, with the model's prompt for queries where it has one."""
        return self.encode(inputs, **self._prompted(given, ("query",)))

    def encode_document(self, inputs: str | Texts, **given: Any) -> Any:
        """As `encode`, with the model's prompt for documents where it has one."""
        return self.encode(inputs, **self._prompted(given, DOCUMENT_PROMPTS))

    def _prompted(self, given: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
        if given.get("prompt") is None and given.get("prompt_name") is None:
            found = next((name for name in names if name in self.prompts), None)
            return {**given, "prompt_name": found}
        return given

    def _encoder(self, pooling: str | None = None) -> Encoder:
        if pooling is not None:
            return Encoder.of(self.bundle, pooling)
        if self._own_encoder is None:
            self._own_encoder = Encoder.of(self.bundle)
        return self._own_encoder

    @property
    def prompts(self) -> dict[str, str]:
        """The model's prompts by the name of their use."""
        return dict(self._encoder().config.prompts)

    @property
    def max_seq_length(self) -> int:
        """Most tokens read of a text, specials included."""
        return self.bundle.max_length

    @property
    def similarity_fn_name(self) -> Similarity:
        """By which the model was trained to be compared."""
        return self._encoder().config.similarity

    def get_embedding_dimension(self) -> int:
        """Values of a vector."""
        return self._encoder().dimension

    def similarity(self, embeddings1: Vectors, embeddings2: Vectors) -> Tensor:
        """(N, E) and (M, E) to (N, M), by the model's own similarity."""
        return similarity(embeddings1, embeddings2, self.similarity_fn_name)

    def similarity_pairwise(self, embeddings1: Vectors, embeddings2: Vectors) -> Tensor:
        """(N, E) and (N, E) to (N,)."""
        return similarity_pairwise(embeddings1, embeddings2, self.similarity_fn_name)

    def embedder(self) -> Embedder:
        """The model as search and mining ask it."""
        return Embedder(self._encoder())

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
