"""Sentiment treebanks give sentences with the label of their root."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from unmask.data.labelled.reading import read_texts
from unmask.data.rejects import Rejects

Write = Callable[[str, bytes | str], Path]
Read = Callable[..., tuple[list[Any], Rejects]]

TREES = """\
(3 (2 It) (4 (4 (2 's) (4 (3 (2 a) (4 (3 lovely) (2 film))) (2 -LRB-1\\/2-RRB-))) (2 .)))
(2 (2 Neither) (2 nor))

(0 (1 bad) (2 -LRB-))
"""


def test_sentences_have_the_label_of_their_root(write: Write, read: Read) -> None:
    examples, rejects = read(read_texts, write("train.txt", TREES))
    assert [(e.id, e.text, e.label) for e in examples] == [
        ("1", "It 's a lovely film -LRB-1/2-RRB- .", "3"),
        ("2", "Neither nor", "2"),
        ("4", "bad (", "0"),
    ]
    assert (rejects.num_records, len(rejects)) == (3, 0)


def test_binary_labels_leave_out_and_count_the_neutral(write: Write, read: Read) -> None:
    examples, rejects = read(read_texts, write("a.trees", TREES), tree_labels="binary")
    assert [example.label for example in examples] == ["1", "0"]
    assert rejects.notes == {"left out, neutral": 1}


def test_broken_trees_are_rejects_with_their_lines(write: Write, read: Read) -> None:
    lines = [
        "(3 (2 a) (2 b)",
        "(3 (2 a)) (2 b)",
        "(3 (2 a)))",
        "word (3 a)",
        "(7 (2 a) (2 b))",
        "(3 ())",
        "(1 (2 fine) (2 one))",
    ]
    path = write("a.trees", "\n".join(lines))
    examples, rejects = read(read_texts, path)
    assert [(example.text, example.place) for example in examples] == [("fine one", f"{path}:7")]
    assert rejects.reasons == {"broken tree": 4, "label out of range": 1, "empty text": 1}
    assert rejects.first[0].reason == "broken tree: 1 brackets are not closed"
    assert rejects.first[0].place == f"{path}:1"
