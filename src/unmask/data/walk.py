"""The files under the paths that a user names; what we made ourselves is no text to learn from."""

from __future__ import annotations

import glob
import os
from itertools import takewhile
from pathlib import Path
from typing import NoReturn

from unmask.data.manifest import is_corpus
from unmask.data.rejects import KEPT
from unmask.data.staging import TEMPORARY
from unmask.errors import DataError


class Files:
    """Files to read, each once by whichever name comes first, and what was passed over."""

    def __init__(self) -> None:
        self.named: dict[Path, bool] = {}
        """Files in order, and whether the user named them, rather than their folder or a glob."""
        self.passed_over: list[Path] = []
        """Our own folders, and leftovers of our runs."""
        self._files: dict[str, Path] = {}  # by their real paths
        self._passed: set[str] = set()
        self._kinds: dict[Path, str | None] = {}

    def add(self, path: Path) -> None:
        """Adds a file, the files in a folder at any depth, or what a glob matches.

        Within a folder or a glob they are sorted by name. Hidden files and folders are left out,
        links to folders are followed, each folder is read once.

        Raises:
            DataError: Nothing is there, it is a folder of ours, or a folder cannot be read.
        """
        try:
            if path.is_dir():
                self._refuse_ours(path)
                self._add_folder(path)
            elif path.exists():
                self._add_file(path, named=True)
            elif glob.has_magic(str(path)):
                self._add_matches(path)
            else:
                raise DataError(f"{path}: no such file or folder.")
        except OSError as error:
            raise DataError(f"{path}: cannot be read ({error.strerror}).") from error

    def _refuse_ours(self, folder: Path) -> None:
        kind = self._kind(folder)
        if kind is not None:
            raise DataError(
                f"{folder}: is {kind}; expected text to read. Name its files one by one if they "
                "are what you mean."
            )

    def _add_file(self, path: Path, *, named: bool = False) -> None:
        first = self._files.setdefault(os.path.realpath(path), path)
        self.named[first] = self.named.get(first, False) or named

    def _pass_over(self, path: Path) -> None:
        real = os.path.realpath(path)
        if real not in self._passed:
            self._passed.add(real)
            self.passed_over.append(path)

    def _add_folder(self, folder: Path) -> None:
        found: list[Path] = []
        visited: set[str] = set()
        for root, folders, files in os.walk(folder, onerror=_refuse, followlinks=True):
            here = Path(root)
            real = os.path.realpath(here)
            if real in visited:
                folders.clear()
                continue
            visited.add(real)
            if _kind_of_ours(here, {*folders, *files}) is not None:
                self._pass_over(here)
                folders.clear()
                continue
            # Sorted, so that of two names of a folder always the same one is taken.
            folders[:] = sorted(name for name in folders if self._is_text(here / name))
            found += [here / name for name in files if self._is_text(here / name)]
        for path in sorted(found, key=Path.as_posix):
            self._add_file(path)

    def _is_text(self, path: Path) -> bool:
        if TEMPORARY in path.name or path.name.endswith(KEPT):
            self._pass_over(path)
            return False
        return not path.name.startswith(".")

    def _add_matches(self, pattern: Path) -> None:
        fixed = Path(*takewhile(lambda part: not glob.has_magic(part), pattern.parts))
        wild = pattern.relative_to(fixed)
        try:
            # Not `glob.glob`, whose ** follows links round and round.
            matches = sorted(fixed.glob(str(wild)), key=Path.as_posix)
        except ValueError as error:
            raise DataError(f"{pattern}: cannot be matched ({error}).") from error
        if matches:
            self._refuse_ours(fixed)
        for path in matches:
            parts = {*path.relative_to(fixed).parts} - {*wild.parts}
            if any(part.startswith(".") for part in parts):
                continue
            ours = self._ours_around(path, fixed)
            if ours is not None:
                self._pass_over(ours)
            elif self._is_text(path):
                if path.is_dir():
                    self._add_folder(path)
                elif path.is_file():
                    self._add_file(path)

    def _ours_around(self, path: Path, fixed: Path) -> Path | None:
        """The folder of ours that a match lies in, below what the glob names outright."""
        for folder in takewhile(lambda folder: folder != fixed, path.parents):
            if TEMPORARY in folder.name or self._kind(folder) is not None:
                return folder
        return None

    def _kind(self, folder: Path) -> str | None:
        """As `_kind_of_ours`; each folder is looked into once, whatever lies in it."""
        if folder not in self._kinds:
            self._kinds[folder] = _kind_of_ours(folder, {path.name for path in folder.iterdir()})
        return self._kinds[folder]


def _refuse(error: OSError) -> NoReturn:
    raise DataError(f"{error.filename}: cannot be read ({error.strerror}).") from error


def _kind_of_ours(folder: Path, names: set[str]) -> str | None:
    """What a folder with these names in it is, if it is no text; None if it may be."""
    if "manifest.json" in names and is_corpus(folder):
        return "a corpus"
    if "tokenizer.json" in names or names >= {"vocab.json", "merges.txt"}:
        return "a tokenizer or a model"
    if "metrics.jsonl" in names and any(
        name == "run.lock" or name.startswith("checkpoint-") for name in names
    ):
        return "a training run"
    return None
