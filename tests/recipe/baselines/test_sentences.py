"""Vectors of words beside which sentence encoders are measured."""

from __future__ import annotations

import tracemalloc

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics.pairwise import cosine_similarity

from unmask.data.labelled.examples import EmbeddingExample
from unmask.recipe.baselines import sentences
from unmask.tasks.embedding import Embedding
from unmask.tasks.embedding_config import EmbeddingConfig


def examples(number: int, words: int, drawn: int = 12) -> list[EmbeddingExample]:
    """Pairs of texts, every other pair with half of its words in common."""
    draw = np.random.default_rng(0)
    made = []
    for i in range(number):
        one = [f"w{j}" for j in draw.integers(0, words, drawn)]
        other = [f"w{j}" for j in draw.integers(0, words, drawn)]
        shared = one[: drawn // 2] + other[drawn // 2 :] if i % 2 else other
        made.append(EmbeddingExample(str(i), (" ".join(one), " ".join(shared)), i % 2, f"x:{i}"))
    return made


def cosines(train: list[EmbeddingExample], measured: list[EmbeddingExample]) -> np.ndarray:
    """Of TF-IDF as scikit-learn has it."""
    words = TfidfVectorizer(sublinear_tf=True)
    words.fit([text for example in (*train, *measured) for text in example.texts])
    return np.array(
        [
            cosine_similarity(*(words.transform([text]) for text in example.texts)).item()
            for example in measured
        ]
    )


def test_few_words_are_compared_as_they_are() -> None:
    some = examples(20, 100)
    rows = sentences._words(some, some)
    found = [cosine_similarity(row)[0, 1] for row in rows]

    np.testing.assert_allclose(found, cosines(some, some), rtol=0, atol=1e-6)
    assert {row.dtype for row in rows} == {np.dtype(np.float32)}


def test_many_words_keep_their_cosines_in_little_memory() -> None:
    train, measured = examples(3_000, 60_000), examples(40, 60_000)
    tracemalloc.start()
    rows = sentences._words(train, measured)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    found = [cosine_similarity(row)[0, 1] for row in rows]
    assert {row.shape for row in rows} == {(2, 2048)}
    np.testing.assert_allclose(found, cosines(train, measured), rtol=0, atol=0.1)  # at random
    assert peak < 100e6  # a dense projection of these 40,000 words takes 330 MB


def test_the_baseline_is_scored_as_the_model_is() -> None:
    some = examples(40, 200)
    task = Embedding.begin(EmbeddingConfig(), some)
    assert task.score(some, sentences._words(some, some))[task.metric] > 0.9
