"""Changes of an index folder, one at a time, each there whole or not at all.

New files come first, then a new manifest takes the place of the old one, in one rename. A kill
before that loses what was in no manifest yet, and nothing else; what it leaves lying is swept away
by the next who writes. Readers need no lock.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from unmask.checkpoint.lock import RunLock
from unmask.data.manifest import FileEntry
from unmask.errors import UsageError, writing
from unmask.search.folder.manifest import SEGMENTS, Manifest, SegmentEntry, sync
from unmask.search.folder.snapshot import Snapshot


class Commits:
    """The index as it is now, and how it becomes another."""

    def __init__(self, folder: Path, *, whole: bool) -> None:
        """Opens an index that is there; if `whole` every file's hash is compared.

        Raises:
            DataError: No index, or one that is damaged.
        """
        self.folder = folder
        self._whole = whole
        self._trusted: dict[str, FileEntry] = {}
        self._is_alone = False
        self.now = Snapshot.open(folder, None, {}, whole=whole)

    def refresh(self) -> None:
        """Takes up what others have added or deleted.

        Raises:
            DataError: A file is damaged.
        """
        if Manifest.read(self.folder) != self.now.manifest:
            self.now = Snapshot.open(self.folder, self.now, self._trusted, whole=self._whole)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Nobody else writes meanwhile, and `now` is up to date; within itself it does nothing.

        Raises:
            UsageError: Somebody else does.
        """
        if self._is_alone:
            yield
            return
        with locked(self.folder):
            self._is_alone = True
            try:
                self.refresh()
                self.sweep()
                yield
            finally:
                self._is_alone = False

    def commit(self, entries: Sequence[SegmentEntry]) -> None:
        """From now on these segments are the index; their files are on the disk already.

        Raises:
            MachineError: The manifest cannot be written; nothing changed.
        """
        before = self.now.manifest
        following = max([before.next_segment, *(int(entry.name) + 1 for entry in entries)])
        changed = {"segments": tuple(entries), "next_segment": following}
        before.model_copy(update=changed).write(self.folder)
        self._trusted = {
            f"{entry.name}/{name}": file for entry in entries for name, file in entry.files.items()
        }
        self.refresh()

    def sweep(self) -> None:
        """Removes what is in no manifest; those who look at it keep what they have mapped."""
        known = {entry.name: entry for entry in self.now.manifest.segments}
        with writing(self.folder):
            (self.folder / SEGMENTS).mkdir(exist_ok=True)
        for path in (self.folder / SEGMENTS).iterdir():
            if path.name not in known:
                shutil.rmtree(path, ignore_errors=True)
                continue
            for file in path.iterdir():
                if file.name not in known[path.name].files:
                    file.unlink(missing_ok=True)

    def path(self, number: int) -> Path:
        """The folder of a segment to come."""
        return self.folder / SEGMENTS / f"{number:06}"

    @contextmanager
    def new_file(self, folder: Path, name: str) -> Iterator[Path]:
        """Gives the path of a file to be written in a segment's folder; then it is on the disk.

        Raises:
            MachineError: It cannot be written.
        """
        with writing(folder):
            yield folder / name
            sync(folder / name)
            sync(folder)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Nobody else writes an index in this folder meanwhile, or begins one.

    Raises:
        UsageError: Somebody else does.
    """
    lock = RunLock(folder)
    try:
        lock.__enter__()
    except UsageError as error:
        raise UsageError(
            f"{folder}: another process is adding to this index or deleting from it. Wait for it, "
            "or stop it."
        ) from error
    try:
        yield
    finally:
        lock.__exit__(None, None, None)
