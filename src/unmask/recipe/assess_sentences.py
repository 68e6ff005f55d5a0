"""Measuring a sentence encoder: on labelled examples, or on a test collection of retrieval."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from unmask.checkpoint.bundle import Bundle
from unmask.data.labelled.config import LabelledConfig
from unmask.data.labelled.examples import EmbeddingExample
from unmask.data.rejects import Rejects
from unmask.data.retrieval.collection import Collection, open_beir, open_cranfield
from unmask.data.retrieval.config import RetrievalConfig
from unmask.data.retrieval.matching import gather_run
from unmask.data.retrieval.records import CorpusDocument
from unmask.data.retrieval.trec import read_run, write_run
from unmask.errors import DataError, UsageError
from unmask.infer.embedder import Embedder
from unmask.infer.encode import Encoder, Told
from unmask.recipe.assessment import Assessment
from unmask.recipe.config import EvaluateRetrieval, EvaluateSentences
from unmask.recipe.examples import read
from unmask.tasks import embedding_scores
from unmask.tasks.embedding_prompts import prompts_of
from unmask.tasks.embedding_scores import nearest_by
from unmask.tasks.metrics import bitext, clustering, retrieval
from unmask.tasks.metrics.exact import as_run
from unmask.tasks.metrics.resampling import Bootstrap, Interval

_AT_ONCE = 8192
"""Documents encoded together."""
_CRANFIELD = "cran.all.1400.xml"
_RUN_TAG = "unmask"
_USUAL = EvaluateSentences()
Vectors = NDArray[np.float32]


def assess_examples(
    bundle: Bundle,
    data: Path | str,
    config: LabelledConfig,
    settings: EvaluateSentences = _USUAL,
) -> Assessment:
    """Scores of the vectors of labelled pairs, of pairs and triplets without labels, or of texts
    with classes.

    Texts get the model's prompts as `tasks.embedding_prompts` has them; where nothing is asked and
    found, those are sentence-transformers' evaluators' too.

    Raises:
        UsageError: Settings that are for other examples.
        DataError: Examples that cannot be read, or single texts without classes.
    """
    encoder = Encoder.of(bundle)
    examples = read("embedding", data, config)
    are_classed = all(map(_has_class, examples))
    if not are_classed and {"sampled", "seed"} & settings.model_fields_set:
        raise UsageError(
            "--sentences.sampled, --sentences.seed: are for single texts with classes, which are "
            f"clustered; {data} holds others."
        )
    if settings.bitext:
        return _of_bitext(encoder, examples)
    if are_classed:
        return _of_classes(encoder, examples, settings)
    befores = [prompts_of(encoder.config, example) for example in examples]
    vectors = _vectors(encoder, examples, befores)
    by = encoder.config.similarity
    found = embedding_scores.intervals(examples, vectors, by, Bootstrap())
    return _assessed(examples, embedding_scores.score(examples, vectors, by), found)


def _of_classes(
    encoder: Encoder, examples: Sequence[EmbeddingExample], settings: EvaluateSentences
) -> Assessment:
    """Whether texts of one class lie together; there is no interval, see `clustering`."""
    labels = [str(example.label) for example in examples]
    if len(set(labels)) == 1:
        raise DataError(
            f"{examples[0].place}: all texts have the class {labels[0]!r}; expected two classes or "
            "more, to see whether their texts lie apart."
        )
    vectors = encoder.vectors(
        [example.texts[0] for example in examples], encoder.prompt(None, None)
    )
    scored = clustering.sampled_scores if settings.sampled else clustering.scores
    return _assessed(examples, scored(labels, vectors, seed=settings.seed), {})


def _of_bitext(encoder: Encoder, examples: Sequence[EmbeddingExample]) -> Assessment:
    """How often a sentence and its translation find each other."""
    for example in examples:
        if len(example.texts) != 2 or example.label is not None:
            raise DataError(
                f"{example.place}: has {len(example.texts)} text(s) and "
                f"{'no label' if example.label is None else 'a label'}; --sentences.bitext expects "
                'a sentence and its translation (name no label column: --data.columns.label "").'
            )
    usual = [encoder.prompt(None, None)] * 2
    pairs = np.stack(_vectors(encoder, examples, [usual] * len(examples)))  # (N, 2, E)
    source, target = pairs[:, 0], pairs[:, 1]
    texts = [[example.texts[side] for example in examples] for side in (0, 1)]
    given = {"source_texts": texts[0], "target_texts": texts[1]}
    found = bitext.score_intervals(source, target, Bootstrap(), **given)
    return _assessed(examples, bitext.scores(source, target, **given), found)


def _has_class(example: EmbeddingExample) -> bool:
    return len(example.texts) == 1 and isinstance(example.label, str | int | float)


def _vectors(
    encoder: Encoder, examples: Sequence[EmbeddingExample], befores: Sequence[Sequence[str]]
) -> list[Vectors]:
    """(K, E) of each example's K texts, each after its prompt; equal prompts go together."""
    texts = [text for example in examples for text in example.texts]
    prompts = np.array([before for several in befores for before in several], dtype=object)
    vectors = np.empty((len(texts), encoder.dimension), dtype=np.float32)
    for before in sorted(set(prompts)):
        members = np.flatnonzero(prompts == before)
        vectors[members] = encoder.vectors([texts[i] for i in members.tolist()], before)
    return np.split(vectors, np.cumsum([len(example.texts) for example in examples])[:-1])


def _assessed(
    examples: Sequence[EmbeddingExample],
    scores: dict[str, float],
    intervals: Mapping[str, Interval],
) -> Assessment:
    ends = {name: (one.low, one.high) for name, one in intervals.items()}
    return Assessment(len(examples), scores, ends)


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
    return _of_run(collection, run)


def assess_run(folder: Path, file: Path, config: EvaluateRetrieval) -> Assessment:
    """Scores of a TREC run over a test collection, as those of `assess_retrieval`.

    Raises:
        DataError: The collection or the run cannot be read, or the run answers no judged query.
    """
    collection = open_collection(folder, config, Rejects(config.max_reject_rate))
    rejects = Rejects(config.max_reject_rate, setting="--retrieval.max-reject-rate")
    reading = RetrievalConfig(max_reject_rate=config.max_reject_rate)
    run = gather_run(read_run(file, reading, rejects), rejects)
    rejects.warn_of_first(file)
    if config.drop_identical:
        run = retrieval.without_identical_ids(run)
    return _of_run(collection, run)


def _of_run(collection: Collection, run: retrieval.Run) -> Assessment:
    qrels = {query: dict(judged) for query, judged in collection.qrels.items()}
    intervals = retrieval.score_intervals(qrels, run, Bootstrap())
    return Assessment(
        len(collection.queries),
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
