"""How well candidates that came with each query are put in order: MAP, MRR and nDCG at 10.

Only the candidates count: a relevant document that is not among them is missed by whoever chose
them, and not by the order. Where it is to count, give `retrieval.scores` the run of reranked
candidates.

Candidates whose scores tie have no order, least of all the one in which they were given (often the
relevant ones first, so that equal scores would look perfect). nDCG and MRR are then the mean over
all orders of those that tie (McSherry and Najork 2008, "Computing information retrieval performance
measures efficiently in the presence of tied scores"); average precision takes them at one
threshold, as scikit-learn does.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from unmask.errors import DataError
from unmask.tasks.metrics.checks import as_floats, check_lengths
from unmask.tasks.metrics.counts import Floats
from unmask.tasks.metrics.resampling import Bootstrap, Interval, sum_intervals


def scores(
    relevances: Sequence[ArrayLike], given: Sequence[ArrayLike], at: int = 10
) -> dict[str, float]:
    """The mean quality of the order that scores put candidates in, over queries.

    Each of the Q queries has (L,) relevances of its candidates, above 0 relevant, and (L,) scores
    given to them, more for better. Gives `map` (of all candidates), `mrr@10` and `ndcg@10` under
    the names of sentence-transformers' `RerankingEvaluator` and `CrossEncoderRerankingEvaluator`,
    with `at` for the 10. nDCG gains the relevance itself, over log2(rank + 1).

    A query whose candidates are all relevant, or all not, has no order to judge and is left out, as
    there; `num_q` counts the queries averaged over, `num_q_left_out` the others.

    Neighbours: `retrieval.scores`, with the same definitions where nothing ties; `by_query`.

    Worked example, the relevant candidates at ranks 1 and 3:

    >>> found = scores([[1, 0, 2]], [[0.1, 0.5, 0.9]])
    >>> [round(found[name], 4) for name in ("map", "mrr@10", "ndcg@10")]
    [0.8333, 1.0, 0.9502]

    Raises:
        UsageError: Not as many scores as relevances.
        DataError: No queries, none with both kinds of candidates, or a value that is not finite.
    """
    values, num_left_out = _values(relevances, given, at)
    means = values.mean(axis=0).tolist()
    return dict(zip(_names(at), means, strict=True)) | {
        "num_q": float(len(values)),
        "num_q_left_out": float(num_left_out),
    }


def score_intervals(
    relevances: Sequence[ArrayLike],
    given: Sequence[ArrayLike],
    bootstrap: Bootstrap,
    at: int = 10,
) -> dict[str, Interval]:
    """Every mean of `scores` with its interval over queries; takes and raises the same."""
    values, _ = _values(relevances, given, at)

    def means(sums: Floats) -> dict[str, Floats]:
        return dict(zip(_names(at), sums.T / len(values), strict=True))

    return sum_intervals(values, means, bootstrap)


def by_query(relevances: ArrayLike, given: ArrayLike, at: int = 10) -> Floats:
    """(3,) average precision, reciprocal rank at `at` and nDCG at `at` of one query's candidates.

    All are 0 where no candidate is relevant. Of two candidates that tie, one of them relevant, the
    reciprocal rank is the mean of 1 and 1/2:

    >>> by_query([1, 0], [0.5, 0.5], 10)[1].item()
    0.75

    Raises:
        UsageError: Not as many scores as relevances.
        DataError: No candidates, or a value that is not finite.
    """
    gains = np.maximum(as_floats("relevances", relevances, 1), 0.0)
    values = as_floats("scores", given, 1)
    check_lengths({"relevances": gains, "scores": values})
    if not gains.any():
        return np.zeros(3)
    order = np.argsort(-values, kind="stable")
    gains = gains[order]
    is_last = np.append(np.diff(values[order]) != 0, True)  # of those that tie
    ends = np.flatnonzero(is_last) + 1
    return np.array(
        [
            _average_precision(gains > 0, ends),
            _reciprocal_rank(gains > 0, ends, at),
            _ndcg(gains, ends, at),
        ]
    )


def _names(at: int) -> tuple[str, str, str]:
    return "map", f"mrr@{at}", f"ndcg@{at}"


def _values(
    relevances: Sequence[ArrayLike], given: Sequence[ArrayLike], at: int
) -> tuple[Floats, int]:
    """(Q, 3) figures of the queries with both kinds of candidates, and the number of others."""
    check_lengths({"queries' relevances": relevances, "queries' scores": given})
    rows: list[Floats] = []
    for query, (one, other) in enumerate(zip(relevances, given, strict=True)):
        try:
            figures = by_query(one, other, at)
        except DataError as error:
            raise DataError(f"query {query}: {error}") from None
        is_relevant = np.asarray(one) > 0
        if is_relevant.any() and not is_relevant.all():
            rows.append(figures)
    if not rows:
        raise DataError(
            f"none of {len(relevances)} queries has candidates that are relevant and candidates "
            "that are not; expected at least one."
        )
    return np.stack(rows), len(relevances) - len(rows)


def _average_precision(is_relevant: np.ndarray, ends: np.ndarray) -> float:
    """The sum over thresholds of precision times what recall gains."""
    hits = np.cumsum(is_relevant)[ends - 1]
    return float((np.diff(hits, prepend=0) * hits / ends).sum() / hits[-1])


def _reciprocal_rank(is_relevant: np.ndarray, ends: np.ndarray, at: int) -> float:
    """The mean over the orders of the first group that has a relevant candidate."""
    first = int(np.searchsorted(np.cumsum(is_relevant)[ends - 1], 1))
    start = int(ends[first - 1]) if first else 0
    size = int(ends[first]) - start
    num_relevant = int(is_relevant[start : ends[first]].sum())
    mean, none_before = 0.0, 1.0  # chance that no relevant one has come yet
    for place in range(size - num_relevant + 1):
        rank = start + place + 1
        if rank > at:
            break
        chance = none_before * num_relevant / (size - place)
        mean += chance / rank
        none_before -= chance
    return mean


def _ndcg(gains: Floats, ends: np.ndarray, at: int) -> float:
    discounts = 1 / np.log2(np.arange(len(gains)) + 2)
    discounts[at:] = 0
    sizes = np.diff(ends, prepend=0)
    starts = ends - sizes
    mean_gains = np.add.reduceat(gains, starts) / sizes
    best = np.sort(gains)[::-1] @ discounts
    return float(mean_gains @ np.add.reduceat(discounts, starts) / best)
