"""Documents that can be searched: what the verbs call, whatever home the vectors have."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from unmask.errors import DataError, UsageError
from unmask.search import adding
from unmask.search.config import IndexConfig, SearchConfig
from unmask.search.documents import Document
from unmask.search.embedder import Embedder, Reranker
from unmask.search.homes import create_store, open_store
from unmask.search.searching import Hit, search
from unmask.search.store import About, Counts, VectorStore, check_embedder, closed_on_error

logger = logging.getLogger(__name__)


class Index:
    """Documents, their passages and their vectors, in a folder, in Qdrant, or in PostgreSQL."""

    def __init__(self, store: VectorStore, embedder: Embedder) -> None:
        """Over a store that was made by this model.

        Raises:
            DataError: It was made by another model, or for vectors of another dimension.
        """
        check_embedder(store.place, store.about, embedder)
        self.store = store
        self.embedder = embedder
        self.figures: Mapping[str, Any] = {}
        """How the nearest are found and what share of them, as the last `add` left it."""

    @classmethod
    def create(
        cls,
        place: Path | str,
        embedder: Embedder,
        config: IndexConfig = IndexConfig(),
        *,
        model: str | None = None,
        client: Any = None,
    ) -> Self:
        """Makes an empty index at a place; see `homes` for what a place may be.

        `model` is what the model is to be loaded by later; without it the embedder's name.
        `client` is a client of Qdrant for `qdrant:///COLLECTION`, such as an embedded one; the
        index closes it.

        Raises:
            UsageError: Something is there already, or a setting has no effect there.
            MachineError: It cannot be made, or a package is missing.
        """
        _tell_of_cut(config, embedder)
        about = About(model or embedder.name, embedder.sha256, embedder.dimension, config)
        return cls(create_store(place, about, client), embedder)

    @classmethod
    def open(
        cls, place: Path | str, embedder: Embedder, *, verify: bool = True, client: Any = None
    ) -> Self:
        """Opens an index; with `verify` every byte of a folder is compared with its manifest.

        `client` is as in `create`.

        Raises:
            DataError: No index, a damaged one, or one of another model.
        """
        store = open_store(place, verify=verify, client=client)
        with closed_on_error(store):
            return cls(store, embedder)

    def add(self, documents: Iterable[Document], told: adding.Told | None = None) -> adding.Added:
        """Adds documents, or puts them in the place of those with their ids.

        Those that are there with the same content are passed over, so the same call goes on where
        another was killed; what was committed before stays. `told` hears how far it has come.

        Raises:
            DataError: An id comes twice, a text is empty, or the model's vectors are broken.
            UsageError: Another process is writing the index; none can while this lasts.
        """
        with self.store.alone():
            added = adding.add(self.store, self.embedder, documents, told)
            self.figures = self.store.finish()
        return added

    def delete(self, ids: Iterable[str]) -> int:
        """Removes the documents of these ids; how many of them were there.

        Raises:
            UsageError: Another process is writing the index.
        """
        return self.store.delete(ids)

    def compact(self) -> Mapping[str, Any]:
        """Frees the space of what was deleted, and puts everything together.

        Returns how the nearest are found now, as `figures` has it.

        Raises:
            UsageError: Another process is writing the index.
        """
        return self.store.compact()

    def search(
        self, query: str, config: SearchConfig = SearchConfig(), reranker: Reranker | None = None
    ) -> list[Hit]:
        """The best passages for a query, best first.

        Raises:
            UsageError: A blank query, a condition on a field that no document has, or words where
                the home knows only vectors.
            DataError: The index is empty.
        """
        return self.search_many([query], config, reranker)[0]

    def search_many(
        self,
        queries: Sequence[str],
        config: SearchConfig = SearchConfig(),
        reranker: Reranker | None = None,
    ) -> list[list[Hit]]:
        """As `search`, for each of several queries, whose vectors are made together."""
        try:
            found = search(self.store, self.embedder, queries, config, reranker)
        except UsageError:
            self._refuse_empty()  # which has no field to filter by either
            raise
        if not any(found):
            self._refuse_empty()
        return found

    def _refuse_empty(self) -> None:
        if not self.count().passages:
            raise DataError(
                f"{self.store.place}: the index is empty, so there is nothing to find. Add "
                "documents by `unmask index MODEL --input FILE --output DIR`."
            )

    def count(self) -> Counts:
        """Documents and passages."""
        return self.store.count()

    def close(self) -> None:
        """Lets go of files and connections."""
        self.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Closes it."""
        self.close()


def _tell_of_cut(config: IndexConfig, embedder: Embedder) -> None:
    """Passages longer than the model reads are none."""
    wanted = config.chunk.max_tokens
    if wanted is not None and wanted > embedder.max_length:
        logger.warning(
            "--chunk.max-tokens %d: %s reads %d tokens of a text, and passages have no more.",
            wanted,
            embedder.name,
            embedder.max_length,
        )
