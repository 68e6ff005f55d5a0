"""Tagged words: laid out in a text, and read out of tables that hold lists of them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from unmask.data.jsonl import check_text
from unmask.data.labelled import columns
from unmask.data.labelled.config import LabelledConfig
from unmask.data.labelled.examples import TaggedExample
from unmask.data.labelled.labels import Fault
from unmask.data.labelled.tables import Table, Values
from unmask.data.labelled.texts import Ids, excerpt, group_of
from unmask.data.rejects import Rejects

WORDS = ("tokens", "words", "token", "word", "form")
TAGS = ("tags", "ner_tags", "labels", "label", "ner", "upos", "pos_tags", "pos")

Spans = tuple[tuple[int, int], ...]


def joined(words: Sequence[str], gaps: Sequence[bool] | None = None) -> tuple[str, Spans]:
    """The words with a space after each, or after those where `gaps` says so; and where they are.

    >>> joined(["do", "n't", "!"], [False, True, False])
    ("don't !", ((0, 2), (2, 5), (6, 7)))
    """
    parts: list[str] = []
    spans: list[tuple[int, int]] = []
    position = 0
    last = len(words) - 1
    for i, word in enumerate(words):
        spans.append((position, position + len(word)))
        gap = " " if i < last and (gaps is None or gaps[i]) else ""
        parts += (word, gap)
        position += len(word) + len(gap)
    return "".join(parts), tuple(spans)


def from_table(table: Table, config: LabelledConfig, rejects: Rejects) -> Iterator[TaggedExample]:
    """The sentences of a table, one a row: a list of words, and one of tags if there is one.

    Raises:
        DataError: A column that is not there.
    """
    setting = config.columns
    words = columns.required(table, setting.words, WORDS, "words")
    tags = None
    if config.labels != "none" and setting.tags != "":
        tags = columns.required(table, setting.tags, TAGS, "tags")
    names = () if tags is None else table.class_names.get(table.names[tags], ())
    names = config.class_names or names
    id_ = columns.find(table, setting.id, columns.IDS)
    group = columns.find(table, setting.group, columns.GROUPS)
    ids = Ids(table.unit)
    for line, values in table.rows:
        try:
            text, spans = joined(_words(values[words]))
            found = None if tags is None else _tags(values[tags], len(spans), names)
            name = str(line) if id_ is None else ids.take(values[id_], line)
        except Fault as fault:
            rejects.add(str(table.source), line, fault.kind, fault.detail, excerpt(values))
            continue
        if check_text(text, table.source, line, rejects) is not None:
            rejects.num_records += 1
            whole = group_of(values, group)
            yield TaggedExample(name, text, spans, found, table.place(line), whole)


def _words(value: Any) -> Values:
    words = _listed(value, "words")
    if not words:
        raise Fault("no words")
    if not all(isinstance(word, str) for word in words):
        raise Fault("word is no text")
    if not all(words):
        raise Fault("empty word", f"word {words.index('') + 1} of {len(words)}")
    return words


def _tags(value: Any, num_words: int, names: Sequence[str]) -> tuple[str, ...]:
    tags = _listed(value, "tags")
    if len(tags) != num_words:
        raise Fault("not a tag for each word", f"{len(tags)} tags, {num_words} words")
    return tuple(_tag(tag, names) for tag in tags)


def _tag(value: Any, names: Sequence[str]) -> str:
    if isinstance(value, str) and value and (not names or value in names):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        if not names:
            return str(value)
        if 0 <= value < len(names):
            return names[value]
    expected = f"one of {', '.join(names[:8])}" if names else "a name"
    raise Fault("label out of range", f"tag `{str(value)[:60]}`, expected {expected}")


def _listed(value: Any, what: str) -> Values:
    if isinstance(value, str) and value.lstrip().startswith("["):  # a list in a field of CSV
        try:
            value = json.loads(value)
        except (ValueError, RecursionError) as error:
            raise Fault(f"{what} are no JSON list", str(error)) from None
    if not isinstance(value, list | tuple):
        raise Fault(f"{what} are no list", type(value).__name__)
    return value
