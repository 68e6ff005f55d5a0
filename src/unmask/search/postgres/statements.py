"""What a database keeps of documents, and conditions in SQL."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from unmask.search.documents import Chunked
from unmask.search.filters import Condition, comparable

TABLES = """
CREATE TABLE {about} (content text NOT NULL);
CREATE TABLE {fields} (name text PRIMARY KEY);
CREATE TABLE {documents} (
    number bigserial PRIMARY KEY, id text NOT NULL UNIQUE, sha256 text NOT NULL,
    title text NOT NULL, metadata text NOT NULL, texts jsonb NOT NULL, numbers jsonb NOT NULL);
CREATE TABLE {passages} (
    number bigserial PRIMARY KEY,
    document bigint NOT NULL REFERENCES {documents} ON DELETE CASCADE,
    first bigint NOT NULL, past bigint NOT NULL, text text NOT NULL,
    vector vector({size}) NOT NULL);
CREATE INDEX ON {passages} (document);
"""
JOIN = "JOIN {documents} d ON d.number = p.document"


def row_of(one: Chunked) -> list[Any]:
    """A document's values but for its number."""
    document = one.document
    texts, numbers = comparable(document.metadata)
    metadata = json.dumps(dict(document.metadata), ensure_ascii=False)
    kept = [document.id, one.sha256, document.title, metadata]
    return [*kept, json.dumps(texts), json.dumps(numbers)]


def where_of(conditions: Sequence[Condition]) -> tuple[str, list[Any]]:
    """The conditions in SQL, and its values; see `filters.holds`."""
    parts: list[str] = []
    values: list[Any] = []
    for condition in conditions:
        operator = "IS DISTINCT FROM" if condition.operator == "!=" else condition.operator
        if condition.number is not None:
            parts.append(f"(d.numbers ->> %s)::float8 {operator} %s")
            values += [condition.field, condition.number]
        else:
            parts.append(f'(d.texts ->> %s) COLLATE "C" {operator} %s')
            values += [condition.field, condition.text]
    return (f" WHERE {' AND '.join(parts)}" if parts else ""), values
