"""Tagged sentences in CoNLL's columns (Tjong Kim Sang and De Meulder 2003)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import chain, islice

from unmask.data.labelled.blocks import BLANKS, DOCUMENT, Block, LineFault, blocks, misfit, tagged
from unmask.data.labelled.config import Column, LabelledConfig
from unmask.data.labelled.examples import TaggedExample
from unmask.data.labelled.files import LabelledFile, Line, lines
from unmask.data.labelled.words import joined
from unmask.data.rejects import Rejects
from unmask.errors import DataError

_PEEKED_LINES = 2000
"""Lines of a file's beginning whose most frequent number of columns is the file's."""
_COMMENT = re.compile(r"# (id|sent_id|text|newdoc|newpar)\b")
_BLANK_RUN = re.compile(r"[ \t]+")

Split = Callable[[str], list[str]]


def read(file: LabelledFile, config: LabelledConfig, rejects: Rejects) -> Iterator[TaggedExample]:
    """The sentences of a file of a word a line, its columns parted by tabs or by blanks.

    Blank lines part sentences, also lines of white space, and lines that begin with -DOCSTART-.
    A comment begins with "# " and has no tab where tabs part the columns, another number of
    columns where blanks do, or a first word such as `id`: so hashtags and the sign itself stay
    words. The text is the words, joined by a space. A file of one column has no tags.

    Raises:
        DataError: A column that is not there.
    """
    found = lines(file, config, rejects)
    peeked = list(islice(found, _PEEKED_LINES))
    split, width = _layout(peeked)
    word = _number(file, config.columns.words, 0, width)
    tag = _number(file, config.columns.tags, width - 1, width)
    is_tagged = config.labels != "none" and (width > 1 or config.columns.tags is not None)

    def example(block: Block) -> TaggedExample:
        for number, row in zip(block.numbers, block.rows, strict=True):
            if len(row) != width:
                raise misfit(number, row, width)
            if not row[word]:
                raise LineFault(number, row, "empty word")
            if is_tagged and not row[tag]:
                raise LineFault(number, row, "empty tag")
        text, spans = joined([row[word] for row in block.rows])
        tags = tuple(row[tag] for row in block.rows) if is_tagged else None
        line = block.numbers[0]
        return TaggedExample(str(line), text, spans, tags, f"{file}:{line}")

    def is_comment(text: str, _block: Block) -> bool:
        if not text.startswith("# "):
            return False
        return bool(_COMMENT.match(text)) or len(split(text)) != width

    sentences = blocks(chain(peeked, found), split, is_comment, rejects)
    return tagged(file, sentences, example, rejects)


def _layout(peeked: list[Line]) -> tuple[Split, int]:
    """How a line is split, and into how many columns."""
    texts = [line.text for line in peeked if line.text.strip(BLANKS)]
    texts = [text for text in texts if not text.startswith(("# ", DOCUMENT))]
    split = _by_tabs if texts and "\t" in texts[0] else _by_blanks
    widths = Counter(len(split(text)) for text in texts)
    return split, widths.most_common(1)[0][0] if widths else 1


def _by_tabs(text: str) -> list[str]:
    return text.split("\t")


def _by_blanks(text: str) -> list[str]:
    return _BLANK_RUN.split(text.strip(BLANKS))


def _number(file: LabelledFile, column: Column | None, default: int, width: int) -> int:
    if column is None:
        return default
    number = int(column) if isinstance(column, int) or column.isdecimal() else -1
    if not 0 <= number < width:
        raise DataError(
            f"{file}:1: no column `{column}`; found {width} columns without names. Expected a "
            f"number from 0 to {width - 1}."
        )
    return number
