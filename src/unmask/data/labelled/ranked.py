"""Queries with documents and how relevant these are, out of tables."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from unmask.data.jsonl import check_text
from unmask.data.labelled import columns
from unmask.data.labelled.config import LabelledConfig
from unmask.data.labelled.examples import RankedExample
from unmask.data.labelled.labels import Fault, LabelReader, NoLabel
from unmask.data.labelled.tables import Table, Values
from unmask.data.labelled.texts import LEFT_OUT, Ids, excerpt, group_of, required_text
from unmask.data.rejects import Rejects
from unmask.errors import UsageError

REPEATED = "left out, for the same query has the same document"
"""The note that counts rows that say nothing new."""
_QUERIES = ("query", "question", "claim", "anchor", "sentence1", "premise", "text")
_DOCUMENTS = (
    *("documents", "docs", "passages", "candidates", "document", "doc", "passage", "answer"),
    *("response", "sentence2", "hypothesis", "text_pair"),
)
_GRADES = ("grade", "grades", "relevance", "relevances", "scores", *columns.LABELS)
_POSITIVE = re.compile(r"pos(?:itive)?s?[ _]?(\d*)")
_NEGATIVE = re.compile(r"(?:hard[ _])?neg(?:ative)?s?[ _]?(\d*)")
NAMES = (*_QUERIES, *_DOCUMENTS, *_GRADES, "positive", "negative")
"""By which a first row is told for a header."""


@dataclass(frozen=True)
class _Found:
    query: int
    documents: int | None
    positives: tuple[int, ...]
    negatives: tuple[int, ...]
    label: int | None
    id: int | None
    group: int | None


def from_table(table: Table, config: LabelledConfig, rejects: Rejects) -> Iterator[RankedExample]:
    """The queries of a table, each once; what is wrong with a row goes to the rejects.

    A row has a query with one document and its grade, with lists of both, or with documents in
    columns named like `positive` and `negative_1`, whose grades are 1 and 0. Rows of one query
    belong together wherever they stand; without labels each row is answered by itself.

    Raises:
        DataError: A column that is not there.
    """
    found = _find_columns(table, config)
    ids = Ids(table.unit)
    gathered: dict[tuple[str, str | None], tuple[RankedExample, dict[str, float]]] = {}
    for line, example in _rows(table, config, found, rejects):
        try:
            key = example.query, example.group
            if config.labels == "none" or key not in gathered:
                ids.take(example.id, line)
            if config.labels == "none":
                is_new = True
                yield example
            else:
                is_new = _take(example, gathered.setdefault(key, (example, {}))[1])
        except Fault as fault:
            rejects.add(str(table.source), line, fault.kind, fault.detail, example.query)
        else:
            rejects.num_records += 1
            if not is_new:
                rejects.notes[REPEATED] += 1
    for first, grades in gathered.values():
        if grades:
            yield replace(first, documents=tuple(grades), grades=tuple(grades.values()))


def _take(example: RankedExample, grades: dict[str, float]) -> bool:
    """Adds a row's documents to those of its query; False if all are there already.

    Raises:
        Fault: One has another grade; then none is added.
    """
    added: dict[str, float] = {}
    for document, grade in zip(example.documents, example.grades or (), strict=True):
        before = added.get(document, grades.get(document, grade))
        if before != grade:
            raise Fault(
                "a document has two grades",
                f"{before:g} and {grade:g} for {document[:60]!r}",
            )
        added[document] = grade
    size = len(grades)
    grades.update(added)
    return len(grades) > size


def _find_columns(table: Table, config: LabelledConfig) -> _Found:
    setting = config.columns
    ids = columns.find(table, setting.id, columns.IDS)
    group = columns.find(table, setting.group, columns.GROUPS)
    if setting.texts:
        query, *others = columns.positions(table, setting.texts)
        if not others:
            raise UsageError(
                "--data.columns.texts: names one column; expected the query, what answers it, and "
                "then what does not."
            )
        return _Found(query, None, tuple(others[:1]), tuple(others[1:]), None, ids, group)
    query = _query(table, config)
    positives, negatives = _numbered(table, _POSITIVE), _numbered(table, _NEGATIVE)
    is_set = setting.text_pair is not None
    if positives and not is_set and (negatives or columns.recognised(table, _DOCUMENTS) is None):
        return _Found(query, None, positives, negatives, None, ids, group)
    documents = _documents(table, config, query)
    label = None if config.labels == "none" else _label(table, config)
    return _Found(query, documents, (), (), label, ids, group)


def _query(table: Table, config: LabelledConfig) -> int:
    chosen = columns.only(config.columns.text, "text")
    if chosen is None and not table.has_names:
        return 0
    return columns.required(table, chosen, _QUERIES, "text")


def _documents(table: Table, config: LabelledConfig, query: int) -> int:
    chosen = config.columns.text_pair
    if chosen is None and not table.has_names and len(table.names) > 1:
        return 1
    found = columns.required(table, chosen, _DOCUMENTS, "text_pair")
    if found == query:
        raise columns.missing(table, "text_pair", _DOCUMENTS)
    return found


def _label(table: Table, config: LabelledConfig) -> int:
    chosen = columns.only(config.columns.label, "label")
    if chosen is None and not table.has_names and len(table.names) == 3:
        return 2
    return columns.required(table, chosen, _GRADES, "label")


def _numbered(table: Table, name: re.Pattern[str]) -> tuple[int, ...]:
    """The columns that are called so, by their numbers."""
    if not table.has_names:
        return ()
    matches = ((name.fullmatch(one.lower()), number) for number, one in enumerate(table.names))
    return tuple(i for _, i in sorted((int(match[1] or 0), i) for match, i in matches if match))


def _rows(
    table: Table, config: LabelledConfig, found: _Found, rejects: Rejects
) -> Iterator[tuple[int, RankedExample]]:
    """Each good row with its number; counts no good record."""
    labels = None
    if found.label is not None:
        numbers = config.model_copy(update={"labels": "number"})
        labels = LabelReader(numbers, [table.names[found.label]], ())
    for line, values in table.rows:
        try:
            documents, grades = _documents_of(values, found, labels)
            example = RankedExample(
                str(line) if found.id is None else str(values[found.id]),
                required_text(values[found.query], "query"),
                documents,
                None if config.labels == "none" else grades,
                table.place(line),
                group_of(values, found.group),
            )
        except NoLabel:
            rejects.num_records += 1
            rejects.notes[LEFT_OUT] += 1
        except Fault as fault:
            rejects.add(str(table.source), line, fault.kind, fault.detail, excerpt(values))
        else:
            everything = " ".join((example.query, *documents))
            if check_text(everything, table.source, line, rejects) is not None:
                yield line, example


def _documents_of(
    values: Values, found: _Found, labels: LabelReader | None
) -> tuple[tuple[str, ...], tuple[float, ...] | None]:
    """A row's documents and their grades."""
    grades: list[float] | None = None
    if found.documents is None:
        positives = _listed([values[i] for i in found.positives])
        negatives = _listed([values[i] for i in found.negatives])
        if shared := set(positives) & set(negatives):
            raise Fault("a negative equals the positive", min(shared)[:60])
        documents = [*positives, *negatives]
        grades = [1.0] * len(positives) + [0.0] * len(negatives)
    else:
        documents = _listed([values[found.documents]])
    if not documents:
        raise Fault("no document", "expected at least one for the query")
    if labels is not None and found.label is not None:
        grades = _grades(values[found.label], len(documents), labels)
    return tuple(documents), None if grades is None else tuple(grades)


def _listed(values: Sequence[Any]) -> list[str]:
    """The documents in some columns, of which each may hold one, a list, or nothing."""
    found: list[str] = []
    for value in values:
        several = value if isinstance(value, list | tuple) else (value,)
        is_empty = value is None or (value == "" and len(values) > 1)
        found += [] if is_empty else [required_text(one, "document") for one in several]
    return found


def _grades(value: Any, number: int, labels: LabelReader) -> list[float]:
    """As many grades as documents; true and false are 1 and 0."""
    several = value if isinstance(value, list | tuple) else [value]
    if len(several) != number:
        raise Fault("not one grade a document", f"{len(several)} for {number}")
    grades = []
    for one in several:
        grade = labels.read([int(one) if isinstance(one, bool) else one])
        assert isinstance(grade, float), "a number was asked for"
        grades.append(grade)
    return grades
