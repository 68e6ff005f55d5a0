"""Where special tokens stand around one text or two: one value that every sequence is built by."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
import numpy.typing as npt
from tokenizers import Encoding
from tokenizers import Tokenizer as Backend

from unmask.errors import DataError

Ids = npt.NDArray[np.int64]

_PROBES = ("a", "the", "1", ".", "e", "中")
"""Texts of which one gives a token in any vocabulary seen so far."""


@dataclass(frozen=True)
class Layout:
    """`start` A `end`, and `start` A `between` B `end`, in token ids.

    BERT has `[CLS]`, `[SEP]`, `[SEP]` (Devlin et al. 2019, figure 2); RoBERTa `<s>`, `</s></s>`,
    `</s>` (fairseq, `RobertaHubInterface.encode`).
    """

    start: tuple[int, ...]
    """Never empty: the first of them stands for the whole sequence."""
    between: tuple[int, ...]
    end: tuple[int, ...]

    @classmethod
    def bert(cls, first: int, separator: int) -> Layout:
        """`[CLS]` A `[SEP]` B `[SEP]`."""
        return cls((first,), (separator,), (separator,))

    @property
    def single_cost(self) -> int:
        """Special tokens around one text."""
        return len(self.start) + len(self.end)

    @property
    def pair_cost(self) -> int:
        """Special tokens around two texts."""
        return self.single_cost + len(self.between)

    def single(self, ids: Sequence[int] | Ids) -> Ids:
        """(T,) one text with its special tokens."""
        return _joined(self.start, ids, self.end)

    def opening(self, first: Sequence[int] | Ids) -> Ids:
        """(T,) the first of two texts, up to where the second begins."""
        return _joined(self.start, first, self.between)

    def pair(self, first: Sequence[int] | Ids, second: Sequence[int] | Ids) -> Ids:
        """(T,) two texts with their special tokens."""
        return _joined(self.start, first, self.between, second, self.end)


def read_layout(backend: Backend, place: str) -> Layout:
    """What the tokenizer's post-processor puts around texts, seen by what it does.

    Raises:
        DataError: Nothing before a text, one text enclosed otherwise than two, or something else
            than the two texts in their order between special tokens.
    """
    probe, ids = _probe(backend, place)
    pair, single = backend.encode(probe, probe), backend.encode(probe)
    owners = pair.sequence_ids
    first = [i for i, owner in enumerate(owners) if owner == 0]
    second = [i for i, owner in enumerate(owners) if owner == 1]
    if not first or not second or first[0] == 0 or first[-1] > second[0]:
        raise _strange(place, pair, "start A between B end, with a token before A")
    start, end = pair.ids[: first[0]], pair.ids[second[-1] + 1 :]
    between = pair.ids[first[-1] + 1 : second[0]]
    if pair.ids != [*start, *ids, *between, *ids, *end]:
        raise _strange(place, pair, "start A between B end")
    if single.ids != [*start, *ids, *end]:
        raise _strange(place, single, "one text between the same tokens as two")
    return Layout(tuple(start), tuple(between), tuple(end))


def _joined(*parts: Iterable[int] | Ids) -> Ids:
    return np.concatenate([np.asarray(part, dtype=np.int64) for part in parts])


def _probe(backend: Backend, place: str) -> tuple[str, list[int]]:
    words = chain(_PROBES, (token for token in backend.get_vocab() if token.isalnum()))
    for word in words:
        ids = backend.encode(word, add_special_tokens=False).ids
        if ids:
            return word, ids
    raise DataError(f"{place}: the vocabulary makes no token of any word; expected some.")


def _strange(place: str, encoding: Encoding, expected: str) -> DataError:
    return DataError(
        f"{place}: the post-processor encloses texts as {' '.join(encoding.tokens)}; expected "
        f"{expected}, as encoders have it. Is this an encoder's tokenizer?"
    )
