"""What one labelled example is, for each kind of task; every reader gives these."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TextExample:
    """One text or two, and what is to be said of them."""

    id: str
    text: str
    text_pair: str | None
    """The second text; None where the task has only one."""
    label: str | tuple[str, ...] | float | None
    """A class, several of them, a number, or None where nothing is known."""
    group: str | None
    """What the example belongs to (an author, a document): a split never divides a group."""
    place: str
    """File and line, for messages."""


@dataclass(frozen=True, slots=True)
class ChoiceExample:
    """A text and the choices that may go with it."""

    id: str
    text: str
    choices: tuple[str, ...]
    """At least two."""
    label: int | None
    """The right choice, from 0; None where it is not known."""
    place: str
    """File and line, for messages."""
    group: str | None = None
    """As a `TextExample`'s."""


@dataclass(frozen=True, slots=True)
class TaggedExample:
    """A text whose words carry tags."""

    id: str
    text: str
    words: tuple[tuple[int, int], ...]
    """First and past-the-last code point of each word in the text, ascending, none empty."""
    tags: tuple[str, ...] | None
    """One for each word; None where they are not known."""
    place: str
    """File and line, for messages."""
    group: str | None = None
    """As a `TextExample`'s."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A right answer: a piece of the context."""

    text: str
    start: int
    """Its first code point in the context."""


@dataclass(frozen=True, slots=True)
class QuestionExample:
    """A question about a context that may hold its answer."""

    id: str
    question: str
    context: str
    answers: tuple[Answer, ...]
    """All that annotators gave, repeats included, in their order. Empty for a question that is
    impossible, and for one whose answers are not known."""
    is_impossible: bool
    """Whether it is known that the context holds no answer."""
    title: str | None
    """The article of the context."""
    place: str
    """File and question, for messages."""


@dataclass(frozen=True, slots=True)
class RankedExample:
    """A query, documents that may answer it, and how well they do."""

    id: str
    query: str
    documents: tuple[str, ...]
    """At least one, no two alike where they have grades."""
    grades: tuple[float, ...] | None
    """How relevant each document is, more for better and 0 for not at all; None where that is not
    known."""
    place: str
    """File and line, for messages."""
    group: str | None = None
    """As a `TextExample`'s."""


@dataclass(frozen=True, slots=True)
class EmbeddingExample:
    """Texts whose vectors are compared, and what is known of them."""

    id: str
    texts: tuple[str, ...]
    """An anchor, what is near it, and what is not; two texts with a label; or one."""
    label: str | float | tuple[float, ...] | None
    """A class, a score, a teacher's scores or vector, or None where nothing is said."""
    place: str
    """File and line, for messages."""
    group: str | None = None
    """As a `TextExample`'s."""
    data_set: int = 0
    """Which of the data sets that are mixed it comes from."""


Example = (
    TextExample | ChoiceExample | TaggedExample | QuestionExample | EmbeddingExample | RankedExample
)
