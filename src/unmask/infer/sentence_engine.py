"""What an engine does with sentence encoders: vectors of texts, and how alike they are."""

from __future__ import annotations

from typing import Any, Literal, TypedDict, Unpack, get_args

import numpy as np
import torch
from torch import Tensor

from unmask.checkpoint.bundle import Bundle
from unmask.errors import UsageError
from unmask.infer.embedder import Embedder
from unmask.infer.encode import BATCH_SIZE, Encoder
from unmask.infer.progress import telling
from unmask.infer.quantise import VectorPrecision, quantised
from unmask.infer.similarity import Vectors, similarity, similarity_pairwise
from unmask.tasks.sentence_config import DOCUMENT_PROMPTS, QUERY_PROMPTS, Similarity

Texts = list[str] | tuple[str, ...]
"""Many texts; not any sequence of strings, because one string is that too."""
OutputValue = Literal["sentence_embedding", "token_embeddings"]


class EncodeArguments(TypedDict, total=False):
    """What `SentenceEngine.encode` takes beside the texts."""

    prompt_name: str | None
    prompt: str | None
    batch_size: int
    show_progress_bar: bool
    output_value: OutputValue
    precision: VectorPrecision
    convert_to_numpy: bool
    convert_to_tensor: bool
    normalize_embeddings: bool
    truncate_dim: int | None
    pooling: str | None


class SentenceEngine:
    """Vectors of texts by a loaded model."""

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle
        self._own_encoder: Encoder | None = None

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
        *,
        normalize_embeddings: bool = False,
        truncate_dim: int | None = None,
        pooling: str | None = None,
    ) -> Any:
        """Vectors of texts, with sentence-transformers' arguments and results.

        But for `device`, `pool` and `chunk_size`: the engine computes where its model is.

        (N, E) float32, or (E,) of one text. `batch_size` texts of 128 tokens, or as many tokens in
        more or fewer texts, are computed at once. `output_value` "token_embeddings" gives (T, D)
        tensors of the tokens' states instead. `pooling` overrides the model's own, see `Encoder`.
        Texts longer than `max_seq_length` are cut, with a warning.

        Raises:
            UsageError: A prompt, a precision, a way of pooling or an output that is not there, or
                no dimension to be left.
            DataError: An input that is no text.
        """
        _check(output_value, precision, truncate_dim)
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

    def encode_query(self, inputs: str | Texts, **given: Unpack[EncodeArguments]) -> Any:
        """As `encode`, with the model's prompt for queries where it has one."""
        return self.encode(inputs, **self._prompted(given, QUERY_PROMPTS))

    def encode_document(self, inputs: str | Texts, **given: Unpack[EncodeArguments]) -> Any:
        """As `encode`, with the model's prompt for documents where it has one."""
        return self.encode(inputs, **self._prompted(given, DOCUMENT_PROMPTS))

    def _prompted(self, given: EncodeArguments, names: tuple[str, ...]) -> EncodeArguments:
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


def _check(output_value: str, precision: str, truncate_dim: int | None) -> None:
    if output_value not in get_args(OutputValue):
        raise UsageError(
            f"output_value: {output_value!r} is not there; expected one of "
            f"{', '.join(map(repr, get_args(OutputValue)))}."
        )
    if output_value == "token_embeddings" and (precision != "float32" or truncate_dim is not None):
        raise UsageError(
            "output_value: token_embeddings are states as they are; leave out precision "
            "and truncate_dim."
        )
    if truncate_dim is not None and truncate_dim < 1:
        raise UsageError(f"truncate_dim: {truncate_dim}; expected 1 or more, or None.")
