"""An opened segment: documents, passages, vectors and word counts, memory-mapped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from unmask.data.manifest import FileEntry
from unmask.errors import DataError
from unmask.search import names
from unmask.search.documents import Passage
from unmask.search.embedder import Vectors
from unmask.search.filters import Condition
from unmask.search.folder import approximate, postings, texts
from unmask.search.folder.arrays import open_array
from unmask.search.folder.manifest import SegmentEntry, check_file
from unmask.search.folder.nearest import Found, exact

VECTORS = "vectors.npy"
FILES = frozenset({VECTORS, names.FILE, *texts.FILES, *postings.FILES})
"""Of every segment."""
_COMPARE = {
    "=": pc.equal,
    "<": pc.less,
    "<=": pc.less_equal,
    ">": pc.greater,
    ">=": pc.greater_equal,
}

Mask = NDArray[np.bool_]


class Segment:
    """One segment of an index, and which of its documents are gone.

    Everything is mapped at once: others may remove the files while they are looked at.
    """

    def __init__(
        self,
        folder: Path,
        entry: SegmentEntry,
        dimension: int,
        trusted: Mapping[str, FileEntry],
        *,
        whole: bool,
    ) -> None:
        """Opens the files that the entry names, after comparing their sizes, if `whole` hashes.

        `trusted` are files that were compared before.

        Raises:
            DataError: A file is missing, cut, altered, or does not fit the others.
        """
        self.folder = folder
        self.entry = entry
        _check_files(folder, entry, trusted, whole=whole)
        size, num_passages = entry.num_documents, entry.num_passages
        self.documents = texts.open_documents(folder, size, whole=whole)
        self.passages = texts.open_passages(folder, num_passages, whole=whole)
        self.fields = texts.open_fields(folder, size, whole=whole)
        self.postings = postings.read(folder, num_passages, whole=whole)
        self.name_hashes = open_array(folder / names.FILE, np.uint64, (size,))
        self.vectors: Vectors = open_array(folder / VECTORS, np.float32, (num_passages, dimension))
        self.counts: NDArray[np.int64] = self.documents["count"].to_numpy()
        self.owners: NDArray[np.int64] = self.passages["document"].to_numpy()
        self._check_numbers()
        self.deleted = self._open_deleted()
        self._approximate = self._open_approximate()
        self._rows = texts.Rows(self.documents), texts.Rows(self.passages)

    def changed(
        self, entry: SegmentEntry, trusted: Mapping[str, FileEntry], *, whole: bool
    ) -> Segment:
        """The segment as another entry has it, which names the same files of every segment.

        What is mapped stays, and is not looked at again: only what is gone, and what finds the
        nearest, is opened where it is new. Arguments and errors are those of opening it.
        """
        other = copy(self)
        for name in ("alive_documents", "alive"):
            vars(other).pop(name, None)
        other.entry = entry
        _check_files(self.folder, entry, {**self.entry.files, **trusted}, whole=whole)
        if entry.deleted != self.entry.deleted:
            other.deleted = other._open_deleted()
        if entry.approximate != self.entry.approximate:
            other._approximate = other._open_approximate()
        return other

    def _check_numbers(self) -> None:
        """What later serves as an index has to lie inside what it counts."""
        numbers = np.arange(self.entry.num_documents)
        if not (self.counts >= 1).all() or not np.array_equal(
            self.owners, np.repeat(numbers, self.counts)
        ):
            raise DataError(
                f"{self.folder}: passages and documents do not fit together. Do not trust this "
                "index."
            )

    def _open_deleted(self) -> NDArray[np.int64]:
        """(deleted,) rows of the documents that are gone, ascending."""
        if self.entry.deleted is None:
            return np.zeros(0, dtype=np.int64)
        path = self.folder / self.entry.deleted
        rows = open_array(path, np.int64, (self.entry.deleted_documents,))
        if len(rows) and not 0 <= rows.min() <= rows.max() < self.entry.num_documents:
            raise DataError(f"{path}: names documents that are not there. Do not trust this index.")
        return np.asarray(rows)

    def _open_approximate(self) -> approximate.Approximate | None:
        entry = self.entry.approximate
        if entry is None:
            return None
        return approximate.load(self.folder / entry.file, entry, self.vectors.shape)

    @cached_property
    def _names(self) -> names.Names:
        return names.Names(self.name_hashes, lambda row: str(self._rows[0].value(row, "id")))

    def find(self, name: str) -> tuple[int, str] | None:
        """The row of a document that is there, and its content's hash."""
        for row in self._names.rows(name):
            place = int(np.searchsorted(self.deleted, row))
            if place == len(self.deleted) or self.deleted[place] != row:
                return row, str(self._rows[0].value(row, "sha256"))
        return None

    @cached_property
    def alive_documents(self) -> Mask:
        """(documents,) True where it is there."""
        mask = np.ones(self.entry.num_documents, dtype=bool)
        mask[self.deleted] = False
        return mask

    @cached_property
    def alive(self) -> Mask | None:
        """(passages,) True where its document is there; None for all."""
        return self.alive_documents[self.owners] if len(self.deleted) else None

    def field_names(self) -> set[str]:
        """Fields with a value that can be compared, of deleted documents too."""
        names = self.fields.schema.names
        return {name.partition(":")[2] for name in names if ":" in name}

    def mask(self, conditions: Sequence[Condition]) -> Mask | None:
        """(passages,) True for what is there and fulfils the conditions; None for everything."""
        if not conditions:
            return self.alive
        documents = self.alive_documents.copy()
        for condition in conditions:
            documents &= self._holds(condition)
        return documents[self.owners]

    def _holds(self, condition: Condition) -> Mask:
        """(documents,) where a condition holds; see `filters.holds`."""
        is_number = condition.number is not None
        name = f"{texts.NUMBER if is_number else texts.TEXT}{condition.field}"
        wanted: Any = condition.number if is_number else condition.text
        negated = condition.operator == "!="
        if name not in self.fields.schema.names:
            return np.full(self.entry.num_documents, negated)
        column = self.fields[name]
        compare = _COMPARE["=" if negated else condition.operator]
        found = compare(column, pa.scalar(wanted, column.type))
        holds: Mask = pc.fill_null(found, False).to_numpy()
        return ~holds if negated else holds

    def search(self, queries: Vectors, top_k: int, mask: Mask | None) -> Found:
        """(Q, k) rows and scores of the nearest passages among those of `mask`."""
        if self._approximate is None:
            return exact(self.vectors, queries, top_k, mask)
        return self._approximate.search(self.vectors, queries, top_k, mask)

    def document_of(self, row: int) -> str:
        """The id of a passage's document."""
        return str(self._rows[0].value(int(self.owners[row]), "id"))

    def passage(self, row: int) -> Passage:
        """The passage in a row."""
        return texts.passage_at(*self._rows, row)


def _check_files(
    folder: Path, entry: SegmentEntry, trusted: Mapping[str, FileEntry], *, whole: bool
) -> None:
    others = {entry.deleted, entry.approximate and entry.approximate.file} - {None}
    if missing := (FILES | others) - entry.files.keys():
        raise DataError(
            f"{folder}: the manifest lists no {', '.join(map(str, missing))}. Do not trust this "
            "index."
        )
    for name, file in entry.files.items():
        check_file(folder / name, file, whole=whole and trusted.get(name) != file)
