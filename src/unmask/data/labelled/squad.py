"""Questions about contexts: SQuAD's JSON (Rajpurkar et al. 2016, 2018), and tables like it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from unmask.data.labelled import columns
from unmask.data.labelled.config import LabelledConfig
from unmask.data.labelled.examples import Answer, QuestionExample
from unmask.data.labelled.files import LabelledFile
from unmask.data.labelled.labels import Fault
from unmask.data.labelled.tables import Table, load_json
from unmask.data.labelled.texts import Ids, excerpt, joined_text
from unmask.data.rejects import Rejects
from unmask.errors import DataError

REALIGNED = "with an answer whose offset was wrong; set to its only place in the context"
"""The note that counts questions that were mended."""
DROPPED = "with an answer that is not where it should be, left out beside others that are"
"""The note that counts questions that lost some of their answers."""
_EXPECTED = (
    "Expected SQuAD's JSON: `data`, a list of articles with `paragraphs`, each with `context` and "
    "`qas`, each of these with `id`, `question` and `answers`"
)


def read(file: LabelledFile, config: LabelledConfig, rejects: Rejects) -> Iterator[QuestionExample]:
    """The questions of SQuAD JSON 1.1 or 2.0, in their order.

    An answer whose offset is wrong is set to its only place in the context; where it has none or
    several, it is left out, and a question without any other answer is rejected. Line numbers
    mean nothing in such a file, so a place is the path inside it, and a reject's record is the
    question's number, from 1. Without answers and without `is_impossible`, as in test files, the
    question's answers are not known.

    Raises:
        DataError: Not JSON, or not SQuAD's.
    """
    content = load_json(file, rejects)
    articles = content.get("data") if isinstance(content, dict) else None
    if not isinstance(articles, list):
        found = (
            f"an object with {', '.join(list(content)[:8]) or 'nothing'}"
            if isinstance(content, dict)
            else f"a {type(content).__name__}"
        )
        raise DataError(f"{file}:1: holds {found}. {_EXPECTED}.")
    ids = Ids("question")
    rejects.units[str(file)] = "question"
    for number, (path, title, context, entry) in enumerate(_entries(file, articles), 1):
        try:
            example = _example(
                f"{file}:{path}", number, title, context, entry, config, ids, rejects
            )
        except Fault as fault:
            rejects.add(str(file), number, fault.kind, f"{path}: {fault.detail}", str(entry)[:200])
        else:
            rejects.num_records += 1
            yield example


def _entries(
    file: LabelledFile, articles: list[Any]
) -> Iterator[tuple[str, str | None, Any, Mapping[str, Any]]]:
    """Path, title, context and question of each question."""
    for a, article in enumerate(articles):
        title = article.get("title") if isinstance(article, dict) else None
        for p, paragraph in enumerate(_list(file, f"data[{a}]", article, "paragraphs")):
            place = f"data[{a}].paragraphs[{p}]"
            for q, entry in enumerate(_list(file, place, paragraph, "qas")):
                if not isinstance(entry, dict):
                    raise DataError(f"{file}: {place}.qas[{q}] is no object. {_EXPECTED}.")
                name = title if isinstance(title, str) else None
                yield f"{place}.qas[{q}]", name, paragraph.get("context"), entry


def _list(file: LabelledFile, place: str, holder: Any, name: str) -> list[Any]:
    found = holder.get(name) if isinstance(holder, dict) else None
    if not isinstance(found, list):
        raise DataError(f"{file}: {place} has no list `{name}`. {_EXPECTED}.")
    return found


def from_table(table: Table, config: LabelledConfig, rejects: Rejects) -> Iterator[QuestionExample]:
    """The questions of a table with the columns `question`, `context` and, if known, `answers`.

    Answers are an object with the lists `text` and `answer_start`, or a list of objects. An empty
    one means that the question is impossible, unless a column `is_impossible` says otherwise. What
    groups the questions is the column `title`, if no other is set.

    Raises:
        DataError: A column that is not there.
    """
    setting = config.columns
    question = columns.several(table, setting.text, ("question", "query"), "text")
    context = columns.required(table, setting.text_pair, ("context", "passage"), "text_pair")
    answers = columns.find(table, columns.only(setting.label, "label"), ("answers", "answer"))
    impossible = columns.recognised(table, ("is_impossible",))
    title = columns.find(table, setting.group, ("title",))
    id_ = columns.find(table, setting.id, columns.IDS)
    ids = Ids(table.unit)
    for line, values in table.rows:
        entry: dict[str, Any] = {"id": line if id_ is None else values[id_]}
        try:
            entry["question"] = joined_text(values, question, "question")
            if answers is not None and config.labels != "none":
                entry["answers"] = _listed(values[answers])
                entry["is_impossible"] = not entry["answers"]
            if impossible is not None and values[impossible] is not None:
                entry["is_impossible"] = values[impossible]
            name = None if title is None or values[title] is None else str(values[title])
            place = table.place(line)
            example = _example(place, line, name, values[context], entry, config, ids, rejects)
        except Fault as fault:
            rejects.add(str(table.source), line, fault.kind, fault.detail, excerpt(values))
        else:
            rejects.num_records += 1
            yield example


def _listed(value: Any) -> list[Any]:
    if isinstance(value, dict):
        texts, starts = value.get("text"), value.get("answer_start")
        if not (isinstance(texts, list) and isinstance(starts, list) and len(texts) == len(starts)):
            raise Fault("broken answers", "expected the lists `text` and `answer_start`, as long")
        return [
            {"text": text, "answer_start": start} for text, start in zip(texts, starts, strict=True)
        ]
    if isinstance(value, list):
        return value
    raise Fault("answers are no list", type(value).__name__)


def _example(
    place: str,
    number: int,
    title: str | None,
    context: Any,
    entry: Mapping[str, Any],
    config: LabelledConfig,
    ids: Ids,
    rejects: Rejects,
) -> QuestionExample:
    question, context = _text(entry.get("question"), "question"), _text(context, "context")
    if config.labels == "none":
        name = ids.take(entry.get("id"), number)
        return QuestionExample(name, question, context, (), False, title, place)
    is_impossible = entry.get("is_impossible", False)
    if not isinstance(is_impossible, bool | int) or is_impossible not in (0, 1):
        raise Fault("is_impossible is neither true nor false", f"`{str(is_impossible)[:40]}`")
    given = entry.get("answers", [])
    if not isinstance(given, list):
        raise Fault("answers are no list", type(given).__name__)
    if is_impossible and given:
        raise Fault("an impossible question has answers")
    answers = _aligned(given, context, rejects)
    name = ids.take(entry.get("id"), number)  # last, for a reject leaves its id to others
    return QuestionExample(name, question, context, answers, bool(is_impossible), title, place)


def _aligned(given: list[Any], context: str, rejects: Rejects) -> tuple[Answer, ...]:
    """The answers where they stand; counts what it had to do for that."""
    found: list[Answer] = []
    is_moved = False
    lost = ""
    for answer in given:
        if not isinstance(answer, dict):
            raise Fault("broken answers", f"an answer is no object but {type(answer).__name__}")
        text, start = answer.get("text"), answer.get("answer_start")
        if not isinstance(text, str) or not text.strip():
            raise Fault("empty answer")
        if not isinstance(start, int) or isinstance(start, bool):
            raise Fault("answer without a place", f"answer_start is `{str(start)[:40]}`")
        if start < 0 or not context.startswith(text, start):
            first = context.find(text)
            if first < 0 or context.find(text, first + 1) >= 0:
                where = "is not in the context" if first < 0 else "is there several times"
                lost = f"`{text[:60]}` is not at {start} and {where}"
                continue
            start, is_moved = first, True
        found.append(Answer(text, start))
    if lost and not found:
        raise Fault("misaligned answer", lost)
    if lost:
        rejects.notes[DROPPED] += 1
    if is_moved:
        rejects.notes[REALIGNED] += 1
    return tuple(found)


def _text(value: Any, name: str) -> str:
    """Text as it stands, since answers count its characters."""
    if not isinstance(value, str):
        raise Fault(f"no {name}", "" if value is None else f"it is {type(value).__name__}")
    if not value.strip():
        raise Fault(f"empty {name}")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            found = f"U+{ord(value[error.start]):04X} at character {error.start}"
            raise Fault("lone surrogate", found) from None
    return value
