"""What an index folder says about itself: model, settings, and the segments that count."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from unmask.data.manifest import FileEntry, describe
from unmask.errors import DataError, writing
from unmask.search.config import IndexConfig
from unmask.search.store import About

FILE_NAME = "manifest.json"
TEMPORARY = f"{FILE_NAME}.tmp"
SEGMENTS = "segments"
_MAX_BYTES = 64 << 20
_NAME = r"^[a-z0-9][a-z0-9.-]*$"
"""Of a file in a segment: no path leads out of it."""
_SHA256 = r"^[0-9a-f]{64}$"


class ApproximateEntry(BaseModel):
    """A faiss index over a segment's vectors, which could be made again from them."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    file: str = Field(pattern=_NAME)
    factory: str = Field(pattern=r"^[A-Za-z0-9_,]+$", max_length=40)
    """As `faiss.index_factory` reads it."""
    effort: int = Field(ge=0)
    """Of a graph the nodes kept in view (efSearch), of cells how many are looked into (nprobe)."""
    recall: float = Field(ge=0.0, le=1.0)
    """Share of the nearest vectors found, on a sample."""
    neighbours: int = Field(ge=1)
    """How many nearest vectors that was measured on."""
    sample: int = Field(ge=1)
    """How many stored vectors they were the nearest of."""


class SegmentEntry(BaseModel):
    """A folder of documents that never changes, but for those that are marked as deleted."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    name: str = Field(pattern=r"^\d{6,12}$")
    num_documents: int = Field(ge=1)
    num_passages: int = Field(ge=1)
    files: dict[Annotated[str, Field(pattern=_NAME)], FileEntry]
    deleted: str | None = Field(default=None, pattern=_NAME)
    """The file that lists the documents that are gone."""
    deleted_documents: int = Field(default=0, ge=0)
    deleted_passages: int = Field(default=0, ge=0)
    approximate: ApproximateEntry | None = None

    @property
    def live_passages(self) -> int:
        """Passages that can be found."""
        return self.num_passages - self.deleted_passages


class Manifest(BaseModel):
    """An index folder's table of contents."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    format: Literal["unmask index"] = "unmask index"
    version: Literal[1] = 1
    model: str
    model_sha256: str = Field(pattern=_SHA256)
    dimension: int = Field(ge=1, le=1 << 20)
    config: Annotated[IndexConfig, Field(strict=False)]
    segments: tuple[SegmentEntry, ...] = Field(default=(), strict=False)
    next_segment: int = Field(default=1, ge=1)
    """The number that no segment has had yet."""

    @property
    def about(self) -> About:
        """What the index was made by and how."""
        return About(self.model, self.model_sha256, self.dimension, self.config)

    def write(self, folder: Path) -> None:
        """Puts this manifest in the place of the one before, whole or not at all.

        Raises:
            MachineError: The disk is full, or the folder cannot be written.
        """
        final = folder / FILE_NAME
        temporary = folder / TEMPORARY
        with writing(folder):
            with temporary.open("w", encoding="utf-8", newline="\n") as file:
                file.write(self.model_dump_json(indent=1) + "\n")
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(final)
            sync(folder)

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """Reads it.

        Raises:
            DataError: Not there, or no manifest of ours.
        """
        path = folder / FILE_NAME
        try:
            with path.open("rb") as file:
                content = file.read(_MAX_BYTES + 1)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise DataError(
                f"{folder}: is no index ({FILE_NAME} is not there). Make one with `unmask index "
                "MODEL --input FILE --output DIR`."
            ) from error
        except OSError as error:
            raise DataError(f"{path}: cannot be read ({error.strerror}).") from error
        if len(content) > _MAX_BYTES:
            raise DataError(f"{path}: larger than {_MAX_BYTES} bytes, which no manifest is.")
        try:
            return cls.model_validate_json(content)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(map(str, first["loc"])) or "the file"
            raise DataError(
                f"{path}: damaged, or not the manifest of an index; {where}: {first['msg']}. Take "
                "another copy of the index, or index the documents again."
            ) from error


def is_index(folder: Path) -> bool:
    """Whether a folder has a manifest of ours, even of a damaged index."""
    try:
        with (folder / FILE_NAME).open("rb") as file:
            return b'"unmask index"' in file.read(2**12)
    except OSError:
        return False


def check_file(path: Path, expected: FileEntry, *, whole: bool) -> None:
    """Compares a file with its entry: its size, and if `whole` its hash.

    Raises:
        DataError: Missing, cut, or altered.
    """
    again = "Take another copy of the index, or index the documents again."
    try:
        size = path.stat().st_size
        if size != expected.bytes:
            raise DataError(
                f"{path}: has {size} bytes, the manifest says {expected.bytes}: the index is cut "
                f"off or damaged. {again}"
            )
        if whole and describe(path).sha256 != expected.sha256:
            raise DataError(
                f"{path}: altered since it was written (its sha256 is not the manifest's). {again}"
            )
    except FileNotFoundError as error:
        raise DataError(f"{path}: missing, though the manifest names it. {again}") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}).") from error


def sync(path: Path) -> None:
    """Waits until a file or a folder's names have reached the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
