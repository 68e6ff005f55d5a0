"""Measuring a sentence encoder: on labelled pairs, or on a test collection of retrieval."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from unmask.checkpoint.bundle import Bundle
from unmask.data.labelled.config import LabelledConfig
from unmask.data.rejects import Rejects
from unmask.data.retrieval.collection import Collection, open_beir, open_cranfield
from unmask.data.retrieval.config import RetrievalConfig
from unmask.data.retrieval.records import CorpusDocument
from unmask.data.retrieval.trec import write_run
from unmask.infer.embedder import Embedder
from unmask.infer.encode import Encoder, Told
from unmask.recipe.assessment import Assessment
from unmask.recipe.config import EvaluateRetrieval
from unmask.recipe.examples import read
from unmask.tasks import embedding_scores
from unmask.tasks.embedding_scores import nearest_by
from unmask.tasks.metrics import retrieval
from unmask.tasks.metrics.exact import as_run
from unmask.tasks.metrics.resampling import Bootstrap

_AT_ONCE = 8192
"""Documents encoded together."""
_CRANFIELD = "cran.all.1400.xml"
_RUN_TAG = "unmask"
Vectors = NDArray[np.float32]


def assess_pairs(bundle: Bundle, data: Path | str, config: LabelledConfig) -> Assessment:
    """Scores of the vectors of labelled pairs, or of pairs and triplets without labels.

    Raises:
        DataError: Examples that cannot be read, or single texts.
    """
    encoder = Encoder.of(bundle)
    examples = read("embedding", data, config)
    embedder = Embedder(encoder)
    anchors = embedder.encode_query([example.texts[0] for example in examples])
    others = [text for example in examples for text in example.texts[1:]]
    # Scored pairs are alike on both sides: neither is a query, unless the model knows queries.
    rest = iter(embedder.encode_document(others)) if others else iter(())
    vectors = [
        np.stack([anchor, *islice(rest, len(example.texts) - 1)])
        for anchor, example in zip(anchors, examples, strict=True)
    ]
    by = encoder.config.similarity
    found = embedding_scores.intervals(examples, vectors, by, Bootstrap())
    return Assessment(
        len(examples),
        embedding_scores.score(examples, vectors, by),
        {name: (one.low, one.high) for name, one in found.items()},
    )


def assess_retrieval(
    bundle: Bundle, folder: Path, config: EvaluateRetrieval, told: Told | None = None
) -> Assessment:
    """Scores of exact search over a test collection, by trec_eval's names, over its queries.

    The folder is in BEIR's layout, or Cranfield's.

    Raises:
        DataError: The collection cannot be read, see `data.retrieval`.
        MachineError: The run cannot be written.
    """
    rejects = Rejects(config.max_reject_rate)
    collection = open_collection(folder, config, rejects)
    encoder = Encoder.of(bundle)
    queries = list(collection.queries)
    asked = Embedder(encoder).encode_query(list(collection.queries.values()))
    ids, vectors = _encoded(collection, Embedder(encoder, told), config)
    found = nearest_by(encoder.config.similarity, asked, vectors, config.top_k)
    run = as_run(found, queries, ids)
    if config.drop_identical:
        run = retrieval.without_identical_ids(run)
    if config.run is not None:
        write_run(run, config.run, _RUN_TAG)
    qrels = {query: dict(judged) for query, judged in collection.qrels.items()}
    intervals = retrieval.score_intervals(qrels, run, Bootstrap())
    return Assessment(
        len(queries),
        retrieval.scores(qrels, run),
        {name: (one.low, one.high) for name, one in intervals.items()},
    )


def open_collection(folder: Path, config: EvaluateRetrieval, rejects: Rejects) -> Collection:
    """By what lies in the folder.

    Raises:
        DataError: Neither layout is there.
    """
    reading = RetrievalConfig(max_reject_rate=config.max_reject_rate)
    if (folder / _CRANFIELD).is_file():
        return open_cranfield(folder, reading, rejects, is_graded=config.graded)
    return open_beir(folder, config.split, reading, rejects)


def _encoded(
    collection: Collection, embedder: Embedder, config: EvaluateRetrieval
) -> tuple[list[str], Vectors]:
    """The documents' ids and (N, D) vectors."""
    ids: list[str] = []
    parts: list[Vectors] = []
    with Rejects(config.max_reject_rate) as rejects:
        for some in _blocks(collection.read(rejects)):
            ids += [document.id for document in some]
            parts.append(embedder.encode_document([_content(document) for document in some]))
    return ids, np.concatenate(parts)


def _content(document: CorpusDocument) -> str:
    """Title and text, as BEIR joins them; Cranfield's texts begin with their titles already."""
    is_cranfield = Path(document.place.rpartition(":")[0]).name == _CRANFIELD
    return document.text if is_cranfield else document.content


def _blocks(documents: Iterator[CorpusDocument]) -> Iterator[list[CorpusDocument]]:
    while some := list(islice(documents, _AT_ONCE)):
        yield some
