"""BM25 as bm25s computes it, and orders that mean something."""

from __future__ import annotations

from dataclasses import replace

import bm25s
import numpy as np
import pytest

from unmask.checkpoint.bundle import Bundle
from unmask.data.labelled.examples import RankedExample
from unmask.recipe.baselines.ranked import bm25
from unmask.recipe.baselines.scores import baselines
from unmask.tasks.reranking import Reranking
from unmask.tasks.reranking_config import RerankingConfig

DOCUMENTS = (
    "the film was good good good",
    "the film was seen in rain by the river",
    "Paris",
    "rain rain and the Nile flows north of rain",
)
FIRST = RankedExample("1", "film in the rain", DOCUMENTS, (0.0, 1.0, 0.0, 0.0), "x:1")
SECOND = RankedExample("2", "Paris rain", DOCUMENTS[1:3], (0.0, 1.0), "x:2")


def test_bm25_is_that_of_bm25s() -> None:
    tokenized = bm25s.tokenize(
        list(DOCUMENTS), stopwords=None, token_pattern=r"\w+", show_progress=False
    )
    model = bm25s.BM25(method="lucene", k1=1.2, b=0.75)
    model.index(tokenized, show_progress=False)
    for example, found in zip([FIRST, SECOND], bm25([], [FIRST, SECOND]), strict=True):
        (words,) = bm25s.tokenize(
            [example.query], stopwords=None, return_ids=False, show_progress=False
        )
        expected = model.get_scores(words)[[DOCUMENTS.index(d) for d in example.documents]]
        np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_words_are_told_apart_by_the_training_documents_too() -> None:
    many = RankedExample("3", "x", tuple(f"film {i}" for i in range(50)), None, "x:3")
    asked = replace(FIRST, query="film")
    rare, common = bm25([], [asked])[0], bm25([many], [asked])[0]
    assert rare[0] > common[0]


def test_the_order_given_counts_where_it_is_not_that_of_the_labels(base: Bundle) -> None:
    task = Reranking.begin(RerankingConfig(), [FIRST])
    found = baselines(task, [FIRST], [FIRST, SECOND], base)
    assert list(found) == ["bm25", "order given"]
    assert found["bm25"]["map"] == 1.0
    assert found["order given"]["mrr@10"] == pytest.approx(0.5)
    positives_first = replace(FIRST, grades=(1.0, 0.0, 0.0, 0.0))
    assert list(baselines(task, [FIRST], [positives_first], base)) == ["bm25"]
