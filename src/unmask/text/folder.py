"""A tokenizer on disk, in Hugging Face's layout: tokenizer.json, or vocab.txt and settings."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from unmask.errors import DataError, writing
from unmask.text.config import TokenizerConfig
from unmask.text.special import SpecialTokens
from unmask.text.wordpiece import CONTINUATION, build

FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt")
"""What a tokenizer is saved as."""

_Made = TypeVar("_Made")
_ENDLESS = 10**9
"""Lengths from here on mean "none": transformers writes 1e30 for a missing limit."""


@dataclass(frozen=True)
class Stored:
    """What a folder says about a tokenizer."""

    backend: Tokenizer
    special: SpecialTokens
    model_max_length: int | None
    place: str
    """The file that the vocabulary came from, for messages."""
    closes_spaces: bool
    """Whether decoding is followed by `Tokenizer`'s second clean-up of spaces."""


def read(path: Path) -> Stored:
    """Reads a folder (tokenizer.json first, then vocab.txt) or one of these files.

    Raises:
        DataError: Nothing there, or something that is not a WordPiece tokenizer.
    """
    file = _file(path)
    settings = _settings(file.parent)
    place = str(file)
    if file.suffix == ".json":
        backend = _backend(_text(file), place)
        special = SpecialTokens.from_settings(settings, place)
        special = SpecialTokens(
            special.pad, backend.model.unk_token, special.cls, special.sep, special.mask
        )
    else:
        special = SpecialTokens.from_settings(settings, place)
        vocabulary = _vocabulary(_text(file), place)
        config = _config(settings, str(file.parent / "tokenizer_config.json"))
        backend = guarded(place, lambda: build(vocabulary, config, special))
    length = settings.get("model_max_length")
    has_limit = isinstance(length, int) and 0 < length < _ENDLESS
    closes_spaces = settings.get("clean_up_tokenization_spaces") is True
    return Stored(backend, special, length if has_limit else None, place, closes_spaces)


def guarded(place: str, make: Callable[[], _Made]) -> _Made:
    """Calls into `tokenizers`, whose errors are bare `Exception`s or Rust panics.

    Raises:
        DataError: Whatever it raised; a panic derives from BaseException.
    """
    try:
        return make()
    except (KeyboardInterrupt, SystemExit, MemoryError, DataError):
        raise
    except BaseException as error:
        raise DataError(
            f"{place}: not a tokenizer that `tokenizers` can use ({str(error)[:200]}). "
            "Expected a WordPiece tokenizer.json or a vocab.txt with one token a line."
        ) from error


def _file(path: Path) -> Path:
    if path.is_dir():
        for name in ("tokenizer.json", "vocab.txt"):
            if (path / name).is_file():
                return path / name
        raise DataError(
            f"{path}: no tokenizer here; expected tokenizer.json or vocab.txt. "
            "Train one with `unmask tokenizer TEXT --output DIR`."
        )
    if not path.is_file():
        raise DataError(
            f"{path}: no such file or folder; expected a tokenizer's folder, "
            "a tokenizer.json or a vocab.txt."
        )
    return path


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")  # line ends become \n here
    except UnicodeDecodeError as error:
        raise DataError(
            f"{file}: byte {error.start} is not UTF-8; expected UTF-8 text. Convert the file."
        ) from error
    except OSError as error:
        raise DataError(f"{file}: cannot be read ({error.strerror}).") from error


def _object(text: str, place: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except RecursionError as error:
        raise DataError(f"{place}: nested too deeply for a tokenizer's file.") from error
    except ValueError as error:
        raise DataError(f"{place}: broken JSON ({error}). Copy the file again.") from error
    if not isinstance(value, dict):
        raise DataError(f"{place}: holds a JSON {type(value).__name__}; expected an object.")
    return value


def _settings(folder: Path) -> dict[str, Any]:
    """special_tokens_map.json overlaid by tokenizer_config.json, where they are there."""
    merged: dict[str, Any] = {}
    for name in ("special_tokens_map.json", "tokenizer_config.json"):
        if (folder / name).is_file():
            merged |= _object(_text(folder / name), str(folder / name))
    return merged


def _config(settings: dict[str, Any], place: str) -> TokenizerConfig:
    names = {
        "do_lower_case": "lowercase",
        "strip_accents": "strip_accents",
        "tokenize_chinese_chars": "split_chinese_characters",
    }
    given = {names[key]: settings[key] for key in names if settings.get(key) is not None}
    for key in names:
        if not isinstance(settings.get(key), bool | None):
            raise DataError(f"{place}: `{key}` is {settings[key]!r:.80}; expected true or false.")
    return TokenizerConfig(**given)


def _vocabulary(text: str, place: str) -> dict[str, int]:
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


def _backend(text: str, place: str) -> Tokenizer:
    model = _object(text, place).get("model")
    kind = model.get("type", "WordPiece") if isinstance(model, dict) else None
    if kind != "WordPiece":
        raise DataError(
            f"{place}: the model is `{kind}`; only WordPiece (BERT's kind) is supported."
        )
    backend = guarded(place, lambda: Tokenizer.from_str(text))
    if not isinstance(backend.model, models.WordPiece):
        raise DataError(f"{place}: the model is not WordPiece, the only kind supported.")
    ids = sorted(backend.get_vocab(with_added_tokens=True).values())
    gap = next((i for i, found in enumerate(ids) if i != found), None)
    if gap is not None:
        raise DataError(
            f"{place}: the vocabulary of {len(ids)} entries has no id {gap}; expected the ids "
            f"0..{len(ids) - 1}, each once."
        )
    return backend


def write(
    path: Path,
    backend: Tokenizer,
    special: SpecialTokens,
    model_max_length: int | None,
    *,
    closes_spaces: bool,
) -> None:
    """Writes the `FILES`.

    Raises:
        MachineError: The folder cannot be written.
    """
    names = {f"{role}_token": text for role, text in vars(special).items() if text is not None}
    settings: dict[str, Any] = {"tokenizer_class": _transformers_class(backend), **names}
    normalizer = backend.normalizer
    if isinstance(normalizer, normalizers.BertNormalizer):
        settings["do_lower_case"] = normalizer.lowercase
        settings["strip_accents"] = normalizer.strip_accents
        settings["tokenize_chinese_chars"] = normalizer.handle_chinese_chars
    if model_max_length is not None:
        settings["model_max_length"] = model_max_length
    if closes_spaces:
        settings["clean_up_tokenization_spaces"] = True
    tokens = sorted(backend.get_vocab().items(), key=lambda item: item[1])
    texts = (
        backend.to_str(pretty=True) + "\n",
        json.dumps(settings, indent=2, sort_keys=True) + "\n",
        json.dumps(names, indent=2, sort_keys=True) + "\n",
        "".join(f"{token}\n" for token, _ in tokens),
    )
    with writing(path):
        path.mkdir(parents=True, exist_ok=True)
        for name, text in zip(FILES, texts, strict=True):
            (path / name).write_text(text, encoding="utf-8", newline="\n")


def _transformers_class(backend: Tokenizer) -> str:
    """BertTokenizer builds its own parts from the settings, so only for those that it can say."""
    normalizer = backend.normalizer
    plain = (
        isinstance(normalizer, normalizers.BertNormalizer)
        and normalizer.clean_text
        and isinstance(backend.pre_tokenizer, pre_tokenizers.BertPreTokenizer)
        and backend.model.continuing_subword_prefix == CONTINUATION
        and backend.model.max_input_chars_per_word == models.WordPiece().max_input_chars_per_word
    )
    return "BertTokenizer" if plain else "PreTrainedTokenizerFast"
