"""Tagged sentences in CoNLL-U (universaldependencies.org/format.html)."""

from __future__ import annotations

from collections.abc import Iterator

from unmask.data.labelled.blocks import Block, LineFault, blocks, misfit, tagged
from unmask.data.labelled.config import Column, LabelledConfig
from unmask.data.labelled.examples import TaggedExample
from unmask.data.labelled.files import LabelledFile, lines
from unmask.data.labelled.texts import Ids
from unmask.data.labelled.words import Spans, joined
from unmask.data.rejects import Rejects
from unmask.errors import DataError

COLUMNS = ("id", "form", "lemma", "upos", "xpos", "feats", "head", "deprel", "deps", "misc")
UNALIGNED = "with a `# text` that their words do not fit; rebuilt from the words"
"""The note that counts sentences whose text was made of their words."""
_ID, _FORM, _UPOS, _MISC = 0, 1, 3, 9
_NOTHING = "_"


def read(file: LabelledFile, config: LabelledConfig, rejects: Rejects) -> Iterator[TaggedExample]:
    """The sentences of a CoNLL-U file, by their syntactic words.

    The text is the comment `# text` if the words stand in it one after another, else the words
    with a space after each but those of SpaceAfter=No. Of a range ("2-3 don't") the words below it
    are read, and empty nodes ("8.1") are not. Where all UPOS are "_", there are no tags.

    Raises:
        DataError: A column that is not there.
    """
    tag = _column(file, config.columns.tags, _UPOS)
    form = _column(file, config.columns.words, _FORM)
    ids = Ids()

    def example(block: Block) -> TaggedExample:
        words, gaps = _words(block, form)
        given = tuple(row[tag] for row in block.rows if row[_ID].isdecimal())
        is_blind = config.labels == "none" or (tag == _UPOS and set(given) == {_NOTHING})
        text, spans = _laid_out(block, words, gaps, rejects)
        line = block.numbers[0]
        sentence = _comment(block, "sent_id")
        name = str(line) if sentence is None else ids.take(sentence, line)
        return TaggedExample(name, text, spans, None if is_blind else given, f"{file}:{line}")

    found = lines(file, config, rejects)
    sentences = blocks(found, lambda text: text.split("\t"), _is_comment, rejects)
    return tagged(file, sentences, example, rejects)


def _is_comment(text: str, block: Block) -> bool:
    return text.startswith("#") and not block.rows


def _column(file: LabelledFile, column: Column | None, default: int) -> int:
    if column is None:
        return default
    if isinstance(column, str) and column.lower() in COLUMNS:
        return COLUMNS.index(column.lower())
    if str(column).isdecimal() and int(column) < len(COLUMNS):
        return int(column)
    raise DataError(
        f"{file}:1: CoNLL-U has no column `{column}`; expected {', '.join(COLUMNS)}, or a number "
        f"from 0 to {len(COLUMNS) - 1}."
    )


def _words(block: Block, form: int) -> tuple[list[str], list[bool]]:
    """The syntactic words, and whether a space follows each.

    Raises:
        LineFault: A line that is not one of CoNLL-U's.
    """
    words: list[str] = []
    gaps: list[bool] = []
    last_of_range, range_has_gap = 0, True
    for line, row in zip(block.numbers, block.rows, strict=True):
        if len(row) != len(COLUMNS):
            raise misfit(line, row, len(COLUMNS))
        number = row[_ID]
        has_gap = "SpaceAfter=No" not in row[_MISC].split("|")
        if number.isdecimal():
            if int(number) != len(words) + 1:
                raise LineFault(line, row, "broken id", f"`{number}`, expected {len(words) + 1}")
            if not row[form]:
                raise LineFault(line, row, "empty word")
            words.append(row[form])
            gaps.append(range_has_gap if int(number) == last_of_range else has_gap)
            continue
        first, sign, last = number.replace(".", "-").partition("-")
        if not (sign and first.isdecimal() and last.isdecimal()):
            raise LineFault(line, row, "broken id", f"`{number[:20]}`")
        if "-" in number:
            last_of_range, range_has_gap = int(last), has_gap
    if not words:
        raise LineFault(block.numbers[0], block.rows[0], "no words")
    return words, gaps


def _laid_out(
    block: Block, words: list[str], gaps: list[bool], rejects: Rejects
) -> tuple[str, Spans]:
    text = _comment(block, "text")
    if text is None:
        return joined(words, gaps)
    spans = _aligned(text, words)
    if spans is None:
        rejects.notes[UNALIGNED] += 1
        return joined(words, gaps)
    return text, spans


def _aligned(text: str, words: list[str]) -> Spans | None:
    """Where the words stand in the text, if nothing but white space is between them."""
    spans: list[tuple[int, int]] = []
    position = 0
    for word in words:
        while position < len(text) and text[position].isspace():
            position += 1
        if not text.startswith(word, position):
            return None
        spans.append((position, position + len(word)))
        position += len(word)
    return None if text[position:].strip() else tuple(spans)


def _comment(block: Block, name: str) -> str | None:
    for comment in block.comments:
        key, sign, value = comment[1:].partition("=")
        if sign and key.strip() == name and value.strip():
            return value.strip()
    return None
