"""Sentences of a word a line: the lines between blank ones, with their numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from unmask.data.labelled.examples import TaggedExample
from unmask.data.labelled.files import LabelledFile, Line
from unmask.data.labelled.labels import Fault
from unmask.data.rejects import Rejects

BLANKS = " \t"
DOCUMENT = "-DOCSTART-"
"""Begins a document in CoNLL's files; is no word."""


@dataclass
class Block:
    """One sentence's lines."""

    comments: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    """The line of each row."""
    is_whole: bool = True
    """False if one of its lines is a reject already."""


class LineFault(Fault):
    """What is wrong with one line of a sentence."""

    def __init__(self, line: int, row: list[str], kind: str, detail: str = "") -> None:
        super().__init__(kind, detail)
        self.line = line
        self.row = row


def misfit(line: int, row: list[str], width: int) -> LineFault:
    """The fault of a line with too few or too many columns."""
    kind = "missing column" if len(row) < width else "extra column"
    return LineFault(line, row, kind, f"found {len(row)}, expected {width}")


def blocks(
    lines: Iterable[Line],
    split: Callable[[str], list[str]],
    is_comment: Callable[[str, Block], bool],
    rejects: Rejects,
) -> Iterator[Block]:
    """The sentences, the last one also without a blank line after it."""
    block = Block()
    num_broken = rejects.reasons["broken file"]
    previous = 0
    for line in lines:
        if line.number != previous + 1 or not line.is_good:
            block.is_whole = False  # a line was too long, or cannot be read
        previous = line.number
        if not line.is_good:
            continue
        text = line.text
        if not text.strip(BLANKS) or text.startswith(DOCUMENT):
            yield block
            block = Block()
        elif is_comment(text, block):
            block.comments.append(text)
        else:
            block.rows.append(split(text))
            block.numbers.append(line.number)
    if rejects.reasons["broken file"] == num_broken:  # else its end may be missing
        yield block


def tagged(
    file: LabelledFile,
    found: Iterable[Block],
    example: Callable[[Block], TaggedExample],
    rejects: Rejects,
) -> Iterator[TaggedExample]:
    """The examples of the sentences; one with a faulty line is rejected as a whole."""
    for block in found:
        if not block.rows or not block.is_whole:
            continue
        try:
            made = example(block)
        except LineFault as fault:
            rejects.add(str(file), fault.line, fault.kind, fault.detail, "\t".join(fault.row))
        except Fault as fault:
            rejects.add(str(file), block.numbers[0], fault.kind, fault.detail)
        else:
            rejects.num_records += 1
            yield made
