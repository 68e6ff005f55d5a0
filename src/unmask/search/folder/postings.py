"""Which words stand in which passages how often: what BM25 needs, one segment's share of it.

Only counts are kept. The weights depend on all segments and on what was deleted, so they are
worked out for a query's words alone, which keeps them exact whatever is added or deleted, and
costs no rebuilding.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from unmask.errors import DataError
from unmask.search.folder.arrays import open_array, write_array
from unmask.search.folder.texts import Rows, open_table, write_table
from unmask.search.words import words_of

TERMS = "terms.arrow"
STARTS = "postings-starts.npy"
PASSAGES = "postings-passages.npy"
COUNTS = "postings-counts.npy"
LENGTHS = "lengths.npy"
FILES = (TERMS, STARTS, PASSAGES, COUNTS, LENGTHS)
_TERM_SCHEMA = pa.schema([("term", pa.large_string())])

Ints = NDArray[np.int32]


@dataclass(frozen=True)
class Postings:
    """The counts of a segment's words, or of several segments' together."""

    terms: Sequence[str]
    """Ascending by code points."""
    starts: NDArray[np.int64]
    """(terms + 1,) where each term's entries begin."""
    passages: Ints
    """(entries,) the passages that a term stands in, ascending."""
    counts: Ints
    """(entries,) how often."""
    lengths: Ints
    """(passages,) words, stopwords left out."""

    def of(self, term: str) -> tuple[Ints, Ints]:
        """The passages with a term and how often it stands there."""
        found = bisect_left(self.terms, term)
        if found == len(self.terms) or self.terms[found] != term:
            return self.passages[:0], self.counts[:0]
        start, end = int(self.starts[found]), int(self.starts[found + 1])
        return self.passages[start:end], self.counts[start:end]


class _Terms(Sequence[str]):
    """The terms of a table, read one by one as a search by halves asks for them, or in order."""

    def __init__(self, table: pa.Table) -> None:
        self._table = table
        self._rows = Rows(table)
        self._size = int(table.num_rows)

    def __iter__(self) -> Iterator[str]:
        for batch in self._table.to_batches():
            yield from batch.column("term").to_pylist()

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, index: int) -> str:  # type: ignore[override]
        return str(self._rows.value(index, "term"))


def count_words(texts: Iterable[str], stopwords: frozenset[str]) -> Postings:
    """The postings of passages."""
    numbers: dict[str, int] = {}
    passages: list[int] = []
    terms: list[int] = []
    counts: list[int] = []
    lengths: list[int] = []
    for passage, text in enumerate(texts):
        found = Counter(word for _, _, word in words_of(text) if word not in stopwords)
        lengths.append(found.total())
        for word, count in found.items():
            passages.append(passage)
            terms.append(numbers.setdefault(word, len(numbers)))
            counts.append(count)
    names = sorted(numbers)
    ranks = np.empty(len(names), dtype=np.int64)
    ranks[[numbers[name] for name in names]] = np.arange(len(names))
    return _sorted(
        names,
        ranks[np.asarray(terms, dtype=np.int64)],
        np.asarray(passages, dtype=np.int32),
        np.asarray(counts, dtype=np.int32),
        np.asarray(lengths, dtype=np.int32),
    )


def merge(parts: Sequence[Postings], kept: Sequence[NDArray[np.bool_]]) -> Postings:
    """The postings of the passages that are kept of several segments, one after another.

    Takes 8 bytes for each entry, and some 30 for each of the largest segment while it is copied.
    """
    names = sorted(set().union(*(part.terms for part in parts)))
    numbers = {name: number for number, name in enumerate(names)}
    owns = [np.asarray([numbers[name] for name in part.terms], dtype=np.int64) for part in parts]
    sizes = [_kept_sizes(part, keep) for part, keep in zip(parts, kept, strict=True)]
    totals = np.zeros(len(names), dtype=np.int64)
    for own, size in zip(owns, sizes, strict=True):
        totals[own] += size
    ends = np.cumsum(totals)
    free = ends - totals  # where the next entry of each term goes
    num_entries = int(ends[-1]) if len(ends) else 0
    passages, counts = np.empty(num_entries, np.int32), np.empty(num_entries, np.int32)
    before = 0
    for part, keep, own, size in zip(parts, kept, owns, sizes, strict=True):
        stays = keep[part.passages]
        places = np.repeat(free[own] - (np.cumsum(size) - size), size) + np.arange(size.sum())
        new = np.cumsum(keep) - 1 + before  # number of each passage that is kept
        passages[places] = new[part.passages[stays]]
        counts[places] = part.counts[stays]
        free[own] += size
        before += int(keep.sum())
    used = np.flatnonzero(totals)
    lengths = [part.lengths[keep] for part, keep in zip(parts, kept, strict=True)]
    return Postings(
        [names[number] for number in used.tolist()],
        np.concatenate([[0], ends[used]]).astype(np.int64),
        passages,
        counts,
        np.concatenate(lengths),
    )


def _kept_sizes(part: Postings, keep: NDArray[np.bool_]) -> NDArray[np.int64]:
    """(terms,) entries of each term whose passage is kept."""
    before = np.concatenate([[0], np.cumsum(keep[part.passages])])
    sizes: NDArray[np.int64] = before[part.starts[1:]] - before[part.starts[:-1]]
    return sizes


def _sorted(
    names: Sequence[str], terms: NDArray[np.int64], passages: Ints, counts: Ints, lengths: Ints
) -> Postings:
    """By term, then by passage, in which order the entries of a term come."""
    order = np.argsort(terms, kind="stable")
    sizes = np.bincount(terms, minlength=len(names))
    starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    return Postings(names, starts, passages[order], counts[order], lengths)


def write(folder: Path, postings: Postings) -> None:
    """Writes a segment's postings."""
    write_table(folder / TERMS, pa.table({"term": list(postings.terms)}, _TERM_SCHEMA))
    write_array(folder / STARTS, postings.starts)
    write_array(folder / PASSAGES, postings.passages)
    write_array(folder / COUNTS, postings.counts)
    write_array(folder / LENGTHS, postings.lengths)


def read(folder: Path, num_passages: int, *, whole: bool) -> Postings:
    """A segment's postings, memory-mapped; if `whole` every number is checked.

    Raises:
        DataError: They do not fit together.
    """
    starts = open_array(folder / STARTS, np.int64, (None,))
    passages = open_array(folder / PASSAGES, np.int32, (None,))
    counts = open_array(folder / COUNTS, np.int32, passages.shape)
    lengths = open_array(folder / LENGTHS, np.int32, (num_passages,))
    terms = open_table(folder / TERMS, _TERM_SCHEMA, len(starts) - 1, whole=whole)
    fits = len(starts) > 0 and starts[0] == 0 and starts[-1] == len(passages)
    if whole and fits:
        rising = bool((np.diff(starts) >= 0).all())
        inside = len(passages) == 0 or (passages.min() >= 0 and passages.max() < num_passages)
        fits = rising and bool(inside)
    if not fits:
        raise DataError(f"{folder}: the word counts do not fit together. Do not trust this index.")
    return Postings(_Terms(terms), starts, passages, counts, lengths)
