"""Documents into a store: cut, made vectors of, and kept, some thousand passages at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from unmask.errors import DataError
from unmask.search.chunking import passages_of, read_title, with_title
from unmask.search.documents import Chunked, Document, content_sha256
from unmask.search.embedder import Embedder, Vectors, checked_vectors
from unmask.search.names import hash_of
from unmask.search.store import VectorStore

_DOCUMENTS, _CHARACTERS = 512, 1_000_000
"""Documents looked at together, at most; they are asked for by their ids in one question."""


@dataclass
class Added:
    """What became of documents that were to be added."""

    added: int = 0
    """Documents that were not there."""
    replaced: int = 0
    """Documents that were there with another content."""
    unchanged: int = 0
    """Documents that were there as they are; nothing was done."""
    passages: int = 0
    """Passages of what was added or replaced."""


Told = Callable[[Added, int], None]
"""Hears what has been kept so far, and how many passages wait for the next commit."""


def add(
    store: VectorStore, embedder: Embedder, documents: Iterable[Document], told: Told | None = None
) -> Added:
    """Adds documents; those whose content is there already are passed over.

    So the same call goes on where another was killed.

    Raises:
        DataError: An id comes twice, a document is empty, or the model's vectors are broken;
            what was kept before stays.
    """
    adding = _Adding(store, embedder, told)
    held: list[Document] = []
    num_characters = 0
    for document in documents:
        held.append(document)
        num_characters += len(document.text)
        if len(held) >= _DOCUMENTS or num_characters >= _CHARACTERS:
            adding.take(held)
            held, num_characters = [], 0
    adding.take(held)
    adding.commit()
    return adding.done


class _Adding:
    """What is on its way into the store."""

    def __init__(self, store: VectorStore, embedder: Embedder, told: Told | None) -> None:
        self.done = Added()
        self._store = store
        self._embedder = embedder
        self._told = told
        self._seen: set[int] = set()  # hashes of ids
        self._pending = Added()
        self._documents: list[Chunked] = []
        self._vectors: list[Vectors] = []

    def take(self, documents: list[Document]) -> None:
        """Makes vectors of what is new among these, and commits when there are enough."""
        hashes = [self._checked(document) for document in documents]
        known = self._store.known([document.id for document in documents])
        new: list[Chunked] = []
        config = self._store.about.config
        waiting = sum(map(len, self._vectors))
        for document, sha256 in zip(documents, hashes, strict=True):
            if known.get(document.id) == sha256:
                self._pending.unchanged += 1
                continue
            self._pending.replaced += document.id in known
            self._pending.added += document.id not in known
            spans = passages_of(document, self._embedder, config.chunk)
            new.append(Chunked(document, sha256, spans))
            waiting += len(spans)
            if waiting >= config.commit_passages:
                self._encode(new)
                self.commit()
                new, waiting = [], 0
        self._encode(new)
        if self._told is not None:
            self._told(self.done, waiting)

    def commit(self) -> None:
        """Keeps what is pending."""
        if self._documents:
            vectors = np.concatenate(self._vectors)
            self._store.add(self._documents, vectors)
            self._pending.passages = len(vectors)
        for name, number in vars(self._pending).items():
            setattr(self.done, name, getattr(self.done, name) + number)
        self._pending = Added()
        self._documents, self._vectors = [], []
        if self._told is not None:
            self._told(self.done, 0)

    def _checked(self, document: Document) -> str:
        name = hash_of(document.id)
        if name in self._seen:
            raise DataError(
                f"{document.place}: comes twice among what is to be added, and one would take the "
                "other's place. Give each document an id of its own."
            )
        self._seen.add(name)
        return content_sha256(document)

    def _encode(self, documents: list[Chunked]) -> None:
        if not documents:
            return
        chunk = self._store.about.config.chunk
        texts = []
        for one in documents:
            title = read_title(one.document, self._embedder, chunk)
            texts += [with_title(title, text) for text in one.texts()]
        unit = self._store.about.config.similarity == "cosine"
        made = self._embedder.encode_document(texts)
        self._vectors.append(checked_vectors(made, len(texts), self._embedder, unit=unit))
        self._documents += documents
