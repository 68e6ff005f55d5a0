"""Baselines of sentence embeddings: words alone, and the encoder as it was before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer

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
"""Of vectors of words, dense enough to be compared as any others."""
_TOUCHED = 16
"""Of them by each word."""


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

    Cosines survive a random projection to within a few hundredths (Johnson and Lindenstrauss), also
    one that is mostly zeros (Achlioptas 2003; Li, Hastie and Church 2006), which a vocabulary of a
    million words needs to fit into memory.
    """
    words = TfidfVectorizer(sublinear_tf=True, dtype=np.float32)
    words.fit(text for example in (*train, *measured) for text in example.texts)
    rows = words.transform(text for example in measured for text in example.texts)
    if rows.shape[1] > _DIMENSIONS:
        rows = (rows @ _projection(rows.shape[1])).tocsr()
    ends = np.cumsum([len(example.texts) for example in measured]).tolist()
    starts = [0, *ends[:-1]]
    return [rows[i:j].toarray().astype(np.float32) for i, j in zip(starts, ends, strict=True)]


def _projection(num_words: int) -> sparse.csr_matrix:
    """(V, E) with few entries a row, of random sign and in random places."""
    draw = np.random.default_rng(0)
    size = (num_words, _TOUCHED)
    places = draw.integers(0, _DIMENSIONS, size, dtype=np.int32)
    signs = draw.integers(0, 2, size, dtype=np.int8).astype(np.float32) * 2 - 1
    values = (signs / np.float32(np.sqrt(_TOUCHED))).ravel()
    starts = np.arange(num_words + 1, dtype=np.int64) * _TOUCHED
    return sparse.csr_matrix((values, places.ravel(), starts), (num_words, _DIMENSIONS))


def _before(task: Embedding, measured: Sequence[EmbeddingExample], base: Bundle) -> list[Vectors]:
    """By the model's own vectors, or by the mean of its tokens if it had none."""
    config = base.task.config if isinstance(base.task, SentenceEmbedding) else SentenceConfig()
    head = base.model.heads[HEAD] if HEAD in base.model.heads else SentenceHead(Mean(), [])
    model = Model(base.model.encoder, {HEAD: head})
    plain = replace(task, config=config, settings=task.settings.model_copy(update={"dense": None}))
    return scored(model, plain, measured, base.require_tokenizer(), base.max_length)
