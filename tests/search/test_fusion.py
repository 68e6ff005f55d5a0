from __future__ import annotations

import pytest

from unmask.search.fusion import reciprocal_rank_fusion


def test_scores_are_those_of_the_paper() -> None:
    fused = dict(reciprocal_rank_fusion([["a", "b", "c"], ["c", "d"]], rrf_k=60))

    assert fused == pytest.approx(
        {"a": 1 / 61, "b": 1 / 62, "c": 1 / 63 + 1 / 61, "d": 1 / 62}, abs=1e-12
    )


def test_what_stands_in_both_comes_first_and_ties_keep_their_order() -> None:
    fused = reciprocal_rank_fusion([["a", "b", "c"], ["c", "d"]], rrf_k=60)

    assert [key for key, _ in fused] == ["c", "a", "b", "d"]


def test_one_ranking_keeps_its_order_and_none_is_empty() -> None:
    assert [key for key, _ in reciprocal_rank_fusion([[3, 1, 2]], rrf_k=0)] == [3, 1, 2]
    assert reciprocal_rank_fusion([], rrf_k=60) == []
