"""Quality filters: which documents are no good text."""

from __future__ import annotations

import re
from collections.abc import Callable

from unmask.data.config import FilterConfig

_LETTER = re.compile(r"[^\W\d_]")
_SYMBOL = re.compile(r"#|\.\.\.|…")
_BULLETS = ("-", "*", "•", "‣", "◦", "●", "▪")
_ELLIPSES = ("...", "…")

Measure = Callable[[str], float]


class Filters:
    """The filters that are switched on, in the order of their settings."""

    def __init__(self, config: FilterConfig) -> None:
        """Keeps the settings that are not None; each counts under its own name."""
        values = config.model_dump(exclude_none=True)
        self._bounds = [
            (name, _MEASURES[name.split("_", 1)[1]], float(value), name.startswith("min_"))
            for name, value in values.items()
        ]

    def failed_by(self, text: str) -> str | None:
        """The name of the first filter that leaves this document out, None if all let it pass."""
        for name, measure, bound, is_least in self._bounds:
            value = measure(text)
            if value < bound if is_least else value > bound:
                return name
        return None


def _characters(text: str) -> float:
    return len(text)


def _words(text: str) -> float:
    return len(text.split())


def _mean_word_length(text: str) -> float:
    words = text.split()
    return sum(map(len, words)) / max(1, len(words))


def _alphabetic_words(text: str) -> float:
    words = text.split()
    return sum(_LETTER.search(word) is not None for word in words) / max(1, len(words))


def _symbol_rate(text: str) -> float:
    return len(_SYMBOL.findall(text)) / max(1, len(text.split()))


def _bullet_lines(text: str) -> float:
    lines = _lines(text)
    return sum(line.startswith(_BULLETS) for line in lines) / max(1, len(lines))


def _ellipsis_lines(text: str) -> float:
    lines = _lines(text)
    return sum(line.endswith(_ELLIPSES) for line in lines) / max(1, len(lines))


def _repeated_lines(text: str) -> float:
    lines = _lines(text)
    return 1 - len(set(lines)) / len(lines) if lines else 0.0


def _lines(text: str) -> list[str]:
    stripped = (line.strip() for line in text.split("\n"))
    return [line for line in stripped if line]


_MEASURES: dict[str, Measure] = {
    "characters": _characters,
    "words": _words,
    "mean_word_length": _mean_word_length,
    "alphabetic_words": _alphabetic_words,
    "symbol_rate": _symbol_rate,
    "bullet_lines": _bullet_lines,
    "ellipsis_lines": _ellipsis_lines,
    "repeated_lines": _repeated_lines,
}
