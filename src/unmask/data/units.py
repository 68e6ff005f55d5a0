"""Documents encoded in small units by several threads, in order.

Threads, because encoding runs outside Python's lock: they share one tokenizer and one process's
memory, and a program that prepares a corpus needs no `if __name__ == "__main__"`.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from unmask.data.sentences import split_in_parts
from unmask.text.tokenizer import Tokenizer

_UNIT_SENTENCES = 4096
_UNIT_CHARACTERS = 2**19


@dataclass(frozen=True)
class Encoded:
    """Whole documents as token ids; documents without any token are only counted."""

    tokens: npt.NDArray[np.uint32]
    """(N,) without special tokens."""
    document_ends: npt.NDArray[np.int64]
    """Past-the-end position of each document in the tokens, strictly ascending."""
    sentence_ends: npt.NDArray[np.int64]
    """The same of each sentence."""
    num_empty: int
    """Documents without any token."""


@dataclass(frozen=True)
class _Unit:
    """Some sentences, and which of them end a document; the last document may go on."""

    sentences: list[str]
    document_ends: list[int]
    """After how many of the sentences each document ends."""


@dataclass(frozen=True)
class _EncodedUnit:
    tokens: npt.NDArray[np.uint32]
    sentence_ends: npt.NDArray[np.int64]
    document_ends: npt.NDArray[np.int64]


def encode_all(
    texts: Iterable[str], tokenizer: Tokenizer, workers: int
) -> Generator[Encoded, None, None]:
    """The documents, encoded, in order; only a few units are held at a time.

    `workers` threads hand over units; where `tokie` encodes, each call uses all cores of the
    process (see `unmask.text.fast`), whatever their number. What a unit holds depends on the
    documents alone, not on the number of workers.
    """
    return _whole_documents(_encode_units(_units(texts), tokenizer, workers))


def _units(texts: Iterable[str]) -> Iterator[_Unit]:
    sentences: list[str] = []
    ends: list[int] = []
    size = 0
    for text in texts:
        for found in split_in_parts(text, _UNIT_SENTENCES):
            if len(sentences) + len(found) > _UNIT_SENTENCES:
                yield _Unit(sentences, ends)
                sentences, ends, size = [], [], 0
            sentences += found
        ends.append(len(sentences))
        size += len(text)
        if size > _UNIT_CHARACTERS:
            yield _Unit(sentences, ends)
            sentences, ends, size = [], [], 0
    if sentences:
        yield _Unit(sentences, ends)


def _encode_units(
    units: Iterable[_Unit], tokenizer: Tokenizer, workers: int
) -> Iterator[_EncodedUnit]:
    tokenizer.encode_bulk([])  # what it builds at its first use, it builds once
    with (
        _quick_turns(),
        ThreadPoolExecutor(workers, thread_name_prefix="encode") as threads,
    ):
        pending: deque[Future[_EncodedUnit]] = deque()
        try:
            for unit in units:
                pending.append(threads.submit(_encode, unit, tokenizer))
                if len(pending) > workers:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()


@contextmanager
def _quick_turns() -> Iterator[None]:
    """Lets an encoder that comes back for Python's lock wait 1 ms for it, not the usual 5.

    The thread that splits sentences never gives it up by itself; measured 15 to 20 % on 50 MB.
    """
    before = sys.getswitchinterval()
    sys.setswitchinterval(min(before, 0.001))
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def _encode(unit: _Unit, tokenizer: Tokenizer) -> _EncodedUnit:
    if tokenizer.kind != "WordPiece":
        return _encode_whole(unit, tokenizer)
    tokens, lengths = tokenizer.encode_bulk(unit.sentences)
    ends = np.cumsum(lengths)
    return _EncodedUnit(tokens, ends, ends[np.array(unit.document_ends, dtype=np.int64) - 1])


def _encode_whole(unit: _Unit, tokenizer: Tokenizer) -> _EncodedUnit:
    """Documents in one piece, because here a word has other ids where no blank is before it.

    A token belongs to the sentence that its last character is of. Only where a document goes on
    from another unit, once in thousands of sentences, does a word miss the blank before it.
    """
    bounds = sorted({0, *unit.document_ends, len(unit.sentences)})
    parts = [unit.sentences[i:j] for i, j in pairwise(bounds)]
    encoded = tokenizer.encode_many_with_offsets(["".join(part) for part in parts])
    sentence_ends: list[npt.NDArray[np.int64]] = []
    base = 0
    for part, found in zip(parts, encoded, strict=True):
        stops = np.array([stop for _, stop in found.offsets], dtype=np.int64)
        ends = np.cumsum([len(sentence) for sentence in part])
        numbers = np.searchsorted(stops, ends, side="right")
        numbers[-1] = len(stops)
        sentence_ends.append(base + numbers)
        base += len(stops)
    ids = [i for found in encoded for i in found.ids]
    ends = np.concatenate([np.zeros(0, dtype=np.int64), *sentence_ends])
    documents = np.array(unit.document_ends, dtype=np.int64) - 1
    return _EncodedUnit(np.array(ids, dtype=np.uint32), ends, ends[documents])


def _whole_documents(units: Iterable[_EncodedUnit]) -> Generator[Encoded, None, None]:
    """Joins units until a document ends; what follows waits for the next."""
    held: list[_EncodedUnit] = []
    for unit in units:
        held.append(unit)
        if len(unit.document_ends):
            joined = _join(held)
            stop = int(joined.document_ends[-1])
            last = int(np.searchsorted(joined.sentence_ends, stop, side="right"))
            held = [
                _EncodedUnit(
                    joined.tokens[stop:],
                    joined.sentence_ends[last:] - stop,
                    joined.document_ends[:0],
                )
            ]
            lengths = np.diff(joined.document_ends, prepend=0)
            sentence_ends = joined.sentence_ends[:last]
            yield Encoded(
                tokens=joined.tokens[:stop],
                document_ends=joined.document_ends[lengths > 0],
                sentence_ends=sentence_ends[np.diff(sentence_ends, prepend=0) > 0],
                num_empty=int((lengths == 0).sum()),
            )


def _join(units: list[_EncodedUnit]) -> _EncodedUnit:
    bases = np.cumsum([0, *(len(unit.tokens) for unit in units)])[:-1].tolist()
    pairs = list(zip(units, bases, strict=True))
    return _EncodedUnit(
        np.concatenate([unit.tokens for unit in units]),
        np.concatenate([unit.sentence_ends + base for unit, base in pairs]),
        np.concatenate([unit.document_ends + base for unit, base in pairs]),
    )
