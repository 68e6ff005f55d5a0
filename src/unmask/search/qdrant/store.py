"""An index in Qdrant: a server's collection, or one embedded in this process.

Qdrant has no transactions. A document's first passage is written after all others, so where it is
there the document is whole; what takes a document's place is written before the old one goes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Self

from unmask.errors import DataError, UsageError
from unmask.search.documents import Chunked, Passage
from unmask.search.embedder import Vectors
from unmask.search.extras import qdrant
from unmask.search.filters import Condition, check_fields, comparable
from unmask.search.qdrant.connecting import quiet, told
from unmask.search.qdrant.payloads import filter_of, matching, of_documents, passage, point
from unmask.search.store import (
    About,
    Counts,
    Key,
    Match,
    closed_on_error,
    read_about,
    written_about,
)

_POINTS = 256
"""Written or asked for at once."""


class QdrantStore:
    """The home of an index in a collection of Qdrant."""

    def __init__(self, client: Any, collection: str, place: str, about: About) -> None:
        self._client = client
        self._collection = collection
        self.place = place
        self.about = about
        self._models = qdrant().models

    @classmethod
    def create(cls, client: Any, collection: str, place: str, about: About) -> Self:
        """Makes an empty collection.

        Raises:
            UsageError: It is there already, or cannot be as the settings want it.
            MachineError: Qdrant cannot be reached, or refuses.
        """
        with closed_on_error(client), told(place):
            if about.config.kind == "ivf":
                raise UsageError(
                    f"{place}: Qdrant finds by a graph; expected --kind auto, exact or hnsw."
                )
            if client.collection_exists(collection):
                raise UsageError(f"{place}: is there already; choose another collection.")
            models = qdrant().models
            coarse = models.ScalarQuantizationConfig(type=models.ScalarType.INT8, always_ram=True)
            quantised = models.ScalarQuantization(scalar=coarse)
            client.create_collection(
                collection,
                vectors_config=models.VectorParams(
                    size=about.dimension, distance=models.Distance.DOT
                ),
                quantization_config=quantised if about.config.quantise == "sq8" else None,
                metadata={"unmask": written_about(about)},
            )
            with quiet():
                client.create_payload_index(collection, "document", "keyword")
                client.create_payload_index(collection, "number", "integer")
            return cls(client, collection, place, about)

    @classmethod
    def open(cls, client: Any, collection: str, place: str) -> Self:
        """Opens a collection that is there.

        Raises:
            DataError: None, or none of ours.
            MachineError: Qdrant cannot be reached, or refuses.
        """
        with closed_on_error(client), told(place):
            if not client.collection_exists(collection):
                raise DataError(
                    f"{place}: no such collection. Make it by `unmask index MODEL --input FILE "
                    "--output PLACE`."
                )
            found = client.get_collection(collection).config.metadata or {}
            return cls(client, collection, place, read_about(found.get("unmask"), place))

    def alone(self) -> AbstractContextManager[None]:
        """See `VectorStore.alone`; Qdrant promises nothing."""
        return nullcontext()

    def known(self, ids: Sequence[str]) -> dict[str, str]:
        """See `VectorStore.known`."""
        found: dict[str, set[str]] = {}
        with told(self.place):
            for names in _parts(ids):
                whole = [of_documents(names), matching("number", 0)]
                for there in self._scroll(whole, ["document", "sha256"]):
                    payload = there.payload
                    found.setdefault(payload["document"], set()).add(payload["sha256"])
        # Of two contents the older one was to go: adding the document again sees to that.
        return {name: next(iter(of)) if len(of) == 1 else "" for name, of in found.items()}

    def add(self, documents: Sequence[Chunked], vectors: Vectors) -> None:
        """See `VectorStore.add`; a kill may keep some of the documents."""
        firsts: list[Any] = []
        others: list[Any] = []
        row = 0
        for one in documents:
            for number in range(len(one.spans)):
                (others if number else firsts).append(point(one, number, vectors[row]))
                row += 1
        hashes = {one.document.id: one.sha256 for one in documents}
        with told(self.place):
            old = {
                (there.payload["document"], there.payload["sha256"])
                for names in _parts(list(hashes))
                for there in self._scroll([of_documents(names)], ["document", "sha256"])
            }
            self._remember(documents)
            for points in (others, firsts):
                for part in _parts(points):
                    self._client.upsert(self._collection, part, wait=True)
            for name, sha256 in sorted(old):
                if sha256 != hashes[name]:
                    self._delete([matching("document", name), matching("sha256", sha256)])

    def delete(self, ids: Iterable[str]) -> int:
        """See `VectorStore.delete`."""
        names = list(dict.fromkeys(ids))
        there = len(self.known(names))
        with told(self.place):
            for part in _parts(names):
                self._delete([of_documents(part)])
        return there

    def search(
        self, queries: Vectors, top_k: int, conditions: Sequence[Condition]
    ) -> list[list[Match]]:
        """See `VectorStore.search`."""
        if conditions:
            check_fields(conditions, self.fields())
        wanted = filter_of(conditions)
        exact = self.about.config.kind == "exact"
        with told(self.place):
            found = self._query(queries, top_k, wanted, exact=exact)
            if not exact and any(len(one) < top_k for one in found):
                there = min(top_k, self._count(wanted))
                if any(len(one) < there for one in found):
                    found = self._query(queries, top_k, wanted, exact=True)
        return found

    def passages(self, keys: Sequence[Key]) -> dict[Key, Passage]:
        """See `VectorStore.passages`."""
        with told(self.place):
            points = self._client.retrieve(self._collection, list(keys), with_payload=True)
        return {one.id: passage(one.payload) for one in points}

    def fields(self) -> set[str]:
        """See `VectorStore.fields`."""
        with told(self.place):
            found = self._client.get_collection(self._collection).config.metadata or {}
        return set(json.loads(found.get("fields", "[]")))

    def count(self) -> Counts:
        """See `VectorStore.count`."""
        with told(self.place):
            first = self._models.Filter(must=[matching("number", 0)])
            return Counts(self._count(first), self._count(None))

    def finish(self) -> Mapping[str, Any]:
        """Qdrant sees to that by itself."""
        return {"kind": "exact" if self.about.config.kind == "exact" else "hnsw, by Qdrant"}

    def compact(self) -> Mapping[str, Any]:
        """Qdrant sees to that by itself."""
        return self.finish()

    def close(self) -> None:
        """See `VectorStore.close`."""
        self._client.close()

    def _remember(self, documents: Sequence[Chunked]) -> None:
        """Keeps the names of new metadata fields, before any document has them."""
        known = self.fields()
        new = {name for one in documents for name in comparable(one.document.metadata)[0]}
        if new - known:
            written = {"fields": json.dumps(sorted(new | known))}
            self._client.update_collection(self._collection, metadata=written)

    def _delete(self, conditions: list[Any]) -> None:
        models = self._models
        chosen = models.FilterSelector(filter=models.Filter(must=conditions))
        self._client.delete(self._collection, chosen, wait=True)

    def _scroll(self, conditions: list[Any], names: list[str]) -> Iterator[Any]:
        """All points that fulfil the conditions, with these parts of what is kept with them."""
        wanted, following = self._models.Filter(must=conditions), None
        while True:
            points, following = self._client.scroll(
                self._collection, wanted, _POINTS, offset=following, with_payload=names
            )
            yield from points
            if following is None:
                return

    def _count(self, wanted: Any) -> int:
        return int(self._client.count(self._collection, count_filter=wanted, exact=True).count)

    def _query(
        self, queries: Vectors, top_k: int, wanted: Any, *, exact: bool
    ) -> list[list[Match]]:
        models = self._models
        requests = [
            models.QueryRequest(
                query=query.tolist(),
                filter=wanted,
                limit=top_k,
                params=models.SearchParams(exact=True) if exact else None,
                with_payload=["document"],
            )
            for query in queries
        ]
        with quiet():
            answers = [
                answer
                for part in _parts(requests)
                for answer in self._client.query_batch_points(self._collection, part)
            ]
        return [
            [Match(one.id, one.payload["document"], one.score) for one in answer.points]
            for answer in answers
        ]


def _parts(items: Sequence[Any]) -> Iterator[list[Any]]:
    for start in range(0, len(items), _POINTS):
        yield list(items[start : start + _POINTS])
