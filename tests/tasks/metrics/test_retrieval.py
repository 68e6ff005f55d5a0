"""Measures of retrieval are trec_eval's, or sentence-transformers', under the names of each."""

from __future__ import annotations

import time
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from unmask.errors import DataError, UsageError
from unmask.tasks.metrics.resampling import Bootstrap, mean_interval
from unmask.tasks.metrics.retrieval import by_query, score_intervals, scores, without_identical_ids

CUTOFFS = (1, 3, 5, 10, 100)
TREC = {"ndcg_cut", "map_cut", "recall", "P", "success"}

Qrels = dict[str, dict[str, int]]
Run = dict[str, dict[str, float]]


@pytest.fixture
def pytrec_eval() -> ModuleType:
    return pytest.importorskip("pytrec_eval", reason="pytrec-eval-terrier is not installed")


def drawn(seed: int, least: int, num_scores: int, num_queries: int = 300) -> tuple[Qrels, Run]:
    """Judgements from `least` to 3 and runs that hold `num_scores` different scores."""
    draw = np.random.default_rng(seed)
    documents = [f"d{i}" for i in range(40)]
    qrels: Qrels = {}
    run: Run = {}
    for i in range(num_queries):
        judged = draw.permutation(documents)[: draw.integers(1, 25)]
        qrels[f"q{i}"] = {str(d): int(draw.integers(least, 4)) for d in judged}
        qrels[f"q{i}"][str(judged[0])] = int(draw.integers(0, 4))  # never all of them negative
        found = draw.permutation(documents)[: draw.integers(0, 40)]
        run[f"q{i}"] = {str(d): float(draw.integers(num_scores)) / 7 for d in found}
    return qrels, run


def by_trec_eval(pytrec_eval: ModuleType, qrels: Qrels, run: Run) -> dict[str, dict[str, float]]:
    at = {f"{name}.{','.join(map(str, CUTOFFS))}" for name in TREC}
    evaluator = pytrec_eval.RelevanceEvaluator(
        qrels, at | {"ndcg", "map", "recip_rank", "num_rel", "num_ret", "num_rel_ret"}
    )
    return evaluator.evaluate(run)


@pytest.mark.parametrize("least", [0, -2], ids=["graded", "with negative grades"])
@pytest.mark.parametrize("num_scores", [3, 10**6], ids=["mostly ties", "hardly a tie"])
def test_every_measure_of_every_query_is_that_of_trec_eval(
    pytrec_eval: ModuleType, least: int, num_scores: int
) -> None:
    qrels, run = drawn(least + num_scores, least, num_scores)
    expected = by_trec_eval(pytrec_eval, qrels, run)
    found = by_query(qrels, run, CUTOFFS)
    assert found.keys() == expected.keys()
    for query, measures in expected.items():
        for name, value in measures.items():
            if not name.startswith("num_"):
                assert found[query][name] == pytest.approx(value, abs=1e-12), (query, name)
    means = scores(qrels, run, CUTOFFS)
    for name in means.keys() & next(iter(expected.values())).keys():
        values = [measures[name] for measures in expected.values()]
        total = sum if name.startswith("num_") else np.mean
        assert means[name] == pytest.approx(total(values), abs=1e-12), name
    some = any(not any(r > 0 for r in judged.values()) for judged in qrels.values())
    assert some
    assert not all(run.values())


def test_reciprocal_rank_at_k_is_that_of_the_first_k_results(pytrec_eval: ModuleType) -> None:
    qrels, run = drawn(5, 0, 10**6)
    short = {
        query: dict(sorted(found.items(), key=lambda hit: hit[1], reverse=True)[:5])
        for query, found in run.items()
    }
    expected = pytrec_eval.RelevanceEvaluator(qrels, {"recip_rank"}).evaluate(short)
    found = by_query(qrels, run, CUTOFFS)
    for query, measures in expected.items():
        assert found[query]["recip_rank_cut_5"] == measures["recip_rank"]


@pytest.mark.parametrize("difference", [1e-5, 1e-8])
def test_scores_tie_where_they_are_alike_in_single_precision(
    pytrec_eval: ModuleType, difference: float
) -> None:
    qrels, run = {"q": {"a": 1, "b": 0}}, {"q": {"a": 1 + difference, "b": 1.0}}
    expected = by_trec_eval(pytrec_eval, qrels, run)["q"]["recip_rank"]
    assert scores(qrels, run)["recip_rank"] == expected == (1 if difference == 1e-5 else 0.5)


def test_of_documents_that_tie_trec_eval_takes_the_greatest_id() -> None:
    qrels, run = {"q": {"d10": 1}}, {"q": {"d10": 0.5, "d9": 0.5}}
    assert scores(qrels, run)["recip_rank"] == 0.5  # as texts, d9 is after d10
    other = scores(qrels, run, convention="sentence-transformers")
    assert other["mrr@10"] == 1


def test_queries_without_results_count_as_nothing_found(pytrec_eval: ModuleType) -> None:
    qrels = {"found": {"a": 1}, "empty": {"a": 1}, "absent": {"a": 1}}
    run = {"found": {"a": 1.0}, "empty": {}, "unjudged": {"a": 1.0}}
    found = scores(qrels, run)
    assert found["ndcg_cut_10"] == pytest.approx(1 / 3)
    assert (found["num_q"], found["num_q_without_results"]) == (3, 2)
    # Without `-c` trec_eval averages over the judged queries of the run.
    shown = by_trec_eval(pytrec_eval, qrels, run)
    assert shown.keys() == {"found", "empty"}
    each = by_query(qrels, run)
    assert np.mean([each[query]["ndcg"] for query in shown]) == 0.5
    assert scores(qrels, run, convention="sentence-transformers")["ndcg@10"] == pytest.approx(1 / 3)


def test_queries_without_relevant_documents_count_0_or_are_left_out() -> None:
    qrels = {"one": {"a": 1}, "none": {"a": 0, "b": -1}}
    run = {"one": {"a": 1.0}, "none": {"a": 1.0}}
    found = scores(qrels, run)
    assert (found["map"], found["num_q"], found["num_q_without_relevant"]) == (0.5, 2, 1)
    other = scores(qrels, run, convention="sentence-transformers")
    assert (other["map@10"], other["num_q"], other["num_q_without_relevant"]) == (1, 1, 1)
    only = {"none": {"a": -1}}  # on which pytrec-eval-terrier 0.5.11 crashes
    assert scores(only, run)["ndcg"] == 0
    with pytest.raises(DataError, match="none of the 1 judged queries has a relevant document"):
        scores(only, run, convention="sentence-transformers")


@pytest.mark.parametrize("num_scores", [3, 10**6])
def test_the_other_convention_is_that_of_sentence_transformers(num_scores: int) -> None:
    package = pytest.importorskip("sentence_transformers.sentence_transformer.evaluation")
    qrels, run = drawn(num_scores, 0, num_scores)
    relevant = {query: {d for d, r in judged.items() if r > 0} for query, judged in qrels.items()}
    evaluator: Any = package.InformationRetrievalEvaluator(
        {query: query for query in qrels},
        {f"d{i}": f"d{i}" for i in range(40)},
        relevant,
        **{f"{name}_at_k": list(CUTOFFS) for name in ("mrr", "ndcg", "accuracy", "map")},
        precision_recall_at_k=list(CUTOFFS),
    )
    hits = [
        [{"corpus_id": d, "score": score} for d, score in run[query].items()]
        for query in evaluator.queries_ids
    ]
    expected = evaluator.compute_metrics(hits)
    found = scores(qrels, run, CUTOFFS, convention="sentence-transformers")
    for name, values in expected.items():
        for k, value in values.items():
            assert found[name.replace("@k", f"@{k}")] == pytest.approx(value, abs=1e-12)
    assert found["num_q"] == len(evaluator.queries_ids) < len(qrels)


def test_the_conventions_differ_where_they_say() -> None:
    qrels = {"q": {f"d{i}": 1 + (i == 0) for i in range(4)}}
    run = {"q": {"d1": 3.0, "x": 2.0, "d0": 1.0}}
    trec = scores(qrels, run, [3])
    other = scores(qrels, run, [3], convention="sentence-transformers")
    average = 1 + 2 / 3
    assert trec["map_cut_3"] == pytest.approx(average / 4)
    assert other["map@3"] == pytest.approx(average / 3)
    log3 = np.log2(3)
    assert trec["ndcg_cut_3"] == pytest.approx((1 + 2 / 2) / (2 + 1 / log3 + 1 / 2))
    assert other["ndcg@3"] == pytest.approx((1 + 1 / 2) / (1 + 1 / log3 + 1 / 2))
    assert trec["recall_3"] == other["recall@3"] == 0.5
    assert trec["P_3"] == other["precision@3"] == pytest.approx(2 / 3)


def test_intervals_are_those_of_means_over_queries() -> None:
    qrels, run = drawn(2, 0, 100, num_queries=40)
    bootstrap = Bootstrap(seed=3, num_resamples=50)
    found = score_intervals(qrels, run, bootstrap, [10])
    each = by_query(qrels, run, [10])
    values = [measures["ndcg_cut_10"] for measures in each.values()]
    expected = mean_interval(values, bootstrap)
    assert found["ndcg_cut_10"].value == pytest.approx(scores(qrels, run, [10])["ndcg_cut_10"])
    assert found["ndcg_cut_10"].low == pytest.approx(expected.low)
    assert found["ndcg_cut_10"].high == pytest.approx(expected.high)
    assert found.keys() == next(iter(each.values())).keys()


def test_a_query_that_is_a_document_does_not_find_itself() -> None:
    run = {"a": {"a": 1.0, "b": 0.5}, "b": {"c": 1.0}}
    assert without_identical_ids(run) == {"a": {"b": 0.5}, "b": {"c": 1.0}}


def test_a_thousand_queries_of_a_thousand_results_take_seconds() -> None:
    draw = np.random.default_rng(0)
    run = {
        f"q{i}": dict(zip(map(str, draw.permutation(1000)), draw.random(1000), strict=True))
        for i in range(1000)
    }
    qrels = {query: {str(j): 1 for j in range(20)} for query in run}
    start = time.perf_counter()
    scores(qrels, run)
    assert time.perf_counter() - start < 10  # 0.8 s alone on one core


def test_what_cannot_be_scored_is_refused() -> None:
    qrels, run = {"q": {"a": 1}}, {"q": {"a": 1.0}}
    with pytest.raises(UsageError, match="cutoffs \\[\\]; expected one or more ranks from 1"):
        scores(qrels, run, [])
    with pytest.raises(UsageError, match="cutoffs \\[10, 0\\]"):
        scores(qrels, run, [10, 0])
    with pytest.raises(UsageError, match="convention `trec`; expected trec_eval or sentence-tran"):
        scores(qrels, run, convention="trec")  # type: ignore[arg-type]
    with pytest.raises(DataError, match="no judgements"):
        scores({}, run)
    with pytest.raises(DataError, match=r"none of the 1 queries of the run is judged .*`7`.*`q`"):
        scores(qrels, {"7": {"a": 1.0}})
    with pytest.raises(DataError, match="query `q`: the score of document `a` is nan"):
        scores(qrels, {"q": {"a": float("nan")}})
    with pytest.raises(DataError, match="query `q`: the relevance of document `a` is inf"):
        scores({"q": {"a": float("inf")}}, run)
