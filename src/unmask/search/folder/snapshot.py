"""An index as one manifest has it: what searches look at, whatever is written meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from unmask.data.manifest import FileEntry
from unmask.errors import DataError
from unmask.search.documents import Passage
from unmask.search.embedder import Vectors
from unmask.search.filters import Condition, check_fields
from unmask.search.folder.bm25 import Part, Ranking
from unmask.search.folder.manifest import SEGMENTS, Manifest, SegmentEntry
from unmask.search.folder.nearest import Found, best, merge
from unmask.search.folder.segment import FILES, Mask, Segment
from unmask.search.store import Counts, Match

_ATTEMPTS = 5
"""At opening what others may be putting together just then."""


@dataclass(frozen=True)
class Snapshot:
    """A manifest and its segments; passages are numbered through all of them."""

    manifest: Manifest
    segments: tuple[Segment, ...]

    @classmethod
    def open(
        cls, folder: Path, before: Snapshot | None, trusted: dict[str, FileEntry], *, whole: bool
    ) -> Snapshot:
        """The index as it lies there; what `before` has open already is not opened again.

        `trusted` are files, by segment/name, that this process has just written.

        Raises:
            DataError: No index, or one that is damaged.
        """
        for attempt in range(_ATTEMPTS):
            manifest = Manifest.read(folder)
            try:
                return cls(manifest, _segments(folder, manifest, before, trusted, whole=whole))
            except DataError:
                # Somebody may have put segments together since the manifest was read.
                if attempt == _ATTEMPTS - 1 or Manifest.read(folder) == manifest:
                    raise
        raise AssertionError

    @cached_property
    def _starts(self) -> list[int]:
        """The number of each segment's first passage."""
        sizes = [segment.entry.num_passages for segment in self.segments]
        return [0, *np.cumsum(sizes).tolist()]

    def find(self, name: str) -> tuple[int, int, str] | None:
        """The number of the segment, the row, and the hash of a document that is there."""
        for number, segment in enumerate(self.segments):
            if (found := segment.find(name)) is not None:
                return number, *found
        return None

    def fields(self) -> set[str]:
        """Metadata fields that a condition may be on."""
        return set().union(*(segment.field_names() for segment in self.segments))

    def count(self) -> Counts:
        """Documents and passages that are there."""
        entries = self.manifest.segments
        return Counts(
            sum(entry.num_documents - entry.deleted_documents for entry in entries),
            sum(entry.live_passages for entry in entries),
        )

    def search(
        self, queries: Vectors, top_k: int, conditions: Sequence[Condition]
    ) -> list[list[Match]]:
        """See `VectorStore.search`."""
        parts: list[Found] = []
        for segment, mask, start in self._masked(conditions):
            rows, scores = segment.search(queries, min(top_k, segment.entry.num_passages), mask)
            parts.append((np.where(rows < 0, -1, rows + start), scores))
        return self._matches(parts, len(queries), top_k)

    def search_words(
        self, queries: Sequence[str], top_k: int, conditions: Sequence[Condition]
    ) -> list[list[Match]]:
        """See `VectorStore.search_words`."""
        parts = [Part(segment.postings, segment.alive) for segment in self.segments]
        ranking = Ranking(parts, self.manifest.config.bm25)
        masked = self._masked(conditions)
        found: list[list[Match]] = []
        for query in queries:
            ranked: list[Found] = []
            for (_, mask, start), scores in zip(masked, ranking.scores(query), strict=True):
                rows = np.flatnonzero(scores > 0 if mask is None else (scores > 0) & mask)
                ranked.append(best(rows[None] + start, scores[rows][None], top_k))
            found += self._matches(ranked, 1, top_k)
        return found

    def passage(self, key: int) -> Passage:
        """The passage of that number."""
        segment, row = self._placed(key)
        return segment.passage(row)

    def _masked(self, conditions: Sequence[Condition]) -> list[tuple[Segment, Mask | None, int]]:
        """Each segment, which of its passages may be found, and the number of its first one."""
        if conditions:
            check_fields(conditions, self.fields())
        return [
            (segment, segment.mask(conditions), start)
            for segment, start in zip(self.segments, self._starts, strict=False)
        ]

    def _matches(self, parts: list[Found], num_queries: int, top_k: int) -> list[list[Match]]:
        if not parts:
            return [[] for _ in range(num_queries)]
        rows, scores = merge(parts, top_k)
        return [
            [self._match(key, score) for key, score in zip(keys, found, strict=True) if key >= 0]
            for keys, found in zip(rows.tolist(), scores.tolist(), strict=True)
        ]

    def _match(self, key: int, score: float) -> Match:
        segment, row = self._placed(key)
        return Match(key, segment.document_of(row), score)

    def _placed(self, key: int) -> tuple[Segment, int]:
        number = int(np.searchsorted(self._starts, key, side="right")) - 1
        return self.segments[number], key - self._starts[number]


def _segments(
    folder: Path,
    manifest: Manifest,
    before: Snapshot | None,
    trusted: dict[str, FileEntry],
    *,
    whole: bool,
) -> tuple[Segment, ...]:
    opened = {} if before is None else {one.entry.name: one for one in before.segments}
    found = []
    for entry in manifest.segments:
        there = opened.get(entry.name)
        if there is not None and there.entry == entry:
            found.append(there)
            continue
        files = {
            name: trusted[f"{entry.name}/{name}"]
            for name in entry.files
            if f"{entry.name}/{name}" in trusted
        }
        if there is not None and _has_the_same(there.entry, entry):
            found.append(there.changed(entry, files, whole=whole))
            continue
        path = folder / SEGMENTS / entry.name
        found.append(Segment(path, entry, manifest.dimension, files, whole=whole))
    return tuple(found)


def _has_the_same(one: SegmentEntry, other: SegmentEntry) -> bool:
    """Whether two entries name the same documents, some of which may be gone."""
    return all(one.files.get(name) == other.files.get(name) for name in FILES)
