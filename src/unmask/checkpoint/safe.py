"""Looking at a stranger's file before anything is allocated for it or believed of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from safetensors import SafetensorError, safe_open

from unmask.errors import DataError

MAX_JSON_BYTES = 4 << 20
"""Of a config.json; real ones have a few kilobytes."""
MAX_INDEX_BYTES = 32 << 20
"""Of a shard index or a training state."""
MAX_HEADER_BYTES = 8 << 20
"""Of a safetensors header; BERT-large's has 0.05 MB, and the library itself would allow 100 MB."""
MAX_TENSORS = 50_000
"""Tensors of one file; BERT-large has some 400."""
_Json = TypeVar("_Json")


@dataclass(frozen=True)
class Entry:
    """One tensor of a safetensors file, known by its header."""

    file: Path
    name: str
    dtype: str
    """In safetensors' spelling: F32, BF16, I64."""
    shape: tuple[int, ...]


def contained(folder: Path, name: str) -> Path:
    """The file `name` directly inside `folder`, wherever a hub cache's link leads.

    Raises:
        DataError: The name is more than a file's name, or a link leads out of the folder.
    """
    if not name or name in (".", "..") or any(letter in name for letter in "/\\\0"):
        raise DataError(
            f"{folder}: the file name {name!r:.200} leads out of the folder; expected a plain "
            "name. Do not trust this download."
        )
    file = folder / name
    root = folder.resolve()
    if root.parent.name == "snapshots":
        root = root.parents[1]  # a hub cache: files are links into its own `blobs`
    if file.is_symlink() and not file.resolve().is_relative_to(root):
        raise DataError(
            f"{file}: a link that leads out of the folder, to {file.resolve()}; expected the file "
            "itself. Copy the file here if you trust it."
        )
    return file


def read_object(file: Path, max_bytes: int) -> dict[str, Any]:
    """A JSON object from a file of bounded size, without duplicate keys.

    Raises:
        DataError: Not there, too large, not UTF-8, not JSON, too deep, or no object.
    """
    return parse_object(_read(file, max_bytes), str(file))


def read_list(file: Path, max_bytes: int) -> list[Any]:
    """As `read_object`, of a file that holds a JSON list.

    Raises:
        DataError: See `read_object`.
    """
    return _parsed(_read(file, max_bytes), str(file), list, "a list")


def write_object(file: Path, fields: Mapping[str, Any], max_bytes: int) -> None:
    """Writes a JSON object that `read_object` takes back.

    Raises:
        DataError: It is larger than `max_bytes`.
        ValueError: NaN or infinity, which JSON has no word for.
        OSError: As any write.
    """
    text = json.dumps(dict(fields), indent=2, sort_keys=True, allow_nan=False) + "\n"
    if len(text) > max_bytes:  # ASCII alone
        raise DataError(
            f"{file}: would have {len(text)} bytes, but such a file is read up to {max_bytes} "
            "only. Fewer or shorter labels make it smaller."
        )
    file.write_text(text, encoding="utf-8")


def parse_object(text: bytes, place: str) -> dict[str, Any]:
    """As `read_object`, from bytes; `place` stands in messages."""
    return _parsed(text, place, dict, "an object")


def _parsed(text: bytes, place: str, kind: type[_Json], called: str) -> _Json:
    """A JSON document of one kind without duplicate keys anywhere in it."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in found if names.count(name) > 1)
            raise DataError(
                f"{place}: the key {twice!r:.200} appears twice, so readers would disagree on "
                "what it holds; expected every key once. Do not trust this file."
            )
        return found

    try:
        value = json.loads(text.decode(), object_pairs_hook=unique)
    except RecursionError as error:
        raise DataError(f"{place}: JSON nested too deeply; do not trust this file.") from error
    except DataError:
        raise
    except ValueError as error:  # JSON, UTF-8, or an integer of thousands of digits
        raise DataError(
            f"{place}: broken JSON ({str(error)[:200]}). Copy the file again."
        ) from error
    if not isinstance(value, kind):
        raise DataError(f"{place}: holds a JSON {type(value).__name__}; expected {called}.")
    return value


def read_header(file: Path) -> dict[str, Entry]:
    """The tensors of a safetensors file by name, from its checked header.

    Raises:
        DataError: Not a safetensors file, truncated, or with a header that nobody writes.
    """
    try:
        with file.open("rb") as handle:
            length = int.from_bytes(handle.read(8), "little")
            if length > MAX_HEADER_BYTES:
                raise DataError(
                    f"{file}: claims a header of {length} bytes; expected at most "
                    f"{MAX_HEADER_BYTES}. Not a safetensors file, or not one to trust."
                )
            header = handle.read(length)
    except OSError as error:
        raise DataError(f"{file}: cannot be read ({error.strerror}).") from error
    if len(header) < length or length < 2:
        raise DataError(f"{file}: truncated inside its header; copy the file again.")
    fields = parse_object(header, f"{file} (header)")
    fields.pop("__metadata__", None)
    if len(fields) > MAX_TENSORS:
        raise DataError(
            f"{file}: holds {len(fields)} tensors; expected at most {MAX_TENSORS}. "
            "Do not trust this file."
        )
    _check_layout(file)
    return {
        name: Entry(file, name, field["dtype"], tuple(field["shape"]))
        for name, field in fields.items()
    }


def _check_layout(file: Path) -> None:
    """Sizes, offsets, gaps and overlaps are the library's to judge."""
    try:
        with safe_open(file, framework="pt"):
            pass
    except (SafetensorError, OSError) as error:
        raise DataError(
            f"{file}: not a whole safetensors file ({str(error)[:200]}). Copy the file again."
        ) from error


def _read(file: Path, max_bytes: int) -> bytes:
    if not file.is_file():
        raise DataError(f"{file}: no such file.")
    try:
        with file.open("rb") as handle:
            text = handle.read(max_bytes + 1)
    except OSError as error:
        raise DataError(f"{file}: cannot be read ({error.strerror}).") from error
    if len(text) > max_bytes:
        raise DataError(f"{file}: larger than {max_bytes} bytes, which no such file is.")
    return text
