from __future__ import annotations

import doctest
import math
from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from unmask.data.windows import Window
from unmask.tasks import qa_spans
from unmask.tasks.qa_spans import SpanScores, best_spans, span_cross_entropy

QUESTION = 3
"""Tokens before the context: [CLS], one word, [SEP]."""


def window(start: int, num_tokens: int) -> Window:
    """A window over tokens that are each three characters with a space after them."""
    places = np.full((QUESTION + num_tokens + 1, 2), -1)
    firsts = 4 * np.arange(start, start + num_tokens)
    places[QUESTION:-1] = np.stack((firsts, firsts + 3), axis=1)
    return Window(np.zeros(len(places), dtype=np.int64), QUESTION, places=places)


def logits_of(window: Window, seed: int) -> np.ndarray:
    generator = np.random.default_rng(seed)
    return generator.standard_normal((len(window.input_ids), 2)).astype(np.float32)


def by_trying_all(
    windows: list[Window], logits: list[np.ndarray], max_length: int
) -> dict[tuple[int, int], float]:
    """The best score of every span that may be an answer."""
    found: dict[tuple[int, int], float] = {}
    for one, scores in zip(windows, logits, strict=True):
        for i, j in product(range(len(scores)), repeat=2):
            if 0 <= j - i < max_length and one.places[i, 0] >= 0 and one.places[j, 0] >= 0:
                span = int(one.places[i, 0]), int(one.places[j, 1])
                found[span] = max(found.get(span, -math.inf), float(scores[i, 0] + scores[j, 1]))
    return found


@settings(max_examples=60, deadline=None)
@given(
    starts=st.lists(st.integers(0, 9), min_size=1, max_size=4),
    num_tokens=st.integers(0, 9),
    n_best=st.integers(1, 120),
    max_length=st.integers(1, 12),
    seed=st.integers(0, 1000),
)
def test_the_best_spans_are_those_that_trying_all_gives(
    starts: list[int], num_tokens: int, n_best: int, max_length: int, seed: int
) -> None:
    windows = [window(start, num_tokens) for start in starts]
    logits = [logits_of(one, seed + i) for i, one in enumerate(windows)]
    found = best_spans(windows, logits, n_best, max_length)

    every = by_trying_all(windows, logits, max_length)
    expected = sorted(every.items(), key=lambda item: -item[1])[:n_best]
    assert [tuple(span) for span in found.spans.tolist()] == [span for span, _ in expected]
    assert found.scores.tolist() == pytest.approx([score for _, score in expected])
    assert found.no_answer == pytest.approx(min(float(part[0].sum()) for part in logits))


def test_a_better_window_wins_and_no_answer_is_as_likely_as_in_the_worst() -> None:
    windows = [window(0, 4), window(2, 4)]
    logits = [np.zeros((8, 2), dtype=np.float32) for _ in windows]
    logits[0][0] = 3.0  # [CLS]
    logits[1][0] = 2.0
    logits[0][QUESTION + 2], logits[1][QUESTION] = 1.0, 4.0  # the third token of the context

    found = best_spans(windows, logits, 5, 4)

    assert found.spans[0].tolist() == [8, 11]
    assert found.scores[0] == 8.0
    assert (found.no_answer, found.null_odds) == (4.0, -4.0)


def test_a_context_of_nothing_has_no_span() -> None:
    empty = window(0, 0)
    found = best_spans([empty], [np.full((4, 2), 1.5, dtype=np.float32)], 20, 30)

    assert found.spans.shape == (0, 2)
    assert found.null_odds == 3.0
    assert not found.is_answer(math.inf)
    spans, shares = found.candidates(no_answer=False)
    assert (spans.tolist(), shares.tolist()) == ([[0, 0]], [1.0])


def test_candidates_share_a_softmax() -> None:
    scores = SpanScores(np.array([[0, 3], [4, 7]]), np.array([2.0, 1.0]), no_answer=1.0)
    spans, shares = scores.candidates(no_answer=True)

    assert spans.tolist() == [[0, 3], [4, 7], [0, 0]]
    e = math.e
    assert shares.tolist() == pytest.approx([e / (e + 2), 1 / (e + 2), 1 / (e + 2)])
    assert scores.candidates(no_answer=False)[1].sum() == pytest.approx(1.0)


def test_a_threshold_is_on_the_odds_of_no_answer() -> None:
    scores = SpanScores(np.array([[0, 3]]), np.array([2.0]), no_answer=5.0)
    assert scores.null_odds == 3.0
    assert [scores.is_answer(limit) for limit in (2.9, 3.0, math.inf)] == [False, True, True]


@settings(max_examples=40, deadline=None)
@given(lengths=st.lists(st.integers(1, 12), min_size=1, max_size=6), seed=st.integers(0, 1000))
def test_packing_does_not_change_the_loss(lengths: list[int], seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(sum(lengths), generator=generator, dtype=torch.float64)
    labels = torch.tensor([seed % length for length in lengths])
    logits.requires_grad_()

    packed = span_cross_entropy(logits, labels, lengths)
    alone = [
        functional.cross_entropy(part, label)
        for part, label in zip(logits.split(lengths), labels, strict=True)
    ]

    torch.testing.assert_close(packed, torch.stack(alone).sum(), rtol=1e-10, atol=1e-10)
    (found,) = torch.autograd.grad(packed, logits)
    (expected,) = torch.autograd.grad(torch.stack(alone).sum(), logits)
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)


def test_half_precision_logits_are_judged_in_float32() -> None:
    logits = torch.zeros(8, dtype=torch.bfloat16)
    assert span_cross_entropy(logits, torch.tensor([3]), (8,)).dtype == torch.float32


def test_docstring_examples() -> None:
    assert doctest.testmod(qa_spans).failed == 0
    assert doctest.testmod(qa_spans).attempted > 0
