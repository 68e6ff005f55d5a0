"""Sentences of sentiment treebanks: one bracketed tree a line (Socher et al. 2013)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from unmask.data.labelled.config import LabelledConfig
from unmask.data.labelled.examples import TextExample
from unmask.data.labelled.files import LabelledFile, lines
from unmask.data.labelled.labels import Fault
from unmask.data.rejects import Rejects

NEUTRAL = "left out, neutral"
"""The note that counts sentences that are neither positive nor negative."""
_PIECES = re.compile(r"[()]|[^\s()]+")
_ESCAPES = {"-LRB-": "(", "-RRB-": ")", "-lrb-": "(", "-rrb-": ")"}
_CLASSES = 5


def read(file: LabelledFile, config: LabelledConfig, rejects: Rejects) -> Iterator[TextExample]:
    """The sentence of each tree, its words joined by a space, with the label of its root.

    "(3 (2 It) (4 (2 's) (4 good)))" is "It 's good" with the label 3, or 1 of the binary ones,
    where 0 and 1 are negative, 3 and 4 positive. Brackets and slashes are written out.
    """
    for line in lines(file, config, rejects):
        if not line.text.strip():
            continue
        try:
            root, words = parse(line.text)
            label = _label(root, config)
        except Fault as fault:
            rejects.add(str(file), line.number, fault.kind, fault.detail, line.text)
            continue
        rejects.num_records += 1
        if label == "":
            rejects.notes[NEUTRAL] += 1
            continue
        place = f"{file}:{line.number}"
        given = None if config.labels == "none" else label
        yield TextExample(str(line.number), " ".join(words), None, given, None, place)


def parse(line: str) -> tuple[str, list[str]]:
    """A tree's root label, and its words in order.

    >>> parse("(3 (2 It) (4 (2 's) (4 good)))")
    ('3', ['It', "'s", 'good'])

    Raises:
        Fault: The line is not one tree.
    """
    pieces: list[str] = _PIECES.findall(line)
    words: list[str] = []
    depth = 0
    for i, piece in enumerate(pieces):
        if piece == ")":
            depth -= 1
        elif piece == "(":
            if depth == 0 and i > 0:
                raise Fault("broken tree", "something follows its end")
            depth += 1
        elif depth == 0:
            raise Fault("broken tree", f"`{piece[:40]}` outside of brackets")
        elif pieces[i - 1] != "(":  # else it is a label
            words.append(_ESCAPES.get(piece, piece).replace("\\/", "/").replace("\\*", "*"))
        if depth < 0:
            raise Fault("broken tree", "a bracket closes what none has opened")
    if depth:
        raise Fault("broken tree", f"{depth} brackets are not closed")
    if len(pieces) < 2 or not words:
        raise Fault("empty text", "a tree without words")
    return pieces[1], words


def _label(root: str, config: LabelledConfig) -> str:
    """The root's class; empty for a neutral one where these are left out."""
    if not root.isdecimal() or int(root) >= _CLASSES:
        raise Fault("label out of range", f"`{root[:40]}`, expected 0 to {_CLASSES - 1}")
    if config.tree_labels == "fine":
        return root
    return {"0": "0", "1": "0", "2": "", "3": "1", "4": "1"}[root]
