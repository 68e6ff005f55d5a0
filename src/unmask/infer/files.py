"""Files of texts to answer about, as examples of the model's task."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from unmask.checkpoint.bundle import Bundle
from unmask.data.config import ReaderConfig
from unmask.data.corpus import read as read_lines
from unmask.data.labelled import reading
from unmask.data.labelled.config import Columns, LabelledConfig
from unmask.data.labelled.examples import TextExample
from unmask.data.rejects import Rejects
from unmask.infer.asking import example_of, task_of
from unmask.tasks.registry import TASKS

_MARKED_WORDS = (".conll", ".conllu", ".bio", ".iob")


def examples_of(
    bundle: Bundle, path: Path, columns: Columns, rejects: Rejects
) -> Iterator[tuple[str, Any]]:
    """Each record's name and the example to answer about; labels in the file are not looked at.

    `.txt` is one text a line; tables have columns as for training. For tagging, words are what the
    tokenizer splits at, unless the file has them (CoNLL, or a column of words).

    Raises:
        DataError: See `labelled.reading`.
    """
    task = task_of(bundle).name
    if _is_text(path):
        lines = read_lines([path], ReaderConfig(documents="line"), rejects)
        for number, line in enumerate(lines, 1):
            yield str(number), example_of(bundle, number, line)
        return
    config = LabelledConfig(labels="none", columns=columns)
    if task != "tagging" or columns.words is not None or _has_words(path):
        for example in TASKS[task].read(path, config, rejects):
            yield example.id, example
        return
    texts: Iterator[TextExample] = reading.read_texts(path, config, rejects)
    for number, found in enumerate(texts, 1):
        yield found.id, example_of(bundle, number, found.text)


def _is_text(path: Path) -> bool:
    return ".txt" in path.suffixes[-2:]


def _has_words(path: Path) -> bool:
    return any(ending in path.suffixes[-2:] for ending in _MARKED_WORDS)
