"""Files of texts to answer about, as examples of the model's task."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from unmask.checkpoint.bundle import Bundle
from unmask.data.labelled import columns, reading
from unmask.data.labelled.config import Columns, LabelledConfig
from unmask.data.labelled.examples import TextExample
from unmask.data.labelled.files import (
    LabelledFile,
    find,
    is_lines_of_text,
    lines,
    texts_by_line,
)
from unmask.data.labelled.words import WORDS
from unmask.data.rejects import Rejects
from unmask.errors import UsageError
from unmask.infer.asking import example_of, parts_of, task_of
from unmask.tasks.registry import TASKS

_COLUMNS_OF_WORDS = ("conll", "conllu")


def examples_of(
    bundle: Bundle, path: Path, config: LabelledConfig, rejects: Rejects
) -> Iterator[tuple[str, Any]]:
    """Each record's name and the example to answer about; labels in the file are not looked at.

    `.txt` is one text a line, named by its line, unless another format is set, and where the model
    reads two texts these stand there with a tab between them; other files are read as for
    training. For tagging, words are what the tokenizer splits at, where the file has
    texts instead of words.

    Raises:
        DataError: See `labelled.reading`.
        UsageError: Columns are set for a file that has none.
    """
    task = task_of(bundle).name
    config = config.model_copy(update={"labels": "none"})
    if config.format == "auto" and is_lines_of_text(path):
        _refuse_columns(path, config.columns)
        file = find(path, "text", config.model_copy(update={"format": "tsv"}))
        for text in reading.checked(file.source, _each_line(file, config, rejects), rejects):
            pair = tuple(text.text.split("\t", 1)) if len(parts_of(bundle)) == 2 else ()
            yield text.id, example_of(bundle, int(text.id), pair or text.text)
    elif task == "tagging" and not _has_words(path, config):
        texts: Iterator[TextExample] = reading.read_texts(path, config, rejects)
        for number, text in enumerate(texts, 1):
            yield text.id, example_of(bundle, number, text.text)
    else:
        if task == "classification" and len(parts_of(bundle)) == 2:
            config = _with_pairs(path, config)
        for example in TASKS[task].read(path, config, rejects):
            yield example.id, example


def texts_in(path: Path, config: LabelledConfig, rejects: Rejects) -> Iterator[TextExample]:
    """The texts of a file, one a line of `.txt`, else one a record; labels are not looked at.

    Raises:
        DataError: See `labelled.reading`.
        UsageError: Columns are set for a file that has none.
    """
    config = config.model_copy(update={"labels": "none"})
    if config.format == "auto" and is_lines_of_text(path):
        _refuse_columns(path, config.columns)
        file = find(path, "text", config.model_copy(update={"format": "tsv"}))
        return reading.checked(file.source, _each_line(file, config, rejects), rejects)
    return reading.read_texts(path, config, rejects)


def _with_pairs(path: Path, config: LabelledConfig) -> LabelledConfig:
    """Two columns without a header are a pair, not a text with its label as in training."""
    if config.columns != Columns() or config.format not in ("auto", "csv", "tsv"):
        return config
    file = find(path, "text", config)
    if file.format not in ("csv", "tsv"):
        return config
    table = reading.table_of(file, config, Rejects(1.0))
    if table.has_names or len(table.names) != 2:
        return config
    return config.model_copy(update={"columns": Columns(text=(0,), text_pair=1)})


def _refuse_columns(path: Path, given: Columns) -> None:
    if given.model_copy(update={"text_pair": None}) != Columns():
        raise UsageError(
            f"{path}: is read as one text per line, so it has no columns to name. Say what it is "
            "by --data.format, such as tsv or conll."
        )


def _each_line(
    file: LabelledFile, config: LabelledConfig, rejects: Rejects
) -> Iterator[TextExample]:
    for line in texts_by_line(file, config, rejects):
        place = f"{file}:{line.number}"
        yield TextExample(str(line.number), line.text, None, None, None, place)


def _has_words(path: Path, config: LabelledConfig) -> bool:
    """Whether a file for tagging has words, as in training, rather than texts to be split."""
    given = config.columns
    if given.words is not None or config.format in _COLUMNS_OF_WORDS:
        return True
    file = reading.find_tagged(path, config)
    if path.suffixes and file.format in _COLUMNS_OF_WORDS and ".tsv" not in path.suffixes[-2:]:
        return True
    if given.text not in (None, ("",), ()):
        return False
    if file.format in _COLUMNS_OF_WORDS:
        # The one table that is no CoNLL here, though it would be in training: it is all texts.
        return not _names_text(file, config)
    table = reading.table_of(file, config, Rejects(1.0), WORDS)
    known = (columns.recognised(table, names) for names in (columns.TEXTS, WORDS))
    return next(known) is None and next(known) is not None


def _names_text(file: LabelledFile, config: LabelledConfig) -> bool:
    first = next(lines(file, config, Rejects(1.0)), None)
    return first is not None and "text" in first.text.lower().split("\t")
