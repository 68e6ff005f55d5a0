"""Texts that belong together out of tables: pairs, triplets, pairs with scores, single texts."""

from __future__ import annotations

import json
import logging
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from unmask.data.jsonl import check_text
from unmask.data.labelled import columns
from unmask.data.labelled.config import LabelledConfig
from unmask.data.labelled.examples import EmbeddingExample
from unmask.data.labelled.labels import Fault, LabelReader, NoLabel
from unmask.data.labelled.tables import Table, Values
from unmask.data.labelled.texts import LEFT_OUT, Ids, excerpt, group_of, required_text
from unmask.data.rejects import Rejects
from unmask.errors import UsageError

logger = logging.getLogger(__name__)

_ANCHORS = ("anchor", "query", "question", "sent0")
_POSITIVES = ("positive", "pos", "answer", "passage", "document", "sent1")
_NEGATIVE = re.compile(r"(?:negative|neg|hard_neg)s?[ _]?(\d*)")
_ALONE = ("text", "sentence", "sentence1", "content", "anchor")
_SCORES = ("scores", "margin", "embedding", *columns.LABELS)
_INFERENCE = ("premise", "hypothesis")
"""Columns whose labels are classes, whatever codes they have."""
_TRUTH = {"true": "1", "false": "0"}
"""Of pairs that are alike or not, whatever a file calls it."""
_NO_LIST = "label is no list of numbers"
_NEEDED = 2
"""Columns, an anchor's and a positive's, of which no list may be empty; one of negatives may."""


@dataclass(frozen=True)
class _Found:
    texts: tuple[int, ...]
    label: int | None
    id: int | None
    group: int | None


def from_table(
    table: Table, config: LabelledConfig, rejects: Rejects
) -> Iterator[EmbeddingExample]:
    """The examples of a table; what is wrong with a row goes to the rejects.

    Texts stand in columns named like `anchor`, `positive` and `negative_1`, in two that
    `columns.PAIRS` names, or in one; a column may hold a list of texts, such as negatives. A label
    is read where `config.labels` says of what kind it is and there is a column for it, and as a
    number where a range is set for it; a list of numbers is a teacher's scores, or its vector.

    Raises:
        UsageError: Labels of several classes, which no loss over embeddings takes, or a range of
            what shall be classes.
        DataError: A column that is not there.
    """
    config = _with_kind(config)
    found = _find_columns(table, config)
    ids = Ids(table.unit)
    labels = None
    if found.label is not None:
        name = table.names[found.label]
        labels = LabelReader(config, [name], table.class_names.get(name, ()))
    codes = _codes(table, config, found)
    for line, values in table.rows:
        try:
            example = _example(table.place(line), line, values, found, labels, ids)
        except NoLabel:
            rejects.num_records += 1
            rejects.notes[LEFT_OUT] += 1
        except Fault as fault:
            rejects.add(str(table.source), line, fault.kind, fault.detail, excerpt(values))
        else:
            if check_text(" ".join(example.texts), table.source, line, rejects) is not None:
                rejects.num_records += 1
                if codes is not None and str(values[codes]).strip().isdecimal():
                    codes = None
                    _warn_of_code(example)
                yield example


def _with_kind(config: LabelledConfig) -> LabelledConfig:
    """Labels in a range are numbers: without that the range would have no effect."""
    if config.labels == "multi":
        raise UsageError(
            "--data.labels multi: texts that belong together have one label, or a list of numbers; "
            "leave it out, or set class, number or none."
        )
    if config.label_range is None or config.labels != "class":
        return config
    if "labels" in config.model_fields_set:
        raise UsageError(
            "--data.label-range: is for numbers, but --data.labels is class; set it to number, or "
            "leave one of them out."
        )
    return config.model_copy(update={"labels": "number"})


def _codes(table: Table, config: LabelledConfig, found: _Found) -> int | None:
    """The column of labels, if numbers in it would stand for classes that nobody has named."""
    if found.label is None or config.labels != "class" or config.class_names:
        return None
    are_inference = tuple(table.names[one].lower() for one in found.texts) == _INFERENCE
    has_names = bool(table.class_names.get(table.names[found.label]))
    return found.label if are_inference and not has_names else None


def _warn_of_code(example: EmbeddingExample) -> None:
    logger.warning(
        "%s: the label of a premise and a hypothesis is %s, a number. If it stands for a class, "
        "name the classes in the order of their numbers (--data.class-names entailment "
        "--data.class-names neutral --data.class-names contradiction, of SNLI and MNLI): as a "
        "number it says how alike the texts are.",
        example.place,
        example.label,
    )


def _find_columns(table: Table, config: LabelledConfig) -> _Found:
    setting = config.columns
    texts = columns.positions(table, setting.texts) or _recognised(table)
    if not texts:
        raise columns.missing(table, "texts", ("anchor", "positive", "sentence1", "text"))
    label = None
    chosen = columns.only(setting.label, "label")
    if config.labels != "none" and chosen != "":
        label = columns.find(table, chosen, _SCORES)
    return _Found(
        texts,
        None if label in texts else label,
        columns.find(table, setting.id, columns.IDS),
        columns.find(table, setting.group, columns.GROUPS),
    )


def _recognised(table: Table) -> tuple[int, ...]:
    """Anchor, positive and negatives; a known pair; or one column of texts."""
    if not table.has_names:
        return tuple(range(min(2, len(table.names))))
    anchor, positive = (columns.recognised(table, of) for of in (_ANCHORS, _POSITIVES))
    if anchor is not None and positive is not None:
        return (anchor, positive, *_negatives(table))
    for first, second in columns.PAIRS:
        pair = columns.recognised(table, (first,)), columns.recognised(table, (second,))
        if pair[0] is not None and pair[1] is not None:
            return (pair[0], pair[1], *_negatives(table))
    alone = columns.recognised(table, _ALONE)
    return () if alone is None else (alone,)


def _negatives(table: Table) -> list[int]:
    """The columns of negatives, by their numbers."""
    found = [
        (int(match[1] or 0), number)
        for number, name in enumerate(table.names)
        if (match := _NEGATIVE.fullmatch(name.lower()))
    ]
    return [number for _, number in sorted(found)]


def _example(
    place: str,
    line: int,
    values: Values,
    found: _Found,
    labels: LabelReader | None,
    ids: Ids,
) -> EmbeddingExample:
    texts: list[str] = []
    for number in found.texts:
        value = values[number]
        several = value if isinstance(value, list | tuple) else (value,)
        if not several and number in found.texts[:_NEEDED]:
            raise Fault("empty text", "a list without one")
        texts += [required_text(one) for one in several]
    if len(texts) > 2 and texts[1] in texts[2:]:
        raise Fault("a negative equals the positive", texts[1][:60])
    label = None
    if labels is not None and found.label is not None:
        label = _label(values[found.label], labels)
    name = str(line) if found.id is None else ids.take(values[found.id], line)
    return EmbeddingExample(name, tuple(texts), label, place, group_of(values, found.group))


def _label(value: Any, labels: LabelReader) -> str | float | tuple[float, ...]:
    if isinstance(value, str) and value.lstrip().startswith("["):  # a list in CSV
        value = _listed(value)
    if not isinstance(value, list | tuple):
        read = labels.read([value])
        assert isinstance(read, str | float), "one value is one label"
        return _TRUTH.get(read, read) if isinstance(read, str) else read
    try:
        numbers = tuple(float(one) for one in value)
    except (TypeError, ValueError, OverflowError):
        numbers = ()
    if not numbers or not all(map(math.isfinite, numbers)):
        raise Fault(_NO_LIST, str(value)[:60])
    return numbers


def _listed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Fault(_NO_LIST, f"{error}") from None
