"""What every home of vectors offers: a folder, Qdrant, PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from unmask.errors import DataError
from unmask.search.config import IndexConfig
from unmask.search.documents import Chunked, Passage
from unmask.search.embedder import Embedder, Vectors
from unmask.search.filters import Condition

Key = int | str
"""Names a passage within one home, until something is added to it or deleted from it."""


@dataclass(frozen=True)
class About:
    """What an index was made by and how."""

    model: str
    """The model's name."""
    sha256: str
    """Of all that decides its vectors."""
    dimension: int
    config: IndexConfig


@dataclass(frozen=True, slots=True)
class Match:
    """A passage that was found."""

    key: Key
    document: str
    """Its document's id."""
    score: float
    """More is better: cosine or dot product for vectors, BM25 for words."""


@dataclass(frozen=True)
class Counts:
    """How much is there."""

    documents: int
    passages: int


class VectorStore(Protocol):
    """A home of vectors and passages; what `Index` needs of one.

    Vectors are float32, of length 1 where the index compares by cosine.
    """

    @property
    def place(self) -> str:
        """How messages call it; holds no password."""
        ...

    @property
    def about(self) -> About:
        """What it was made by and how."""
        ...

    def alone(self) -> AbstractContextManager[None]:
        """While it lasts nobody else writes, where the home can promise that.

        Raises:
            UsageError: Somebody else does.
        """
        ...

    def known(self, ids: Sequence[str]) -> dict[str, str]:
        """The content's hash of each of these documents that is there whole."""
        ...

    def add(self, documents: Sequence[Chunked], vectors: Vectors) -> None:
        """Keeps documents with the (N, D) vectors of all their passages, one after another.

        All of them or none, where the home can promise that; each takes the place of one of its
        id.

        Raises:
            MachineError: They cannot be written.
        """
        ...

    def delete(self, ids: Iterable[str]) -> int:
        """Removes documents; how many of them were there."""
        ...

    def search(
        self, queries: Vectors, top_k: int, conditions: Sequence[Condition]
    ) -> list[list[Match]]:
        """The nearest passages of each (Q, D) query that fulfil the conditions, best first.

        As many as `top_k`, or all where there are fewer.

        Raises:
            UsageError: A field that no document has, or a comparison that the home cannot make.
        """
        ...

    def passages(self, keys: Sequence[Key]) -> Mapping[Key, Passage]:
        """The passages of these keys, but for those that somebody has deleted since."""
        ...

    def fields(self) -> set[str]:
        """Metadata fields that a condition may be on."""
        ...

    def count(self) -> Counts:
        """Documents and passages."""
        ...

    def finish(self) -> Mapping[str, Any]:
        """Brings what was added into its best shape; figures about that, to be told."""
        ...

    def compact(self) -> Mapping[str, Any]:
        """As `finish`, over everything, whatever it costs; also frees the space of what is gone."""
        ...

    def close(self) -> None:
        """Lets go of files and connections."""
        ...


@runtime_checkable
class WordSearch(Protocol):
    """A home that can also be searched by words."""

    def search_words(
        self, queries: Sequence[str], top_k: int, conditions: Sequence[Condition]
    ) -> list[list[Match]]:
        """The passages of each query with the best BM25 scores, best first, none that has no word.

        Raises:
            UsageError: As `search`.
        """
        ...


class Closable(Protocol):
    """What holds files or a connection."""

    def close(self) -> None:
        """Lets go of them."""
        ...


@contextmanager
def closed_on_error(opened: Closable) -> Iterator[None]:
    """Closes what was opened where something goes wrong before it can be handed on."""
    try:
        yield
    except BaseException:
        opened.close()
        raise


def check_embedder(place: str, about: About, embedder: Embedder) -> None:
    """Refuses a model that the index was not made by: its vectors would mean something else.

    Raises:
        DataError: Another model, or one of another dimension.
    """
    if embedder.sha256 != about.sha256:
        raise DataError(
            f"{place}: was built by another model: {about.model} (sha256 {about.sha256[:12]}), not "
            f"by {embedder.name} (sha256 {embedder.sha256[:12]}). Vectors of two models, or of one "
            "before and after training, cannot be compared. Search with that model, or index "
            "the documents again by this one."
        )
    if embedder.dimension != about.dimension:
        raise DataError(
            f"{place}: holds vectors of {about.dimension} dimensions, and {embedder.name} makes "
            f"vectors of {embedder.dimension}. Give the model the dimensions that the index has, "
            "or index the documents again."
        )


def written_about(about: About) -> str:
    """How an index was made, as homes without a manifest keep it."""
    kept = {"model": about.model, "sha256": about.sha256, "dimension": about.dimension}
    return json.dumps({"version": 1, **kept, "config": about.config.model_dump(mode="json")})


def read_about(written: Any, place: str) -> About:
    """The same, read back.

    Raises:
        DataError: It was written by something else.
    """
    try:
        found = json.loads(written)
        config = IndexConfig.model_validate(found["config"])
        return About(found["model"], found["sha256"], int(found["dimension"]), config)
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"{place}: was not made by unmask, or by another version ({error!r:.200})."
        ) from error
