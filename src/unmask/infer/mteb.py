"""A sentence encoder as MTEB 2 asks it (mteb, `models/models_protocols.py`, `EncoderProtocol`)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from unmask.infer.encode import BATCH_SIZE
from unmask.infer.engine import Engine
from unmask.infer.similarity import Vectors
from unmask.tasks.sentence_config import DOCUMENT_PROMPTS

_QUERY = "query"


class MTEBEncoder:
    """Encodes MTEB's batches by an engine, with the model's own prompts.

    >>> import mteb  # doctest: +SKIP
    >>> mteb.evaluate(MTEBEncoder(engine), tasks)  # doctest: +SKIP
    """

    def __init__(self, engine: Engine, revision: str | None = None) -> None:
        """`revision` is what MTEB files results under; without it the hash of the model."""
        self.engine = engine
        self._revision = revision

    def encode(
        self,
        inputs: Iterable[Mapping[str, Any]],
        *,
        task_metadata: Any,
        hf_split: str,
        hf_subset: str,
        prompt_type: Any = None,
        batch_size: int = BATCH_SIZE,
        show_progress_bar: bool = False,
    ) -> NDArray[np.float32]:
        """(N, E) of the texts in batches of `text`.

        Of prompts counts, as MTEB orders them, the first that the model has: by the task's name and
        the kind of text, by the task's name, by its type and the kind, by its type, by the kind.
        """
        del hf_split, hf_subset
        texts = [str(text) for batch in inputs for text in batch["text"]]
        kind = getattr(prompt_type, "value", prompt_type)
        name = self._prompt_name(task_metadata.name, task_metadata.type, kind)
        vectors: NDArray[np.float32] = self.engine.encode(
            texts,
            prompt_name=name,
            batch_size=batch_size,
            show_progress_bar=show_progress_bar,
        )
        return vectors

    def similarity(self, embeddings1: Vectors, embeddings2: Vectors) -> Tensor:
        """(N, M), by the model's own similarity."""
        return self.engine.similarity(embeddings1, embeddings2)

    def similarity_pairwise(self, embeddings1: Vectors, embeddings2: Vectors) -> Tensor:
        """(N,), each with its partner."""
        return self.engine.similarity_pairwise(embeddings1, embeddings2)

    @property
    def mteb_model_meta(self) -> Any:
        """What MTEB writes beside the figures; needs the package `mteb`."""
        from mteb.models.model_meta import ModelMeta

        bundle = self.engine.bundle
        parameters = sum(parameter.numel() for parameter in bundle.model.parameters())
        called = "model" if bundle.folder is None else bundle.folder.absolute().name
        return ModelMeta(
            loader=None,
            name=f"unmask/{called}",
            revision=self._revision or self.engine.embedder().sha256[:12],
            release_date=None,
            languages=None,
            n_parameters=parameters,
            memory_usage_mb=4 * parameters / 2**20,
            max_tokens=self.engine.max_seq_length,
            embed_dim=self.engine.get_embedding_dimension(),
            license=None,
            open_weights=True,
            public_training_code=None,
            public_training_data=None,
            framework=["PyTorch"],
            similarity_fn_name=self.engine.similarity_fn_name,
            use_instructions=bool(self.engine.prompts),
            training_datasets=None,
        )

    def _prompt_name(self, task: str, task_type: str, kind: str | None) -> str | None:
        kinds: tuple[str, ...] = ()
        if kind is not None:
            kinds = (_QUERY,) if kind == _QUERY else (kind, *DOCUMENT_PROMPTS)
        wanted = [
            *(f"{task}-{one}" for one in kinds),
            task,
            *(f"{task_type}-{one}" for one in kinds),
            task_type,
            *kinds,
        ]
        return next((name for name in wanted if name in self.engine.prompts), None)
