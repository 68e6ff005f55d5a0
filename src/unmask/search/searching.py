"""From a query to passages: by vectors, by words, fused, and ranked again."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from unmask.errors import DataError, UsageError
from unmask.search.chunking import with_title
from unmask.search.config import SearchConfig
from unmask.search.embedder import Embedder, Reranker, Vectors, checked_vectors
from unmask.search.filters import Condition, parse
from unmask.search.fusion import reciprocal_rank_fusion
from unmask.search.store import Key, Match, VectorStore, WordSearch
from unmask.text.normalise import replace_surrogates

logger = logging.getLogger(__name__)

_SHOWN_CHARACTERS = 60


@dataclass(frozen=True)
class Hit:
    """A passage that was found."""

    document: str
    """Its document's id."""
    title: str
    text: str
    start: int
    """Its first character in the document's text, in code points."""
    end: int
    """The one after its last."""
    metadata: Mapping[str, Any]
    score: float
    """What it is ranked by; more is better."""
    scores: Mapping[str, float]
    """What is known of it: `vectors` (cosine or dot product), `words` (BM25), `hybrid` (fusion),
    `reranker`."""


@dataclass(frozen=True)
class _Ranked:
    """A passage with what is known of it so far."""

    key: Key
    document: str
    score: float
    scores: Mapping[str, float]


def search(
    store: VectorStore,
    embedder: Embedder,
    queries: Sequence[str],
    config: SearchConfig,
    reranker: Reranker | None = None,
) -> list[list[Hit]]:
    """The best passages for each query, best first; see `Index.search`."""
    if config.by != "vectors" and not isinstance(store, WordSearch):
        raise UsageError(
            f"{store.place}: knows vectors alone, so --by {config.by} cannot be; an index in a "
            "folder can."
        )
    asked = [_checked(query, number) for number, query in enumerate(queries, 1)]
    conditions = parse(config.filter)
    vectors = None
    if config.by != "words" and asked:
        vectors = _vectors(asked, embedder, unit=store.about.config.similarity == "cosine")
    wanted = config.top_k
    if config.by == "hybrid" or reranker is not None:
        wanted = max(wanted, config.depth)
    # All that is shown is ranked again: scores of two kinds have no order between them.
    depth = max(config.top_k, config.depth)
    ranked = _ranked(store, asked, vectors, wanted, conditions, config)
    found = []
    for query, ranking in zip(asked, ranked, strict=True):
        if reranker is not None:
            ranking = _reranked(store, query, ranking[:depth], reranker)
        found.append(_hits(store, ranking[: config.top_k]))
    return found


def _checked(query: str, number: int) -> str:
    """The query.

    Raises:
        UsageError: It is blank.
    """
    if not query.strip():
        found = "is white space alone" if query else "is empty"
        raise UsageError(f"query {number}: {found}; expected something to search for.")
    return replace_surrogates(query)


def _vectors(queries: Sequence[str], embedder: Embedder, *, unit: bool) -> Vectors:
    """(Q, D) of the queries, each cut where the model stops to read, which is told."""
    read = [_cut(query, number, embedder) for number, query in enumerate(queries, 1)]
    return checked_vectors(embedder.encode_query(read), len(read), embedder, unit=unit)


def _cut(query: str, number: int, embedder: Embedder) -> str:
    tokens = embedder.spans(query)
    longest = max(1, embedder.max_query_length)
    if len(tokens) <= longest:
        return query
    end = int(tokens[longest - 1, 1])
    logger.warning(
        "query %d %r...: has %d tokens, and %s reads %d: its vector says nothing of what comes "
        "after character %d (...%r). Shorten it, or search by words as well.",
        number,
        query[:_SHOWN_CHARACTERS],
        len(tokens),
        embedder.name,
        longest,
        end,
        query[max(0, end - 20) : end],
    )
    return query[:end]


def _ranked(
    store: VectorStore,
    queries: Sequence[str],
    vectors: Vectors | None,
    wanted: int,
    conditions: Sequence[Condition],
    config: SearchConfig,
) -> list[list[_Ranked]]:
    """So many passages of each query, or where documents are wanted so many of these."""
    size = wanted
    while True:
        near = [] if vectors is None else store.search(vectors, size, conditions)
        wordy = []
        if config.by != "vectors" and isinstance(store, WordSearch):
            wordy = store.search_words(queries, size, conditions)
        if config.by == "hybrid":
            ranked = [_fused(*one, config.rrf_k) for one in zip(near, wordy, strict=True)]
        else:
            ranked = [_alone(one, config.by) for one in (near or wordy)]
        if not config.documents:
            return ranked
        lists = [*near, *wordy]
        once = [_each_document_once(ranking) for ranking in ranked]
        # More passages bring more documents, as long as there are any.
        if all(len(one) >= wanted for one in once) or all(len(one) < size for one in lists):
            return once
        size *= 2


def _alone(matches: Sequence[Match], by: str) -> list[_Ranked]:
    return [_Ranked(one.key, one.document, one.score, {by: one.score}) for one in matches]


def _fused(near: Sequence[Match], wordy: Sequence[Match], rrf_k: float) -> list[_Ranked]:
    scores: dict[Key, dict[str, float]] = {}
    documents: dict[Key, str] = {}
    for name, matches in (("vectors", near), ("words", wordy)):
        for match in matches:
            scores.setdefault(match.key, {})[name] = match.score
            documents[match.key] = match.document
    fused = reciprocal_rank_fusion([[one.key for one in near], [one.key for one in wordy]], rrf_k)
    return [
        _Ranked(key, documents[key], score, {**scores[key], "hybrid": score})
        for key, score in fused
    ]


def _each_document_once(ranking: Sequence[_Ranked]) -> list[_Ranked]:
    best: dict[str, _Ranked] = {}
    for one in ranking:
        best.setdefault(one.document, one)
    return list(best.values())


def _reranked(
    store: VectorStore, query: str, ranking: Sequence[_Ranked], reranker: Reranker
) -> list[_Ranked]:
    """By the reranker's scores; of equal ones in the order before.

    Raises:
        DataError: Not a finite score for each.
    """
    passages = store.passages([one.key for one in ranking])
    ranking = [one for one in ranking if one.key in passages]
    texts = [with_title(passages[one.key].title, passages[one.key].text) for one in ranking]
    scores = np.asarray(reranker.rank(query, texts) if texts else [], dtype=np.float64)
    if scores.shape != (len(texts),) or not np.isfinite(scores).all():
        faulty = int((~np.isfinite(scores)).sum())
        raise DataError(
            f"the reranker gave scores of shape {scores.shape}, {faulty} of them not finite (NaN "
            f"or infinity); expected {len(texts)} finite numbers."
        )
    order = np.argsort(-scores, kind="stable")
    return [
        _Ranked(one.key, one.document, score, {**one.scores, "reranker": score})
        for one, score in ((ranking[i], float(scores[i])) for i in order.tolist())
    ]


def _hits(store: VectorStore, ranking: Sequence[_Ranked]) -> list[Hit]:
    """What was found, but for what somebody has deleted since."""
    passages = store.passages([one.key for one in ranking])
    known = ((passages[one.key], one) for one in ranking if one.key in passages)
    return [
        Hit(
            document=passage.document,
            title=passage.title,
            text=passage.text,
            start=passage.start,
            end=passage.end,
            metadata=passage.metadata,
            score=one.score,
            scores=one.scores,
        )
        for passage, one in known
    ]
