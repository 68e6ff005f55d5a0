"""What Qdrant keeps with a vector, and conditions in its words."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from unmask.errors import UsageError
from unmask.search.documents import Chunked, Passage
from unmask.search.extras import qdrant
from unmask.search.filters import Condition, comparable

_NAMESPACE = uuid.UUID("6f0b7a52-5a3e-4b57-9d7a-0f4b6a1c9e10")


def point(one: Chunked, number: int, vector: Any) -> Any:
    """The point of a document's passage."""
    document, span = one.document, one.spans[number]
    texts, numbers = comparable(document.metadata)
    name = uuid.uuid5(_NAMESPACE, f"{document.id}\n{one.sha256}\n{number}")
    payload = {
        "document": document.id,
        "sha256": one.sha256,
        "number": number,
        "title": document.title,
        "text": document.text[span.start : span.end],
        "start": span.start,
        "end": span.end,
        "metadata": json.dumps(dict(document.metadata), ensure_ascii=False),
        "texts": {field(name): text for name, text in texts.items()},
        "numbers": {field(name): value for name, value in numbers.items()},
    }
    return qdrant().models.PointStruct(id=str(name), vector=vector.tolist(), payload=payload)


def passage(payload: Mapping[str, Any]) -> Passage:
    """The passage of what is kept with a point."""
    return Passage(
        payload["document"],
        payload["title"],
        payload["text"],
        payload["start"],
        payload["end"],
        json.loads(payload["metadata"]),
    )


def field(name: str) -> str:
    """A field's name without any character that means something in a path.

    >>> field("a.b")
    'f612e62'
    """
    return f"f{name.encode().hex()}"


def matching(name: str, value: str | int) -> Any:
    """A condition: this part is that."""
    models = qdrant().models
    return models.FieldCondition(key=name, match=models.MatchValue(value=value))


def of_documents(names: Sequence[str]) -> Any:
    """A condition: a passage of one of these documents."""
    models = qdrant().models
    return models.FieldCondition(key="document", match=models.MatchAny(any=list(names)))


def filter_of(conditions: Sequence[Condition]) -> Any:
    """The conditions as Qdrant's filter; see `filters.holds`.

    Raises:
        UsageError: Texts are to be compared by their order, which Qdrant cannot.
    """
    if not conditions:
        return None
    must = [_condition(one) for one in conditions if one.operator != "!="]
    must_not = [_condition(one) for one in conditions if one.operator == "!="]
    return qdrant().models.Filter(must=must, must_not=must_not)


def _condition(condition: Condition) -> Any:
    models = qdrant().models
    value = condition.number
    if value is None:
        if condition.operator in ("=", "!="):
            return matching(f"texts.{field(condition.field)}", condition.text)
        raise UsageError(
            f"--filter {condition}: Qdrant puts numbers in order, not texts. Keep a number, such "
            "as 20240531 for a date."
        )
    bounds = {"<": {"lt": value}, "<=": {"lte": value}, ">": {"gt": value}, ">=": {"gte": value}}
    found = bounds.get(condition.operator, {"gte": value, "lte": value})
    return models.FieldCondition(
        key=f"numbers.{field(condition.field)}", range=models.Range(**found)
    )
