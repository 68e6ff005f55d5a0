"""Baselines of sentence embeddings: words alone, and the encoder as it was before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.utils.extmath import safe_sparse_dot

from unmask.checkpoint.bundle import Bundle
from unmask.data.labelled.examples import EmbeddingExample
from unmask.nn.pooling import Mean
from unmask.tasks.embedding import Embedding
from unmask.tasks.embedding_scores import Vectors
from unmask.tasks.predicting import scored
from unmask.tasks.sentence import HEAD, SentenceEmbedding, SentenceHead
from unmask.tasks.sentence_config import SentenceConfig
from unmask.tasks.task import Model

_DIMENSIONS = 2048
"""Of hashed words: vectors of words, dense enough to be compared as any others."""


def baselines(
    task: Embedding,
    train: Sequence[EmbeddingExample],
    measured: Sequence[EmbeddingExample],
    base: Bundle,
) -> dict[str, dict[str, float]]:
    """`tf-idf` of words, and `before training`: the model that training began with."""
    return {
        "tf-idf": task.score(measured, _words(train, measured)),
        "before training": task.score(measured, _before(task, measured, base)),
    }


def _words(
    train: Sequence[EmbeddingExample], measured: Sequence[EmbeddingExample]
) -> list[Vectors]:
    """Each example's texts by the weights of their words, projected at random to few dimensions.

    Cosines survive a random projection to within a few hundredths (Johnson and Lindenstrauss).
    """
    words = TfidfVectorizer(sublinear_tf=True)
    words.fit(text for example in (*train, *measured) for text in example.texts)
    draw = np.random.default_rng(0)
    signs = draw.standard_normal((len(words.vocabulary_), _DIMENSIONS)).astype(np.float32)
    signs /= np.float32(np.sqrt(_DIMENSIONS))
    return [
        np.asarray(safe_sparse_dot(words.transform(example.texts), signs), dtype=np.float32)
        for example in measured
    ]


def _before(task: Embedding, measured: Sequence[EmbeddingExample], base: Bundle) -> list[Vectors]:
    """By the model's own vectors, or by the mean of its tokens if it had none."""
    config = base.task.config if isinstance(base.task, SentenceEmbedding) else SentenceConfig()
    head = base.model.heads[HEAD] if HEAD in base.model.heads else SentenceHead(Mean(), [])
    model = Model(base.model.encoder, {HEAD: head})
    plain = replace(task, config=config, settings=task.settings.model_copy(update={"dense": None}))
    return scored(model, plain, measured, base.require_tokenizer(), base.max_length)
