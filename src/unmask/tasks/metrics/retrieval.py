"""How well documents were found for queries: nDCG, MRR, MAP, recall, precision and success at k.

Judgements (qrels) give queries' documents a relevance: above 0 relevant, how much so by its grade;
0, below, or not judged at all: not relevant. A run gives queries' documents a score, from which
their ranks follow. Two conventions are known, each under the names of the tool that defines it:

| | `trec_eval` (the default) | `sentence-transformers` |
|---|---|---|
| nDCG | `ndcg_cut_10`, `ndcg`: gains are relevances | `ndcg@10`: gains are 1 or 0 |
| mean average precision | `map_cut_10`, `map`: over R | `map@10`: over min(10, R) |
| mean reciprocal rank | `recip_rank_cut_10`, `recip_rank` | `mrr@10` |
| recall: found over R | `recall_10` | `recall@10` |
| precision: found over 10 | `P_10` | `precision@10` |
| hit rate: any found | `success_10` | `accuracy@10` |
| scores that tie | greatest id first, in single precision | smallest id first |
| queries without relevant documents | count 0 | left out |
| queries without results | count 0 (`trec_eval -c`) | count 0 |
| queries that are not judged | left out | left out |

R is the number of relevant documents of a query, found or not. trec_eval has no
`recip_rank_cut_10` of its own: it is what `trec_eval -M 10 -m recip_rank` prints. BEIR and MTEB
print trec_eval's figures as nDCG@10, MAP@10 (`map_cut`), Recall@10, P@10 and HitRate@10.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from unmask.errors import DataError, UsageError
from unmask.tasks.metrics.counts import Floats
from unmask.tasks.metrics.ranked import (
    Convention,
    ConventionName,
    Cutoffs,
    convention_of,
    figures,
    names,
    ranked,
)
from unmask.tasks.metrics.resampling import Bootstrap, Interval, sum_intervals

Qrels = Mapping[str, Mapping[str, float]]
"""Relevance of documents by query, as pytrec_eval takes it."""
Run = Mapping[str, Mapping[str, float]]
"""Scores of documents by query, as pytrec_eval takes it."""

CUTOFFS = (1, 3, 5, 10, 100)


def scores(
    qrels: Qrels,
    run: Run,
    cutoffs: Sequence[int] = CUTOFFS,
    *,
    convention: ConventionName = "trec_eval",
) -> dict[str, float]:
    """The mean of every measure over the judged queries; the module says which they are.

    nDCG@k is DCG@k over the DCG@k of the best order there is; DCG@k is the sum over ranks i <= k of
    gain(i) / log2(i + 1), without the exponential gain of Burges et al. 2005. Average precision is
    the sum of precision at the rank of each relevant document found, over R. Reciprocal rank is
    1 / rank of the first relevant document. All are 0 for a list without one.

    Gives also counts under trec_eval's names: `num_q` queries averaged over, `num_ret` documents
    they were given, `num_rel` relevant ones, `num_rel_ret` of these found; and of the judged
    queries `num_q_without_relevant` and `num_q_without_results`.

    Neighbours: `reranking.scores` where each query brings its candidates, `by_query`,
    `score_intervals`.

    Worked example, one relevant document at rank 2 of 3, the other not found; DCG is
    1 / log2(3) = 0.631 of an ideal 1 + 0.631:

    >>> qrels = {"q": {"a": 1, "b": 0, "c": 1}}
    >>> found = scores(qrels, {"q": {"a": 0.5, "b": 0.9, "d": 0.1}}, [3])
    >>> [round(found[name], 4) for name in ("ndcg_cut_3", "map_cut_3", "recip_rank", "P_3")]
    [0.3869, 0.25, 0.5, 0.3333]

    Source: Järvelin and Kekäläinen 2002, "Cumulated gain-based evaluation of IR techniques", with
    the discount of trec_eval's m_ndcg.c; Buckley and Voorhees 2005, chapter 3 of "TREC".

    Raises:
        UsageError: No cutoffs, one below 1, or no such convention.
        DataError: No judgements, none for any query of the run, or a value that is not finite.
    """
    table = _table(qrels, run, cutoffs, convention_of(convention))
    means = table.values.mean(axis=0)
    return dict(zip(table.names, means.tolist(), strict=True)) | _counts(table, qrels, run)


def by_query(
    qrels: Qrels,
    run: Run,
    cutoffs: Sequence[int] = CUTOFFS,
    *,
    convention: ConventionName = "trec_eval",
) -> dict[str, dict[str, float]]:
    """Every measure of each query that `scores` averages over; takes and raises the same.

    trec_eval without `-c` leaves out queries that the run has not: the mean over the others.
    """
    table = _table(qrels, run, cutoffs, convention_of(convention))
    rows = table.values.tolist()
    return {
        query: dict(zip(table.names, row, strict=True))
        for query, row in zip(table.queries, rows, strict=True)
    }


def score_intervals(
    qrels: Qrels,
    run: Run,
    bootstrap: Bootstrap,
    cutoffs: Sequence[int] = CUTOFFS,
    *,
    convention: ConventionName = "trec_eval",
) -> dict[str, Interval]:
    """Every measure of `scores` with its interval over queries; takes and raises the same.

    What varies is the choice of queries, with the documents and their judgements as they are.
    """
    table = _table(qrels, run, cutoffs, convention_of(convention))
    num_queries = len(table.queries)

    def means(sums: Floats) -> dict[str, Floats]:
        return dict(zip(table.names, sums.T / num_queries, strict=True))

    return sum_intervals(table.values, means, bootstrap)


def without_identical_ids(run: Run) -> dict[str, dict[str, float]]:
    """The run without documents that have their query's id.

    BEIR leaves them out of data sets whose queries are documents (ArguAna, Quora), where a query
    would always find itself first. Search for one document more than the largest cutoff.

    >>> without_identical_ids({"a": {"a": 1.0, "b": 0.5}})
    {'a': {'b': 0.5}}
    """
    return {
        query: {document: score for document, score in found.items() if document != query}
        for query, found in run.items()
    }


class _Table(NamedTuple):
    names: list[str]
    queries: list[str]
    values: Floats
    """(queries, names)"""


def _table(qrels: Qrels, run: Run, cutoffs: Sequence[int], convention: Convention) -> _Table:
    places = _checked(cutoffs)
    _check_judged(qrels, run)
    queries: list[str] = []
    rows: list[Floats] = []
    for query, judged in qrels.items():
        try:
            one = ranked(judged, run.get(query, {}), convention)
        except DataError as error:
            raise DataError(f"query `{query}`: {error}") from None
        if len(one.ideal) or not convention.skips_unanswerable:
            queries.append(query)
            rows.append(figures(one, places, convention))
    if not rows:
        raise DataError(
            f"none of the {len(qrels)} judged queries has a relevant document; expected a "
            "relevance above 0 somewhere. Are these the right judgements?"
        )
    return _Table(names(places, convention), queries, np.stack(rows))


def _checked(cutoffs: Sequence[int]) -> Cutoffs:
    places = np.array(sorted(set(cutoffs)), dtype=np.int64)
    if not len(places) or places[0] < 1:
        raise UsageError(f"cutoffs {list(cutoffs)}; expected one or more ranks from 1 on.")
    return places


def _check_judged(qrels: Qrels, run: Run) -> None:
    if not qrels:
        raise DataError("there are no judgements; expected at least one query's.")
    if run.keys().isdisjoint(qrels):
        some = ", ".join(f"`{query}`" for query in list(run)[:3]) or "none"
        judged = ", ".join(f"`{query}`" for query in list(qrels)[:3])
        raise DataError(
            f"none of the {len(run)} queries of the run is judged (the run's: {some}; judged: "
            f"{judged}). Are these the judgements of the same queries, under the same ids?"
        )


def _counts(table: _Table, qrels: Qrels, run: Run) -> dict[str, float]:
    relevant = {query: {d for d, r in judged.items() if r > 0} for query, judged in qrels.items()}
    found = {query: run.get(query, {}) for query in qrels}
    counts = {
        "num_q": len(table.queries),
        "num_ret": sum(len(found[query]) for query in table.queries),
        "num_rel": sum(len(relevant[query]) for query in table.queries),
        "num_rel_ret": sum(len(relevant[query] & found[query].keys()) for query in table.queries),
        "num_q_without_relevant": sum(not documents for documents in relevant.values()),
        "num_q_without_results": sum(not documents for documents in found.values()),
    }
    return {name: float(count) for name, count in counts.items()}
