"""Baselines of rankings: words alone, the order in which documents came, and the model before."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import CountVectorizer

from unmask.checkpoint.bundle import Bundle
from unmask.data.labelled.examples import RankedExample
from unmask.recipe.baselines.features import WORD
from unmask.tasks.predicting import scored
from unmask.tasks.registry import as_reranker
from unmask.tasks.reranking import Floats, Reranking
from unmask.tasks.reranking_grades import grades_of

Examples = Sequence[RankedExample]
_K1, _B = 1.2, 0.75
"""Robertson and Zaragoza 2009, section 3.5.1."""


def baselines(
    task: Reranking, train: Examples, measured: Examples, base: Bundle
) -> dict[str, dict[str, float]]:
    """The scores of each.

    The order given is that of a search that came before, if documents stand in the file as it found
    them; where all relevant ones come first it is that of the labels, and is left out.
    """
    found = {"bm25": task.score(measured, bm25(train, measured))}
    if not all(map(_is_sorted, measured)):
        given = [-np.arange(len(example.documents), dtype=np.float64) for example in measured]
        found["order given"] = task.score(measured, given)
    before = as_reranker(base.task)
    if before is not None:
        tokenizer, longest = base.require_tokenizer(), base.max_length
        scores = scored(base.model, before, measured, tokenizer, longest)
        found["before training"] = task.score(measured, scores)
    return found


def bm25(train: Examples, measured: Examples) -> list[Floats]:
    """(D,) of each query's documents, by words that are rare among all documents there are.

    As Lucene has it: without the factor k1 + 1, and rarity log(1 + (N - n + 0.5) / (n + 0.5)).
    """
    documents = {
        document: number
        for number, document in enumerate(
            dict.fromkeys(d for example in (*measured, *train) for d in example.documents)
        )
    }
    counter = CountVectorizer(token_pattern=WORD, dtype=np.float64)
    counts = counter.fit_transform(documents)  # (N, V)
    lengths: NDArray[np.float64] = np.asarray(counts.sum(axis=1)).ravel()
    num_with = np.bincount(counts.indices, minlength=counts.shape[1])
    rarity = np.log1p((counts.shape[0] - num_with + 0.5) / (num_with + 0.5))
    norms = _K1 * (1 - _B + _B * lengths / lengths.mean())
    weights = counts.tocsr(copy=True)
    rows = np.repeat(np.arange(len(lengths)), np.diff(weights.indptr))
    weights.data = weights.data / (weights.data + norms[rows]) * rarity[weights.indices]
    asked = counter.transform(example.query for example in measured)  # (Q, V)
    return [
        (weights[[documents[one] for one in example.documents]] @ asked[i].T).toarray().ravel()
        for i, example in enumerate(measured)
    ]


def _is_sorted(example: RankedExample) -> bool:
    return bool((np.diff(grades_of(example)) <= 0).all())
