"""A SentencePiece model file, read as data: pieces, scores and the normaliser's table.

The file is a protocol buffer (google/sentencepiece, `sentencepiece_model.proto`), of which only
the wire format's few rules are needed here. Whatever is wrong with it ends in one message; nothing
in it is run, and nothing is allocated that the file does not hold.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from unmask.errors import DataError

MAX_BYTES = 64 << 20
"""Of a model file; XLM-RoBERTa's, with 250,000 pieces, has 5 MB."""
CONTROL = 3
"""The type of pieces that no text gives."""
_UNIGRAM = 1
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_MODELS = {1: "Unigram", 2: "BPE", 3: "word", 4: "character"}

Value = int | bytes


@dataclass(frozen=True)
class Piece:
    """One entry of the vocabulary; its place is its id."""

    text: str
    score: float
    """Natural logarithm of its probability; 0 for pieces that are not learned."""
    kind: int


@dataclass(frozen=True)
class SentencePieceModel:
    """What a tokenizer is built from."""

    pieces: list[Piece]
    unk_id: int
    charsmap: bytes
    """The normaliser's compiled table, empty where text is not normalised."""
    byte_fallback: bool


def read_model(file: Path) -> SentencePieceModel:
    """Reads a Unigram model.

    Raises:
        DataError: The file is too large, cut, damaged, of another kind, or names a piece twice.
    """
    place = str(file)
    try:
        size = file.stat().st_size
        if size > MAX_BYTES:
            raise DataError(
                f"{place}: has {size:,} bytes; expected at most {MAX_BYTES:,} of a SentencePiece "
                "model. Is it one?"
            )
        data = file.read_bytes()
    except OSError as error:
        raise DataError(f"{place}: cannot be read ({error.strerror}).") from error
    return parse_model(data, place)


def parse_model(data: bytes, place: str) -> SentencePieceModel:
    """As `read_model`, from the bytes of a file."""
    try:
        return _model(data, place)
    except (IndexError, ValueError, struct.error) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(
            f"{place}: no whole SentencePiece model ({error}); it may be cut or damaged. Copy the "
            "file again."
        ) from error


def _model(data: bytes, place: str) -> SentencePieceModel:
    pieces: list[Piece] = []
    trainer: dict[int, Value] | None = None
    normaliser: dict[int, Value] | None = None
    for number, value in _fields(data):
        if number == 1:
            pieces.append(_piece(_as_bytes(value)))
        elif number == 2:
            trainer = dict(_fields(_as_bytes(value)))
        elif number == 3:
            normaliser = dict(_fields(_as_bytes(value)))
    if not pieces:
        raise ValueError("it holds no piece")
    # Both follow the pieces, and SentencePiece always writes them: a file cut between two fields is
    # known by their absence. The trainer's vocab_size is no sign, since tools that trim a published
    # vocabulary (airaria/TextPruner) leave the old number.
    if trainer is None or normaliser is None:
        lacking = "trainer" if trainer is None else "normaliser"
        raise ValueError(f"the settings of its {lacking}, which follow the pieces, are not there")
    kind = trainer.get(3, _UNIGRAM)
    if kind != _UNIGRAM:
        raise DataError(
            f"{place}: a SentencePiece model of kind {_MODELS.get(int(kind), kind)}; expected "
            "Unigram, as ALBERT, DeBERTa and XLM-RoBERTa have it."
        )
    unk_id = int(trainer.get(40, 0))
    if not 0 <= unk_id < len(pieces):
        raise ValueError(f"the unknown piece is number {unk_id} of {len(pieces)}")
    _require_unique(pieces, place)
    charsmap = _as_bytes(normaliser.get(2, b""))
    return SentencePieceModel(pieces, unk_id, charsmap, bool(trainer.get(35, 0)))


def _require_unique(pieces: list[Piece], place: str) -> None:
    seen: dict[str, int] = {}
    for i, piece in enumerate(pieces):
        first = seen.setdefault(piece.text, i)
        if first != i:
            raise DataError(
                f"{place}: piece `{piece.text}` has the ids {first} and {i}; expected one id a "
                "piece. Copy the file again."
            )


def _piece(data: bytes) -> Piece:
    found = dict(_fields(data))
    (score,) = struct.unpack("<f", _as_bytes(found.get(2, b"\0\0\0\0")))
    if not math.isfinite(score):
        raise ValueError(f"a piece has the score {score}")
    text = _as_bytes(found.get(1, b"")).decode()
    if not text:
        raise ValueError("a piece has no text")
    return Piece(text, score, int(found.get(3, 1)))


def _fields(data: bytes) -> Iterator[tuple[int, Value]]:
    """Number and value of each field of a message; bytes also for 32- and 64-bit numbers."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        wire = tag & 7
        if wire == _VARINT:
            number, at = _varint(data, at)
            yield tag >> 3, number
            continue
        if wire == _BYTES:
            size, at = _varint(data, at)
        elif wire in (_FIXED32, _FIXED64):
            size = 4 if wire == _FIXED32 else 8
        else:
            raise ValueError(f"byte {at} begins no field")
        if at + size > len(data):
            raise ValueError(f"a field of {size} bytes at byte {at} reaches past the end")
        yield tag >> 3, data[at : at + size]
        at += size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > 63:
            raise ValueError(f"a number at byte {at} is too long")


def _as_bytes(value: Value) -> bytes:
    if not isinstance(value, bytes):
        raise ValueError("a number stands where bytes were expected")
    return value
