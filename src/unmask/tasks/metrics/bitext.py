"""Whether each sentence finds its translation among all, in both directions: bitext mining."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from unmask.errors import DataError
from unmask.tasks.metrics.checks import check_lengths
from unmask.tasks.metrics.counts import Floats, ratios
from unmask.tasks.metrics.exact import nearest
from unmask.tasks.metrics.resampling import Bootstrap, Interval, sum_intervals

Vectors = NDArray[np.floating]
Texts = Sequence[str]


def scores(
    source: Vectors,
    target: Vectors,
    *,
    source_texts: Texts | None = None,
    target_texts: Texts | None = None,
) -> dict[str, float]:
    """How often the most similar sentence of the other language is the translation.

    `source` and `target` are (N, D) vectors, of which row i translates row i; similarity is the
    cosine, and of those that tie the first counts. Gives `src2trg_accuracy`, `trg2src_accuracy`
    (of N) and their `mean_accuracy`, the names of sentence-transformers' `TranslationEvaluator`;
    and `src2trg_f1`, `trg2src_f1`, `mean_f1`: F1 of each sentence found, 2 hits / (times found +
    times wanted), averaged over the sentences wanted. That is the main score of MTEB's bitext
    mining, which names `f1` and `accuracy` without a direction; it punishes hubs, which are found
    for everything.

    A sentence may occur twice, and then finding either is right: give the texts, and equal ones
    count as one sentence. sentence-transformers does so; MTEB, and this without texts, does not.

    Neighbours: `retrieval.scores` with recall at 1; mining pairs from texts that are not aligned
    (BUCC) also needs a threshold.

    Worked example, the first target being a hub; it is found twice and wanted once:

    >>> source = np.array([[1.0, 0.0], [0.8, 0.6]])
    >>> found = scores(source, np.array([[1.0, 0.1], [-1.0, 1.0]]))
    >>> round(found["src2trg_accuracy"], 4), round(found["src2trg_f1"], 4)
    (0.5, 0.3333)

    Source: Artetxe and Schwenk 2019 (Tatoeba's similarity search), and MTEB, Muennighoff et al.
    2023, section 3.2.

    Raises:
        UsageError: The vectors or the texts do not fit each other.
        DataError: No pairs, or a vector that is not finite.
    """
    forth, back = _directions(source, target, source_texts, target_texts)
    found = {
        f"{name}_{measure}": value
        for name, direction in (("src2trg", forth), ("trg2src", back))
        for measure, value in (
            ("accuracy", float(direction.hits.mean())),
            ("f1", _f1(direction)),
        )
    }
    for measure in ("accuracy", "f1"):
        found[f"mean_{measure}"] = (found[f"src2trg_{measure}"] + found[f"trg2src_{measure}"]) / 2
    return found


def score_intervals(
    source: Vectors,
    target: Vectors,
    bootstrap: Bootstrap,
    *,
    source_texts: Texts | None = None,
    target_texts: Texts | None = None,
) -> dict[str, Interval]:
    """The accuracies of `scores` with their intervals over pairs; takes and raises the same.

    A resample counts some pairs more than once, but every sentence is still looked for among all N.
    F1 has no interval: how often a sentence is found depends on all pairs at once.
    """
    forth, back = _directions(source, target, source_texts, target_texts)
    hits = np.stack((forth.hits, back.hits), axis=1).astype(np.float64)

    def accuracies(sums: Floats) -> dict[str, Floats]:
        means = sums / len(hits)  # (R, 2)
        return {
            "src2trg_accuracy": means[:, 0],
            "trg2src_accuracy": means[:, 1],
            "mean_accuracy": means.mean(axis=1),
        }

    return sum_intervals(hits, accuracies, bootstrap)


class _Direction(NamedTuple):
    found: NDArray[np.int64]
    """(N,) the sentence that each found."""
    wanted: NDArray[np.int64]
    """(N,) the sentence that each should have found."""

    @property
    def hits(self) -> NDArray[np.bool_]:
        right: NDArray[np.bool_] = self.found == self.wanted
        return right


def _directions(
    source: Vectors, target: Vectors, source_texts: Texts | None, target_texts: Texts | None
) -> tuple[_Direction, _Direction]:
    check_lengths({"source vectors": source, "target vectors": target})
    if not len(source):
        raise DataError("there are no pairs of sentences; expected at least one to measure.")
    return (
        _direction(source, target, _sentences("target", target_texts, len(target))),
        _direction(target, source, _sentences("source", source_texts, len(source))),
    )


def _direction(queries: Vectors, corpus: Vectors, sentences: NDArray[np.int64]) -> _Direction:
    found = nearest(queries, corpus, 1).indices[:, 0]
    return _Direction(sentences[found], sentences)


def _sentences(side: str, texts: Texts | None, length: int) -> NDArray[np.int64]:
    """(N,) numbers of the sentences; equal texts have one number."""
    if texts is None:
        return np.arange(length)
    check_lengths({f"{side} vectors": range(length), f"{side} texts": texts})
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(text, len(numbers)) for text in texts], dtype=np.int64)


def _f1(direction: _Direction) -> float:
    size = int(direction.wanted.max()) + 1
    wanted = np.bincount(direction.wanted, minlength=size).astype(np.float64)
    found = np.bincount(direction.found, minlength=size).astype(np.float64)
    hits = np.bincount(direction.found[direction.hits], minlength=size).astype(np.float64)
    return float(np.average(ratios(hits, found, wanted).f1, weights=wanted))
