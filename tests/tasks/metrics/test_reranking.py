"""Orders of candidates are judged as by sentence-transformers, scikit-learn and trec_eval."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, ndcg_score

from unmask.errors import DataError, UsageError
from unmask.tasks.metrics.reranking import by_query, score_intervals, scores
from unmask.tasks.metrics.resampling import Bootstrap, mean_interval


@pytest.mark.parametrize("num_values", [3, 10**6], ids=["mostly ties", "hardly a tie"])
def test_average_precision_and_ndcg_are_those_of_scikit_learn(num_values: int) -> None:
    draw = np.random.default_rng(num_values)
    for _ in range(200):
        relevances = draw.integers(0, 4, size=draw.integers(2, 30))
        relevances[0] = 1
        given = draw.integers(num_values, size=len(relevances))
        precision, _, ndcg = by_query(relevances, given, 10)
        assert precision == pytest.approx(average_precision_score(relevances > 0, given))
        assert ndcg == pytest.approx(ndcg_score([relevances], [given], k=10))


def test_measures_are_means_over_the_orders_of_what_ties() -> None:
    draw = np.random.default_rng(3)
    for _ in range(30):
        relevances = draw.integers(0, 3, size=6)
        relevances[draw.integers(6)] = 1
        given = draw.integers(3, size=6)
        at = int(draw.integers(1, 7))
        orders = [
            np.array(order)
            for order in permutations(range(6))
            if (np.diff(given[list(order)]) <= 0).all()
        ]
        # Where nothing ties there is only one order.
        each = [by_query(relevances[order], -np.arange(6.0), at) for order in orders]
        found = by_query(relevances, given, at)
        assert found[1:] == pytest.approx(np.mean(each, axis=0)[1:])


def test_figures_are_those_of_sentence_transformers(
    evaluators: ModuleType, as_model: Callable[..., Any]
) -> None:
    draw = np.random.default_rng(0)
    vectors: dict[str, np.ndarray] = {}
    samples, relevances, given = [], [], []
    for i in range(40):
        names = [f"{i}-{j}" for j in range(draw.integers(2, 25))]
        vectors |= {name: draw.standard_normal(6) for name in [f"q{i}", *names]}
        cut = int(draw.integers(0, len(names) + 1))
        samples.append({"query": f"q{i}", "positive": names[:cut], "negative": names[cut:]})
        sides = [np.stack([vectors[name] for name in side]) for side in ([f"q{i}"], names)]
        units = [side / np.linalg.norm(side, axis=1, keepdims=True) for side in sides]
        relevances.append(np.arange(len(names)) < cut)
        given.append((units[0] @ units[1].T)[0])
    expected = evaluators.RerankingEvaluator(samples, at_k=10, write_csv=False)(as_model(vectors))
    found = scores(relevances, given)
    for name in ("map", "mrr@10", "ndcg@10"):
        assert found[name] == pytest.approx(expected[name], abs=1e-6)
    left_out = sum(not sample["positive"] or not sample["negative"] for sample in samples)
    assert (found["num_q"], found["num_q_left_out"]) == (40 - left_out, left_out)
    assert left_out > 0


def test_without_ties_figures_are_those_of_trec_eval() -> None:
    pytrec_eval = pytest.importorskip("pytrec_eval")
    draw = np.random.default_rng(1)
    for _ in range(50):
        relevances = [1, 0, *draw.integers(0, 4, size=20)]
        given = draw.permutation(22).astype(float)
        names = [f"d{i}" for i in range(22)]
        qrels = {"q": {name: int(r) for name, r in zip(names, relevances, strict=True)}}
        measures = {"map", "ndcg_cut.10", "recip_rank"}
        run = {"q": dict(zip(names, given, strict=True))}
        expected = pytrec_eval.RelevanceEvaluator(qrels, measures).evaluate(run)["q"]
        found = by_query(relevances, given, 22)
        assert found[:2] == pytest.approx([expected["map"], expected["recip_rank"]])
        assert by_query(relevances, given, 10)[2] == pytest.approx(expected["ndcg_cut_10"])


def test_equal_scores_are_no_order_at_all() -> None:
    found = scores([[1, 0, 0, 0]], [[0.5] * 4])
    assert found["mrr@10"] == pytest.approx((1 + 1 / 2 + 1 / 3 + 1 / 4) / 4)
    assert found["map"] == 0.25


def test_intervals_are_those_of_means_over_queries() -> None:
    draw = np.random.default_rng(2)
    relevances = [np.array([1, 0, *draw.integers(0, 2, size=5)]) for _ in range(20)]
    given = [draw.random(7) for _ in range(20)]
    bootstrap = Bootstrap(seed=1, num_resamples=50)
    found = score_intervals(relevances, given, bootstrap)
    each = [by_query(r, g, 10)[1] for r, g in zip(relevances, given, strict=True)]
    expected = mean_interval(each, bootstrap)
    assert found["mrr@10"].low == pytest.approx(expected.low)
    assert found["mrr@10"].value == pytest.approx(scores(relevances, given)["mrr@10"])
    assert found.keys() == {"map", "mrr@10", "ndcg@10"}


def test_what_cannot_be_scored_is_refused() -> None:
    with pytest.raises(UsageError, match="1 queries' relevances, 2 queries' scores"):
        scores([[1, 0]], [[1, 0], [1, 0]])
    with pytest.raises(UsageError, match="2 relevances, 1 scores"):
        scores([[1, 0]], [[0.5]])
    with pytest.raises(DataError, match="query 1: scores: nan in row 0"):
        scores([[1, 0], [1, 0]], [[1, 2], [np.nan, 1]])
    with pytest.raises(DataError, match="query 0: relevances: there are none"):
        scores([[]], [[]])
    with pytest.raises(DataError, match="none of 2 queries has candidates that are relevant and"):
        scores([[1, 1], [0]], [[1, 2], [1]])
