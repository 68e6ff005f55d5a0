"""What a ranked list of judged documents is worth, for one query, by two tools' conventions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from unmask.errors import DataError, UsageError
from unmask.tasks.metrics.counts import Floats, quotient

Cutoffs = NDArray[np.int64]
ConventionName = Literal["trec_eval", "sentence-transformers"]


@dataclass(frozen=True)
class Convention:
    """What a tool calls the measures, and where it differs from the other."""

    at: tuple[str, str, str, str, str, str]
    """The names of nDCG, average precision, reciprocal rank, recall, precision and success at k."""
    whole: tuple[str, ...]
    """The names of the first measures over the whole list."""
    is_graded: bool
    """Whether a document gains its relevance in nDCG; if not, 1 where that is above 0."""
    greatest_id_first: bool
    """Which of the documents that tie comes first, by the code points of their ids."""
    compares_in_float32: bool
    """Whether scores that are alike in single precision tie."""
    caps_average_precision: bool
    """Whether average precision at k is divided by at most k."""
    skips_unanswerable: bool
    """Whether queries without a relevant document are left out; if not, they count 0."""


CONVENTIONS: Final[Mapping[ConventionName, Convention]] = {
    "trec_eval": Convention(
        ("ndcg_cut_{}", "map_cut_{}", "recip_rank_cut_{}", "recall_{}", "P_{}", "success_{}"),
        ("ndcg", "map", "recip_rank"),
        is_graded=True,
        greatest_id_first=True,
        compares_in_float32=True,
        caps_average_precision=False,
        skips_unanswerable=False,
    ),
    "sentence-transformers": Convention(
        ("ndcg@{}", "map@{}", "mrr@{}", "recall@{}", "precision@{}", "accuracy@{}"),
        (),
        is_graded=False,
        greatest_id_first=False,
        compares_in_float32=False,
        caps_average_precision=True,
        skips_unanswerable=True,
    ),
}
"""trec_eval 9 as pytrec-eval-terrier runs it; `InformationRetrievalEvaluator` of version 6.2."""


def convention_of(name: ConventionName) -> Convention:
    """The convention of that name.

    Raises:
        UsageError: There is none.
    """
    if name not in CONVENTIONS:
        raise UsageError(f"convention `{name}`; expected {' or '.join(CONVENTIONS)}.")
    return CONVENTIONS[name]


@dataclass(frozen=True)
class Ranked:
    """One query's list; its relevances are above 0 where a document is relevant."""

    gains: Floats
    """(L,) relevance of what was found, from the first rank on; 0 also where nothing is judged."""
    ideal: Floats
    """(R,) relevance of all relevant documents, found or not, the greatest first."""


def ranked(
    judged: Mapping[str, float], found: Mapping[str, float], convention: Convention
) -> Ranked:
    """The list of the documents found, by their scores, each with its relevance.

    Raises:
        DataError: A score or a relevance is not finite.
    """
    relevances = np.maximum(_finite(judged, "relevance"), 0.0)
    if not convention.is_graded:
        relevances = (relevances > 0).astype(np.float64)
    known = dict(zip(judged, relevances.tolist(), strict=True))
    gains = [known.get(document, 0.0) for document in _ordered(found, convention)]
    return Ranked(np.array(gains, dtype=np.float64), np.sort(relevances[relevances > 0])[::-1])


def names(cutoffs: Cutoffs, convention: Convention) -> list[str]:
    """What `figures` gives, in its order."""
    return [name.format(k) for name in convention.at for k in cutoffs] + list(convention.whole)


def figures(of: Ranked, cutoffs: Cutoffs, convention: Convention) -> Floats:
    """The (6K + W,) measures of a list at K cutoffs, then over all of it; see `names`.

    A list shorter than a cutoff is as if documents that are not relevant followed. Whatever is
    divided by the number of relevant documents is 0 where there is none.
    """
    num_found, num_relevant = len(of.gains), len(of.ideal)
    ends = np.append(np.minimum(cutoffs, num_found), num_found)  # (K + 1,) the last: all of it
    ranks = np.arange(1, num_found + 1)
    hits = np.cumsum(of.gains > 0)
    first = int(np.argmax(of.gains > 0)) + 1 if num_found and hits[-1] else num_found + 1
    precision = _before(np.where(of.gains > 0, hits / ranks, 0.0))[ends]
    ideal_ends = np.append(np.minimum(cutoffs, num_relevant), num_relevant)
    counted = ideal_ends if convention.caps_average_precision else np.array(num_relevant)
    num_hits = _before(of.gains > 0)[ends]
    at = (
        quotient(_discounted(of.gains)[ends], _discounted(of.ideal)[ideal_ends]),
        quotient(precision, counted.astype(np.float64)),
        np.where(ends >= first, 1 / first, 0.0),
        quotient(num_hits, np.array(float(num_relevant))),
        num_hits / np.append(cutoffs, max(num_found, 1)),
        (num_hits > 0).astype(np.float64),
    )
    whole = np.array([measure[-1] for measure in at[: len(convention.whole)]])
    return np.concatenate([*(measure[:-1] for measure in at), whole])


def _ordered(found: Mapping[str, float], convention: Convention) -> list[str]:
    scores = _finite(found, "score")
    if convention.compares_in_float32:
        # What single precision cannot hold is infinite there, and ties.
        with np.errstate(over="ignore"):
            scores = scores.astype(np.float32).astype(np.float64)
    if convention.greatest_id_first:
        pairs = sorted(zip(scores.tolist(), found, strict=True), reverse=True)
    else:
        pairs = sorted(zip((-scores).tolist(), found, strict=True))
    return [document for _, document in pairs]


def _finite(values: Mapping[str, float], what: str) -> Floats:
    numbers = np.fromiter(values.values(), dtype=np.float64, count=len(values))
    wrong = np.flatnonzero(~np.isfinite(numbers))
    if len(wrong):
        document = list(values)[wrong[0]]
        raise DataError(
            f"the {what} of document `{document}` is {numbers[wrong[0]]} ({len(wrong)} of "
            f"{len(numbers)} are not finite); expected a number. Look at the vectors or the model "
            "that gave it."
        )
    return numbers


def _discounted(gains: Floats) -> Floats:
    """(n + 1,) DCG of the first 0, 1, ... n documents."""
    return _before(gains / np.log2(np.arange(len(gains)) + 2))


def _before(values: Floats | NDArray[np.bool_]) -> Floats:
    """(n + 1,) sums of the first 0, 1, ... n values."""
    sums: Floats = np.concatenate(([0.0], np.cumsum(values, dtype=np.float64)))
    return sums
