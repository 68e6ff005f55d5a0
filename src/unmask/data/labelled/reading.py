"""Files of labelled examples, read one example after another."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TypeVar

from unmask.data.labelled import conll, conllu, ranked, sentences, squad, texts, trees
from unmask.data.labelled.choices import from_table as choices_of
from unmask.data.labelled.columns import is_header
from unmask.data.labelled.config import LabelledConfig
from unmask.data.labelled.delimited import open_delimited
from unmask.data.labelled.examples import (
    ChoiceExample,
    EmbeddingExample,
    QuestionExample,
    RankedExample,
    TaggedExample,
    TextExample,
)
from unmask.data.labelled.files import LabelledFile, find
from unmask.data.labelled.parquet import open_parquet
from unmask.data.labelled.tables import Table, broken, empty, open_json
from unmask.data.labelled.words import TAGS, WORDS
from unmask.data.labelled.words import from_table as words_of
from unmask.data.rejects import Rejects
from unmask.data.rows import rows
from unmask.data.sources import Source
from unmask.errors import UsageError

logger = logging.getLogger(__name__)

_LIST = re.compile(r'\s*"?\[\s*"')
"""Begins a JSON list of words."""

T = TypeVar("T")
E = TypeVar(
    "E",
    TextExample,
    ChoiceExample,
    TaggedExample,
    QuestionExample,
    EmbeddingExample,
    RankedExample,
)


def read_texts(path: Path | str, config: LabelledConfig, rejects: Rejects) -> Iterator[TextExample]:
    """Texts or pairs with a class, several classes, or a number.

    CSV, TSV (.tsv, .txt), JSON lines, a JSON list or Parquet, the columns set or recognised by
    name (see `columns`), or sentiment trees; each also .gz and .zst. Records that cannot be read go
    to `rejects`; what was left out by a setting is counted in `rejects.notes` and logged once.

    Raises:
        DataError: No such file, not such a file, a column that is not there, too many rejects, or
            no example at all.
        UsageError: A group is set for a file that can have none.
    """
    file = find(path, "text", config)
    if file.format == "trees":
        _refuse_group(file, config, "sentiment trees")
        return checked(file.source, trees.read(file, config, rejects), rejects)
    found = texts.from_table(table_of(file, config, rejects), config, rejects)
    return checked(file.source, found, rejects)


def read_choices(
    path: Path | str, config: LabelledConfig, rejects: Rejects
) -> Iterator[ChoiceExample]:
    """Texts with choices, out of the tables that `read_texts` reads.

    Raises:
        DataError: As `read_texts`.
    """
    file = find(path, "choice", config)
    return checked(
        file.source, choices_of(table_of(file, config, rejects), config, rejects), rejects
    )


def read_tagged(
    path: Path | str, config: LabelledConfig, rejects: Rejects
) -> Iterator[TaggedExample]:
    """Sentences of tagged words: CoNLL columns, CoNLL-U, or tables of lists (see `find_tagged`).

    Raises:
        DataError: As `read_texts`.
    """
    file = find_tagged(path, config)
    if file.format in ("conll", "conllu"):
        _refuse_group(file, config, "CoNLL's sentences")
    if file.format == "conllu":
        return checked(file.source, conllu.read(file, config, rejects), rejects)
    if file.format == "conll":
        return checked(file.source, conll.read(file, config, rejects), rejects)
    table = table_of(file, config, rejects, (*WORDS, *TAGS))
    return checked(file.source, words_of(table, config, rejects), rejects)


def find_tagged(path: Path | str, config: LabelledConfig) -> LabelledFile:
    """The file of tagged words; .tsv is CoNLL columns, unless its header names one of JSON lists.

    Raises:
        DataError: See `files.find`.
    """
    file = find(path, "tagged", config)
    if config.format != "auto" or file.format != "conll" or ".tsv" not in file.source.path.suffixes:
        return file
    found = rows(file.source, config.max_line_bytes, Rejects(1.0), delimiter="\t", quoted=False)
    known = WORDS if config.columns.words is None else (str(config.columns.words).lower(),)
    beginnings = zip(*(row.fields for row in islice(found, 2)), strict=False)
    # By the list too: the header of a file of a word a line may well name its words.
    if any(len(of) == 2 and of[0].lower() in known and _LIST.match(of[1]) for of in beginnings):
        return replace(file, format="tsv")
    return file


def read_questions(
    path: Path | str, config: LabelledConfig, rejects: Rejects
) -> Iterator[QuestionExample]:
    """Questions about contexts: SQuAD JSON 1.1 and 2.0, or tables with SQuAD's columns.

    Raises:
        DataError: As `read_texts`.
    """
    file = find(path, "question", config)
    if file.format == "squad":
        _refuse_group(file, config, "SQuAD's questions, which go by their articles,")
        return checked(file.source, squad.read(file, config, rejects), rejects)
    found = squad.from_table(table_of(file, config, rejects), config, rejects)
    return checked(file.source, found, rejects)


def read_sentences(
    path: Path | str, config: LabelledConfig, rejects: Rejects
) -> Iterator[EmbeddingExample]:
    """Texts that belong together, out of the tables that `read_texts` reads; see `sentences`.

    Raises:
        DataError: As `read_texts`.
    """
    file = find(path, "text", config)
    if file.format == "trees":
        raise UsageError(f"{file}: sentiment trees hold no texts that belong together.")
    names = ("anchor", "positive", "negative", "query", "score")
    found = sentences.from_table(table_of(file, config, rejects, names), config, rejects)
    return checked(file.source, found, rejects)


def read_ranked(
    path: Path | str, config: LabelledConfig, rejects: Rejects
) -> Iterator[RankedExample]:
    """Queries with graded documents, out of the tables that `read_texts` reads; see `ranked`.

    Raises:
        DataError: As `read_texts`.
    """
    file = find(path, "text", config)
    if file.format == "trees":
        raise UsageError(f"{file}: sentiment trees hold no documents for queries.")
    found = ranked.from_table(table_of(file, config, rejects, ranked.NAMES), config, rejects)
    return checked(file.source, found, rejects)


def _refuse_group(file: LabelledFile, config: LabelledConfig, what: str) -> None:
    """Says that a split cannot go by a group, instead of dividing it in silence."""
    if config.columns.group not in (None, ""):
        raise UsageError(
            f"{file}: --data.columns.group {config.columns.group}: {what} have no column of "
            "groups. Give a table (such as JSON lines) with one, or keep the groups apart yourself "
            "by a validation file."
        )


def table_of(
    file: LabelledFile, config: LabelledConfig, rejects: Rejects, known: Sequence[str] = ()
) -> Table:
    """The table in a file; `known` are further names that make a first row a header.

    Raises:
        DataError: No rows at all, or a file that cannot be read.
    """
    if file.format == "parquet":
        return open_parquet(file, rejects)
    if file.format not in ("csv", "tsv"):
        return open_json(file, config, rejects)

    def names_columns(cells: Sequence[str], following: Sequence[Sequence[str]]) -> bool:
        return is_header(cells, following, config.columns, known)

    return open_delimited(file, config, rejects, names_columns)


def checked(
    source: Source, examples: Iterator[T], rejects: Rejects, what: str = "examples"
) -> Iterator[T]:
    """The examples; at the end, whether there were enough good ones, and what was done to them.

    `what` is how they are called where something was done.

    Raises:
        DataError: The file breaks off, too many rejects, or no example at all.
    """
    before = rejects.notes.copy()
    num_broken = rejects.reasons["broken file"]
    is_empty = True
    for example in examples:
        is_empty = False
        yield example
    if rejects.reasons["broken file"] > num_broken:
        why = (
            rejects.first_of["broken file"].reason.removeprefix("broken file: ").partition("; ")[0]
        )
        raise broken(source, why, rejects.num_records - 1)
    rejects.check()
    if is_empty:
        raise empty(source, rejects)
    for kind, count in (rejects.notes - before).items():
        logger.warning("%s: %d %s %s", source, count, what, kind)
