"""A whole test collection: judged queries, their judgements, and documents that stream by."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from unmask.data.rejects import Rejects
from unmask.data.retrieval import beir, cranfield, trec, trec_xml
from unmask.data.retrieval.config import RetrievalConfig
from unmask.data.retrieval.matching import check_documents, check_queries, gather_qrels
from unmask.data.retrieval.records import CorpusDocument, Judgement, Query

_CRANFIELD_CORPUS = "cran.all.1400.xml"
_CRANFIELD_QUERIES = "cran.qry.xml"
_CRANFIELD_QRELS = "cranqrel.trec.txt"
_CRANFIELD_GRADED = Path("original", "cranqrel")


@dataclass(frozen=True)
class Collection:
    """What a search is measured on."""

    queries: Mapping[str, str]
    """The texts of the judged queries by their ids, in the order of the judgements."""
    qrels: Mapping[str, Mapping[str, int]]
    """Relevance by query and document."""
    read: Callable[[Rejects], Iterator[CorpusDocument]]
    """Reads the documents, one after another; every call from the beginning, so that each needs
    rejects of its own."""


def open_beir(
    folder: Path | str, split: str, config: RetrievalConfig, rejects: Rejects
) -> Collection:
    """A data set in BEIR's layout, with the queries of one split such as `test`.

    Raises:
        DataError: A file is not there or cannot be read, or a judgement names a query that is not
            there. Reading the documents raises the same, also where they lack one that is judged.
    """
    places = beir.find(folder, split)
    judgements = list(beir.read_qrels(places.qrels, config, rejects))
    queries = beir.read_queries(places.queries, config, rejects)

    def read(rejects: Rejects) -> Iterator[CorpusDocument]:
        return check_documents(beir.read_corpus(places.corpus, config, rejects), judgements)

    return _collection(judgements, queries, read, rejects)


def open_cranfield(
    folder: Path | str, config: RetrievalConfig, rejects: Rejects, *, is_graded: bool = False
) -> Collection:
    """The Cranfield collection in its TREC form; see `cranfield` for the traps in its files.

    Judgements are 1 and 0, or, graded, from 4 for a complete answer to 0.

    Raises:
        DataError: As `open_beir`.
    """
    folder = Path(folder)
    if is_graded:
        judgements = list(cranfield.read_graded(folder / _CRANFIELD_GRADED, config, rejects))
    else:
        folded = trec.read_qrels(folder / _CRANFIELD_QRELS, config, rejects)
        judgements = [replace(one, relevance=int(one.relevance > 0)) for one in folded]
    by_position = config.model_copy(update={"query_ids": "position"})
    queries = trec_xml.read_topics(folder / _CRANFIELD_QUERIES, by_position, rejects)

    def read(rejects: Rejects) -> Iterator[CorpusDocument]:
        documents = trec_xml.read_documents(folder / _CRANFIELD_CORPUS, config, rejects)
        return check_documents(documents, judgements)

    return _collection(judgements, queries, read, rejects)


def _collection(
    judgements: list[Judgement],
    queries: Iterable[Query],
    read: Callable[[Rejects], Iterator[CorpusDocument]],
    rejects: Rejects,
) -> Collection:
    texts = {query.id: query.text for query in queries}
    check_queries(judgements, texts)
    qrels = gather_qrels(judgements, rejects)
    return Collection({query: texts[query] for query in qrels}, qrels, read)
