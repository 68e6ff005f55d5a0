"""How much of a text stands in lines that repeat: headers, footers, licences."""

from __future__ import annotations

from collections import Counter

from unmask.text.words import drop_rarest

_MOST_LINES = 2**16
"""Distinct lines held; of what repeats often, none is lost by that."""
_COMPARED_CHARACTERS = 200
"""Lines are compared by their beginning, which bounds what is held of them."""
_PIECE_CHARACTERS = 2**18
_ALL_PIECES = 16
_EVERY_PIECE = 16
"""Of a text of more pieces than that, one in so many is counted: what stands in document after
document is found all the same, and counting slows preparation down."""
_SHOWN_CHARACTERS = 80


class RepeatedLines:
    """Counts lines over all documents, in bounded memory and little time.

    Of a large corpus it sees a sample, and where that has more distinct lines than are held, the
    rarest so far are forgotten: a line that stands twice, far apart, may be missed.
    """

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._held: list[str] = []
        self._num_held = 0
        self._num_pieces = 0
        self._num_characters = 0
        self._num_repeated = 0  # in lines that were forgotten since

    def add(self, text: str) -> None:
        """Counts the lines of one document."""
        self._held.append(text)
        self._num_held += len(text)
        if self._num_held > _PIECE_CHARACTERS:  # documents may be short, and a call takes time
            self._count()

    def rate(self) -> float:
        """Share of the characters seen that stand in lines which repeat an earlier one, or more."""
        self._count()
        return (self._num_repeated + _repeated(self._counts)) / max(1, self._num_characters)

    def most_frequent(self, number: int = 3) -> dict[str, int]:
        """The repeated lines that take most characters, shortened, and how often each was seen."""
        self._count()
        ranked = sorted(
            (line for line, count in self._counts.items() if count > 1 and line.strip()),
            key=lambda line: (-(self._counts[line] - 1) * len(line), line),
        )
        return {line.strip()[:_SHOWN_CHARACTERS]: self._counts[line] for line in ranked[:number]}

    def _count(self) -> None:
        texts, size = self._held, self._num_held
        self._held, self._num_held = [], 0
        self._num_pieces += size > 0
        if self._num_pieces > _ALL_PIECES and self._num_pieces % _EVERY_PIECE:
            return
        self._num_characters += size
        lines = "\n".join(texts).split("\n")
        self._counts.update([line[:_COMPARED_CHARACTERS] for line in lines])
        del self._counts[""]
        if len(self._counts) > _MOST_LINES:
            before = _repeated(self._counts)
            drop_rarest(self._counts, _MOST_LINES)
            self._num_repeated += before - _repeated(self._counts)


def _repeated(counts: Counter[str]) -> int:
    return sum((count - 1) * len(line) for line, count in counts.items() if count > 1)
