"""Documents and topics in TREC's XML form, as the Cranfield collection is published in it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from unmask.data.labelled.labels import Fault
from unmask.data.rejects import Rejects
from unmask.data.retrieval.beir import NO_TEXT
from unmask.data.retrieval.config import RetrievalConfig
from unmask.data.retrieval.elements import Element, read_elements
from unmask.data.retrieval.files import checked, open_source
from unmask.data.retrieval.first_lines import FirstLines
from unmask.data.retrieval.records import CorpusDocument, Query
from unmask.data.sources import Source

_LABEL = re.compile(r"number\s*:\s*", re.IGNORECASE)
"""Stands before the number of older TREC topics."""

T = TypeVar("T", CorpusDocument, Query)


def read_documents(
    path: Path | str, config: RetrievalConfig, rejects: Rejects
) -> Iterator[CorpusDocument]:
    """The documents of a file of `<doc>` elements (also .gz, .zst), one after another.

    `<docno>` is the id, `<title>` and `<text>` what they say, any further element metadata of its
    name (Cranfield's `<author>` and `<bib>`). Line ends within a text stay; what surrounds it goes.
    The elements need no root. A document without text stays, as in `beir.read_corpus`.

    In Cranfield a text begins with its title (but for two): take `text` alone, not `content`.

    Raises:
        DataError: No such file, one that breaks off, too many rejects, or no document at all.
    """
    source = open_source(path)

    def document(element: Element) -> CorpusDocument:
        fields = dict(element.fields)
        name = _name(fields, "docno")
        if "text" not in fields and "title" not in fields:
            raise Fault("neither <title> nor <text>", f"found {_tags(fields)}")
        title, text = fields.pop("title", ""), fields.pop("text", "")
        return CorpusDocument(name, title, text, f"{source}:{element.line}", fields)

    def is_empty(one: CorpusDocument) -> bool:
        return not one.content

    found = _records(source, "doc", document, is_empty, config, rejects)
    return checked(source, found, "documents", rejects)


def read_topics(path: Path | str, config: RetrievalConfig, rejects: Rejects) -> Iterator[Query]:
    """The queries of a file of `<top>` elements: `<num>` is the id, `<title>` the text.

    With `query_ids` set to `position` they are named 1, 2, ... in the order of the file instead;
    rejects count, so that what follows one keeps its place.

    Raises:
        DataError: As `read_documents`.
    """
    source = open_source(path)

    def topic(element: Element) -> Query:
        fields = dict(element.fields)
        name = str(element.position)
        if config.query_ids == "own":
            name = _LABEL.sub("", _name(fields, "num"), count=1)
        if "title" not in fields:
            raise Fault("no <title>", f"found {_tags(fields)}")
        return Query(name, fields["title"], f"{source}:{element.line}")

    def is_empty(query: Query) -> bool:
        return not query.text

    found = _records(source, "top", topic, is_empty, config, rejects)
    return checked(source, found, "queries", rejects)


def _records(
    source: Source,
    tag: str,
    record: Callable[[Element], T],
    is_empty: Callable[[T], bool],
    config: RetrievalConfig,
    rejects: Rejects,
) -> Iterator[T]:
    seen = FirstLines()
    for element in read_elements(source, tag, config.max_line_bytes, rejects):
        try:
            found = record(element)
            first = seen.take(found.id, element.line)
            if first is not None:
                raise Fault("duplicate id", f"`{found.id[:80]}` stands in line {first}")
        except Fault as fault:
            rejects.add(str(source), element.line, fault.kind, fault.detail, element.excerpt)
            continue
        rejects.num_records += 1
        if is_empty(found):
            rejects.notes[NO_TEXT] += 1
        yield found


def _name(fields: dict[str, str], tag: str) -> str:
    name = fields.pop(tag, None)
    if name is None:
        raise Fault(f"no <{tag}>", f"found {_tags(fields)}")
    if not name:
        raise Fault(f"<{tag}> is empty")
    return name


def _tags(fields: dict[str, str]) -> str:
    return ", ".join(f"<{tag[:40]}>" for tag in list(fields)[:10]) or "no element inside"
