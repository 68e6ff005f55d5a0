"""Spans of labelled words found exactly: seqeval's figures in both of its modes, 0..1.

`precision`, `recall` and `f1` read tags as conlleval does, seqeval's default; `strict_*` as
seqeval's strict mode does, where a sequence that breaks the scheme loses spans. A span is right
when label, start and end are. A ratio whose denominator is 0 is 0, so text without any span scores
0 there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from unmask.data.labelled.tags import Span, spans, strict_spans
from unmask.errors import DataError, UsageError
from unmask.tasks.metrics.checks import check_lengths
from unmask.tasks.metrics.counts import Floats, mean_over, quotient, ratios
from unmask.tasks.metrics.resampling import Bootstrap, Interval, sum_intervals

Sentences = Sequence[Sequence[str]]
"""The tags of the words of each sentence."""

_PREFIXES = ("", "strict_")


@dataclass(frozen=True)
class SpanCounts:
    """How many spans of each of L labels each of S sentences has, by one way of reading tags."""

    labels: tuple[str, ...]
    """(L,) sorted; those that are given or predicted."""
    correct: NDArray[np.int64]
    """(S, L) spans that are predicted and given."""
    predicted: NDArray[np.int64]
    """(S, L)."""
    gold: NDArray[np.int64]
    """(S, L)."""


def scores(gold: Sentences, predicted: Sentences, scheme: str) -> dict[str, float]:
    """How well predicted tags find the spans of the given ones.

    Gives `accuracy` (of words: equal tags); `precision`, `recall`, `f1` over all spans (micro),
    `precision_macro`, `recall_macro`, `f1_macro` as means over labels; `precision/LABEL`,
    `recall/LABEL`, `f1/LABEL` and `support/LABEL` (a count); and all but the accuracy again as
    `strict_...`. With plain tags each word is a span, and both modes agree.

    Other names: entity-level F1, CoNLL F1. Formula: F1 = 2 correct / (predicted + gold).
    Source: conlleval.pl (CoNLL-2000); seqeval, `metrics/sequence_labeling.py` and `scheme.py`.

    Worked example: one span of two is found, and an `I-` without its `B-` counts in one mode only.

    >>> found = scores([["B-PER", "O", "B-LOC"]], [["I-PER", "O", "O"]], "iob2")
    >>> round(found["f1"], 3), found["strict_f1"], round(found["accuracy"], 3)
    (0.667, 0.0, 0.333)

    Raises:
        UsageError: Not as many sentences or words on both sides, or an unknown scheme.
        DataError: No words, or a tag that the scheme does not have.
    """
    _check(gold, predicted)
    readings = [count(gold, predicted, scheme, strict=strict) for strict in (False, True)]
    sums = _parts(gold, predicted, readings).sum(axis=0, keepdims=True)
    found = {name: float(value[0]) for name, value in _figures(readings, sums).items()}
    for prefix, counts in zip(_PREFIXES, readings, strict=True):
        for label, number in zip(counts.labels, counts.gold.sum(axis=0), strict=True):
            found[f"{prefix}support/{label}"] = float(number)
    return found


def score_intervals(
    gold: Sentences, predicted: Sentences, scheme: str, bootstrap: Bootstrap
) -> dict[str, Interval]:
    """Every figure of `scores` but the supports, with its interval over resampled sentences.

    Takes and raises the same. A resample without a label does not count for that label's figures.
    """
    _check(gold, predicted)
    readings = [count(gold, predicted, scheme, strict=strict) for strict in (False, True)]
    return sum_intervals(_parts(gold, predicted, readings), partial(_figures, readings), bootstrap)


def count(gold: Sentences, predicted: Sentences, scheme: str, *, strict: bool) -> SpanCounts:
    """What there is to find, what was found, and what of it is right, by sentence and label.

    Raises:
        UsageError: Not as many sentences on both sides, or an unknown scheme.
        DataError: A tag that the scheme does not have.
    """
    check_lengths({"gold sentences": gold, "predicted sentences": predicted})
    read = strict_spans if strict else spans
    wanted = [set(read(tags, scheme)) for tags in gold]
    given = [set(read(tags, scheme)) for tags in predicted]
    right = [one & other for one, other in zip(wanted, given, strict=True)]
    labels = tuple(sorted({span.label for found in (*wanted, *given) for span in found}))
    columns = {label: i for i, label in enumerate(labels)}

    def tally(sets: Sequence[set[Span]]) -> NDArray[np.int64]:
        counts = np.zeros((len(sets), len(labels)), dtype=np.int64)
        for row, found in enumerate(sets):
            for span in found:
                counts[row, columns[span.label]] += 1
        return counts

    return SpanCounts(labels, tally(right), tally(given), tally(wanted))


def _check(gold: Sentences, predicted: Sentences) -> None:
    check_lengths({"gold sentences": gold, "predicted sentences": predicted})
    for i, (words, guesses) in enumerate(zip(gold, predicted, strict=True)):
        if len(words) != len(guesses):
            raise UsageError(
                f"sentence {i} has {len(words)} gold tags and {len(guesses)} predicted ones; "
                "expected one of each for every word."
            )
    if not any(map(len, gold)):
        raise DataError("there are no words to measure; expected at least one.")


def _parts(gold: Sentences, predicted: Sentences, readings: Sequence[SpanCounts]) -> Floats:
    """(S, 2 + 3L + 3L') right words, words, and the counts of both readings."""
    pairs = zip(gold, predicted, strict=True)
    right = [sum(map(str.__eq__, words, guesses)) for words, guesses in pairs]
    words = np.array([right, [len(tags) for tags in gold]]).T
    counts = [(counts.correct, counts.predicted, counts.gold) for counts in readings]
    return np.concatenate((words, *chain(*counts)), axis=1).astype(np.float64)


def _figures(readings: Sequence[SpanCounts], sums: Floats) -> dict[str, Floats]:
    """(R, 2 + 3L + 3L') sums over sentences to (R,) figures; NaN where there is nothing."""
    words = sums[:, 1]
    figures = {"accuracy": np.where(words > 0, quotient(sums[:, 0], words), np.nan)}
    start = 2
    for prefix, counts in zip(_PREFIXES, readings, strict=True):
        stop = start + 3 * len(counts.labels)
        parts = np.split(sums[:, start:stop], 3, axis=1)  # (R, L) each
        occurs = parts[1] + parts[2] > 0
        micro = ratios(*(part.sum(axis=1) for part in parts))._asdict()
        for metric, values in ratios(*parts)._asdict().items():
            figures[prefix + metric] = micro[metric]
            figures[f"{prefix}{metric}_macro"] = mean_over(values, occurs)
            for i, label in enumerate(counts.labels):
                defined = np.where(occurs[:, i], values[:, i], np.nan)
                figures[f"{prefix}{metric}/{label}"] = defined
        start = stop
    return figures
