"""The files of a tokenizer read as data, every fault in them with its place."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from unmask.errors import DataError

_Made = TypeVar("_Made")


def guarded(place: str, make: Callable[[], _Made]) -> _Made:
    """Calls into `tokenizers`, whose errors are bare `Exception`s or Rust panics.

    Raises:
        DataError: Whatever it raised; a panic derives from BaseException.
    """
    try:
        return make()
    except (KeyboardInterrupt, SystemExit, MemoryError):
        raise
    except DataError as error:
        raise DataError(f"{place}: {error}" if place not in str(error) else str(error)) from error
    except BaseException as error:
        raise DataError(
            f"{place}: not a tokenizer that `tokenizers` can use ({str(error)[:200]}). "
            "Expected a tokenizer.json, a vocab.txt with one token a line, a vocab.json with "
            "merges.txt, or a SentencePiece model."
        ) from error


def read_text(file: Path) -> str:
    """A file's text, line ends as \\n, without a byte order mark."""
    try:
        return file.read_text(encoding="utf-8-sig")  # line ends become \n here
    except UnicodeDecodeError as error:
        raise DataError(
            f"{file}: byte {error.start} is not UTF-8; expected UTF-8 text. Convert the file."
        ) from error
    except OSError as error:
        raise DataError(f"{file}: cannot be read ({error.strerror}).") from error


def parse_object(text: str, place: str) -> dict[str, Any]:
    """A JSON object; of a key that stands twice the last counts, as everywhere."""
    found: dict[str, Any] = _parse(text, place, None)
    return found


def settings_of(folder: Path) -> dict[str, Any]:
    """special_tokens_map.json overlaid by tokenizer_config.json, where they are there."""
    merged: dict[str, Any] = {}
    for name in ("special_tokens_map.json", "tokenizer_config.json"):
        if (folder / name).is_file():
            merged |= parse_object(read_text(folder / name), str(folder / name))
    return merged


def flag(settings: dict[str, Any], key: str, default: bool, place: str) -> bool:
    """A switch of tokenizer_config.json.

    Raises:
        DataError: It is neither true nor false.
    """
    value = settings.get(key)
    if not isinstance(value, bool | None):
        raise DataError(f"{place}: `{key}` is {value!r:.80}; expected true or false.")
    return default if value is None else value


def vocabulary_of_lines(text: str, place: str) -> dict[str, int]:
    """Token to id, the line number from 0; only \\n ends a line (tokens may hold U+2028)."""
    lines = text.removesuffix("\n").split("\n")
    vocabulary: dict[str, int] = {}
    for i, token in enumerate(lines):
        if not token.strip():
            raise DataError(
                f"{place}:{i + 1}: blank line; expected one token a line, because a token's line "
                "is its id. Delete the line if it came in by mistake."
            )
        if token in vocabulary:
            raise DataError(
                f"{place}:{i + 1}: token `{token}` already stands on line "
                f"{vocabulary[token] + 1}; a token's line is its id, so it may appear only once."
            )
        vocabulary[token] = i
    return vocabulary


def vocabulary_of_object(text: str, place: str) -> dict[str, int]:
    """Token to id of a vocab.json: ids 0, 1, ..., each once.

    Raises:
        DataError: A token or an id that stands twice, an id that is no number, or a gap.
    """

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for i, name in enumerate(names) if name in names[:i])
            raise DataError(f"{place}: token `{twice}` stands twice; expected each token once.")
        return found

    vocabulary: dict[str, int] = _parse(text, place, once)
    owners: dict[int, str] = {}
    for token, i in vocabulary.items():
        if not isinstance(i, int) or isinstance(i, bool):
            raise DataError(f"{place}: `{token}` has the id {i!r:.80}; expected a number.")
        if i in owners:
            raise DataError(
                f"{place}: the tokens `{owners[i]}` and `{token}` have the same id {i}; expected "
                "an id of its own for each."
            )
        owners[i] = token
    require_no_gap(owners, place)
    return vocabulary


def require_no_gap(ids: Any, place: str) -> None:
    """Refuses ids other than 0, 1, 2, ..."""
    gap = next((i for i, found in enumerate(sorted(ids)) if i != found), None)
    if gap is not None:
        raise DataError(
            f"{place}: the vocabulary of {len(ids)} entries has no id {gap}; expected the ids "
            f"0..{len(ids) - 1}, each once."
        )


def merges_of_lines(text: str, vocabulary: dict[str, int], place: str) -> list[tuple[str, str]]:
    """The merges of a merges.txt, the most important first.

    Raises:
        DataError: A line that is not two tokens, or one that names or makes a token that the
            vocabulary does not have.
    """
    merges: list[tuple[str, str]] = []
    for number, line in enumerate(text.removesuffix("\n").split("\n"), 1):
        if not line or (number == 1 and line.startswith("#version")):
            continue
        parts = line.split(" ")
        if len(parts) != 2:
            raise DataError(
                f"{place}:{number}: {line!r:.80} has {len(parts)} part(s); expected two tokens "
                "with a blank between them."
            )
        left, right = parts
        missing = [token for token in (left, right, left + right) if token not in vocabulary]
        if missing:
            raise DataError(
                f"{place}:{number}: the merge of `{left}` and `{right}` needs `{missing[0]}`, "
                f"which is not among the {len(vocabulary)} tokens of vocab.json beside it. The two "
                "files belong together: copy both from the same place."
            )
        merges.append((left, right))
    return merges


def _parse(text: str, place: str, hook: Callable[[list[tuple[str, Any]]], Any] | None) -> Any:
    try:
        value = json.loads(text, object_pairs_hook=hook)
    except RecursionError as error:
        raise DataError(f"{place}: nested too deeply for a tokenizer's file.") from error
    except DataError:
        raise
    except ValueError as error:
        raise DataError(f"{place}: broken JSON ({error}). Copy the file again.") from error
    if not isinstance(value, dict):
        raise DataError(f"{place}: holds a JSON {type(value).__name__}; expected an object.")
    return value
