"""Judgements and runs by query, and whether judgements name what is there."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import TypeVar

from unmask.data.rejects import Rejects
from unmask.data.retrieval.records import CorpusDocument, Hit, Judgement
from unmask.errors import DataError

_SHOWN = 10

R = TypeVar("R", Judgement, Hit)
V = TypeVar("V", int, float)


def gather_qrels(judgements: Iterable[Judgement], rejects: Rejects) -> dict[str, dict[str, int]]:
    """The relevance of documents by query; of two judgements of a pair the second is rejected.

    Raises:
        DataError: Too many rejects.
    """
    return _gather(judgements, lambda judgement: judgement.relevance, "judgement", rejects)


def gather_run(hits: Iterable[Hit], rejects: Rejects) -> dict[str, dict[str, float]]:
    """The scores of documents by query; a document that a query has already is rejected.

    Raises:
        DataError: Too many rejects.
    """
    return _gather(hits, lambda hit: hit.score, "result", rejects)


def check_queries(judgements: Sequence[Judgement], queries: Collection[str]) -> None:
    """Whether the judged queries are among those that there are.

    Raises:
        DataError: Some are not: the first ten, and their number.
    """
    unknown = _by_name((j for j in judgements if j.query not in queries), lambda j: j.query)
    if not unknown:
        return
    hint = "Are these the queries and the judgements of one data set?"
    named = {judgement.query for judgement in judgements}
    if all(name.isdecimal() and 1 <= int(name) <= len(queries) for name in named):
        hint = (
            f"All judged ids lie in 1 to {len(queries)}, the number of queries: if they count "
            'these by position, as in Cranfield, read the queries with query_ids="position".'
        )
    raise _unknown(unknown, judgements, "queries", hint)


def check_documents(
    documents: Iterable[CorpusDocument], judgements: Sequence[Judgement]
) -> Iterator[CorpusDocument]:
    """The documents as they come; at their end, whether all that are judged came by.

    Holds the judged ids only, not those of the corpus.

    Raises:
        DataError: Some did not: the first ten, and their number.
    """
    missing = _by_name(judgements, lambda judgement: judgement.document)
    for document in documents:
        missing.pop(document.id, None)
        yield document
    if missing:
        hint = "Are these the corpus and the judgements of one data set, of one version?"
        raise _unknown(missing, judgements, "documents", hint)


def _gather(
    records: Iterable[R], value: Callable[[R], V], what: str, rejects: Rejects
) -> dict[str, dict[str, V]]:
    found: dict[str, dict[str, V]] = {}
    for record in records:
        of_query = found.setdefault(record.query, {})
        if record.document in of_query:
            detail = f"query `{record.query[:80]}`, document `{record.document[:80]}`"
            rejects.num_records -= 1  # counted as good when it was read
            rejects.add(record.source, record.line, f"duplicate {what}", detail)
            continue
        of_query[record.document] = value(record)
    rejects.check()
    return found


def _by_name(
    judgements: Iterable[Judgement], name: Callable[[Judgement], str]
) -> dict[str, Judgement]:
    """The first judgement that names each."""
    found: dict[str, Judgement] = {}
    for judgement in judgements:
        found.setdefault(name(judgement), judgement)
    return found


def _unknown(
    unknown: dict[str, Judgement], judgements: Sequence[Judgement], what: str, hint: str
) -> DataError:
    names = list(unknown)
    shown = ", ".join(f"`{name[:80]}`" for name in names[:_SHOWN])
    more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    first = unknown[names[0]]
    return DataError(
        f"{first.place}: {len(names):,} of the {what} that the {len(judgements):,} judgements name "
        f"are not there: {shown}{more}. {hint}"
    )
