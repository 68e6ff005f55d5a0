"""The home of an index in a folder of its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Self

from unmask.checkpoint.lock import LOCK
from unmask.errors import UsageError, writing
from unmask.search.documents import Chunked, Passage
from unmask.search.embedder import Vectors
from unmask.search.filters import Condition
from unmask.search.folder.changes import build_approximate, drop_dead, put_together, without
from unmask.search.folder.committing import Commits, locked
from unmask.search.folder.manifest import SEGMENTS, TEMPORARY, Manifest, is_index
from unmask.search.folder.snapshot import Snapshot
from unmask.search.folder.tiers import PENDING, cut, groups_of
from unmask.search.folder.writing import write_segment
from unmask.search.store import About, Counts, Key, Match


class FolderStore:
    """An index that is memory-mapped; immutable segments, and a manifest of those that count."""

    def __init__(self, folder: Path, *, whole: bool = True) -> None:
        """Opens an index that is there; if `whole` every file's hash is compared.

        Raises:
            DataError: No index, or one that is damaged.
        """
        self._commits = Commits(folder, whole=whole)
        self._num_new = 0  # segments of this run that have not been put together

    @classmethod
    def create(cls, folder: Path, about: About) -> Self:
        """Makes an empty index.

        Raises:
            UsageError: Something else lies there.
            MachineError: The folder cannot be made.
        """
        if folder.exists() and not folder.is_dir():
            raise UsageError(f"{folder}: is a file; choose another folder for the index.")
        _refuse_taken(folder)
        manifest = Manifest(
            model=about.model,
            model_sha256=about.sha256,
            dimension=about.dimension,
            config=about.config,
        )
        with locked(folder):
            _refuse_taken(folder)  # by another process since
            with writing(folder):
                (folder / SEGMENTS).mkdir(parents=True, exist_ok=True)
            manifest.write(folder)
        return cls(folder)

    @property
    def place(self) -> str:
        """The folder."""
        return str(self._commits.folder)

    @property
    def about(self) -> About:
        """What it was made by and how."""
        return self._commits.now.manifest.about

    def alone(self) -> AbstractContextManager[None]:
        """See `VectorStore.alone`."""
        return self._commits.alone()

    def known(self, ids: Sequence[str]) -> dict[str, str]:
        """See `VectorStore.known`."""
        found = ((name, self._commits.now.find(name)) for name in ids)
        return {name: where[2] for name, where in found if where is not None}

    def add(self, documents: Sequence[Chunked], vectors: Vectors) -> None:
        """See `VectorStore.add`; a kill keeps all of them or none."""
        if not documents:
            return
        commits = self._commits
        with commits.alone():
            path = commits.path(commits.now.manifest.next_segment)
            entry = write_segment(path, documents, vectors, self.about.config.bm25)
            commits.commit([*without(commits, (one.document.id for one in documents)), entry])
            self._num_new += 1
            if self._num_new >= PENDING:
                sizes = self._sizes()
                put_together(commits, cut(sizes, max(0, len(sizes) - self._num_new)))
                self._num_new = 0

    def delete(self, ids: Iterable[str]) -> int:
        """See `VectorStore.delete`."""
        with self._commits.alone():
            before = self.count().documents
            entries = without(self._commits, ids)
            if entries != list(self._commits.now.manifest.segments):
                self._commits.commit(entries)
            return before - self.count().documents

    def search(
        self, queries: Vectors, top_k: int, conditions: Sequence[Condition]
    ) -> list[list[Match]]:
        """See `VectorStore.search`."""
        return self._commits.now.search(queries, top_k, conditions)

    def search_words(
        self, queries: Sequence[str], top_k: int, conditions: Sequence[Condition]
    ) -> list[list[Match]]:
        """See `VectorStore.search_words`."""
        return self._commits.now.search_words(queries, top_k, conditions)

    def passages(self, keys: Sequence[Key]) -> dict[Key, Passage]:
        """See `VectorStore.passages`."""
        return {key: self._commits.now.passage(int(key)) for key in keys}

    def fields(self) -> set[str]:
        """See `VectorStore.fields`."""
        return self._commits.now.fields()

    def count(self) -> Counts:
        """See `VectorStore.count`."""
        return self._commits.now.count()

    def finish(self) -> Mapping[str, Any]:
        """Puts small segments together and builds what finds the nearest in large ones."""
        with self._commits.alone():
            put_together(self._commits, groups_of(self._sizes()))
            drop_dead(self._commits)
            build_approximate(self._commits)
        self._num_new = 0
        return self.figures()

    def compact(self) -> Mapping[str, Any]:
        """As `finish`, but puts everything together, as far as segments may grow."""
        with self._commits.alone():
            put_together(self._commits, cut(self._sizes(), 0))
            drop_dead(self._commits, 0.0)
            build_approximate(self._commits)
        self._num_new = 0
        return self.figures()

    def figures(self) -> dict[str, Any]:
        """How the nearest are found, and what share of them: the least of all segments."""
        found = [one.approximate for one in self._commits.now.manifest.segments]
        entries = [entry for entry in found if entry is not None]
        if not entries:
            return {"kind": "exact", "recall": 1.0}
        worst = min(entries, key=lambda entry: entry.recall)
        return {
            "kind": worst.factory,
            "recall": worst.recall,
            "recall_at": worst.neighbours,
            "recall_sample": sum(entry.sample for entry in entries),
            "effort": worst.effort,
        }

    def close(self) -> None:
        """Lets go of the files."""
        self._commits.now = Snapshot(self._commits.now.manifest, ())

    def _sizes(self) -> list[int]:
        return [entry.live_passages for entry in self._commits.now.manifest.segments]


def _refuse_taken(folder: Path) -> None:
    """No index goes over another one, or over something else.

    Raises:
        UsageError: It would.
    """
    if is_index(folder):
        raise UsageError(f"{folder}: holds an index already; open it to add to it.")
    there = {path.name for path in folder.iterdir()} if folder.exists() else set()
    if there - {SEGMENTS, TEMPORARY, LOCK}:
        raise UsageError(
            f"{folder}: holds something else, which stays untouched; choose another folder."
        )
