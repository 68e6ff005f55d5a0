"""What is searched: documents, and the passages that they are cut into."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from unmask.errors import DataError

_SHOWN_CHARACTERS = 80


@dataclass(frozen=True)
class Document:
    """A text with a name."""

    id: str
    """Its name; another document of that name takes its place."""
    text: str
    title: str = ""
    """Is read before every passage, and its words count as theirs."""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """What JSON can hold; texts, numbers and booleans can be filtered by."""

    @property
    def place(self) -> str:
        """How messages call it."""
        cut = "..." if len(self.id) > _SHOWN_CHARACTERS else ""
        return f"document {self.id[:_SHOWN_CHARACTERS]!r}{cut}"


@dataclass(frozen=True, slots=True)
class Span:
    """A passage's place in its document's text."""

    start: int
    """First character, in code points."""
    end: int
    """The one after its last."""


@dataclass(frozen=True)
class Chunked:
    """A document and its passages, in order."""

    document: Document
    sha256: str
    """Of the document's content."""
    spans: tuple[Span, ...]
    """At least one."""

    def texts(self) -> list[str]:
        """Each passage."""
        return [self.document.text[span.start : span.end] for span in self.spans]


@dataclass(frozen=True)
class Passage:
    """A passage as it is stored."""

    document: str
    """Its document's id."""
    title: str
    text: str
    start: int
    """Its first character in the document's text, in code points."""
    end: int
    """The one after its last."""
    metadata: Mapping[str, Any]


def content_sha256(document: Document) -> str:
    """A hash of all but the name.

    Raises:
        DataError: Text or metadata that no file could hold: an empty text, a lone surrogate, NaN.
    """
    if not document.text or document.text.isspace():
        found = "white space alone" if document.text else "empty"
        raise DataError(f"{document.place}: its text is {found}; expected something to find.")
    if not document.id:
        raise DataError("a document has an empty id; expected a name to find it by.")
    _check(document.place, document.metadata)
    if "\0" in f"{document.id}{document.title}{document.text}":
        raise DataError(f"{document.place}: holds a NUL character, which is no text; remove it.")
    parts = [document.title, document.text, document.metadata]
    try:
        written = json.dumps(parts, sort_keys=True, ensure_ascii=False).encode()
        document.id.encode()
    except UnicodeEncodeError as error:
        code = ord(str(error.object)[error.start])
        raise DataError(
            f"{document.place}: holds the lone surrogate U+{code:04X}, which no file can hold; "
            "replace it, for instance by U+FFFD."
        ) from error
    return hashlib.sha256(written).hexdigest()


def _check(place: str, value: Any, name: str = "") -> None:
    """Refuses what JSON has no word for; `name` is the field that it stands in."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if not isinstance(key, str) or not key:
                raise DataError(f"{place}: metadata field {key!r:.80}; expected a name.")
            _check(place, inner, name or key)
    elif isinstance(value, list | tuple):
        for inner in value:
            _check(place, inner, name)
    elif isinstance(value, str) and "\0" in value:
        raise DataError(f"{place}: metadata field `{name}` holds a NUL character; remove it.")
    elif isinstance(value, float) and not math.isfinite(value):
        raise DataError(f"{place}: metadata field `{name}` is {value}; leave it out instead.")
    elif value is not None and not isinstance(value, str | int | float):
        raise DataError(
            f"{place}: metadata field `{name}` is a {type(value).__name__}; expected text, a "
            "number, a boolean, or lists and objects of these."
        )
