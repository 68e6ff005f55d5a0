"""A sentence encoder measured on labelled pairs, and on a test collection in BEIR's layout."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import spearmanr
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.evaluation import (
    EmbeddingSimilarityEvaluator,
    TranslationEvaluator,
)
from sklearn.cluster import MiniBatchKMeans
from sklearn.metrics import average_precision_score, v_measure_score

import unmask
from unmask.checkpoint import native
from unmask.checkpoint.bundle import Bundle
from unmask.data.labelled.config import LabelledConfig
from unmask.data.rejects import Rejects
from unmask.data.retrieval.config import RetrievalConfig
from unmask.data.retrieval.matching import gather_run
from unmask.data.retrieval.trec import read_run
from unmask.errors import DataError, UsageError
from unmask.infer.encode import Encoder
from unmask.recipe import assess_sentences
from unmask.recipe.assess import assess
from unmask.recipe.assess_sentences import assess_retrieval
from unmask.recipe.config import EvaluateRetrieval, EvaluateSentences
from unmask.tasks.sentence import SentenceEmbedding

WORDS = ("cat", "dog", "film", "good", "fine", "bad", "poor", "nice")
PROMPTS = {"query": "cat: ", "document": "dog: "}
DOCUMENTS = [
    {
        "_id": f"d{i}",
        "title": f"on {WORDS[i % 8]}" if i % 2 else "",
        "text": f"the {WORDS[i % 8]} was {WORDS[i * 3 % 8]} {i}",
    }
    for i in range(12)
]
QUERIES = [{"_id": f"q{i}", "text": f"{WORDS[i]} or {WORDS[i + 1]}"} for i in range(4)]
QRELS = [("q0", "d0", 1), ("q0", "d8", 2), ("q1", "d1", 1), ("q2", "d2", 1), ("q3", "d4", 0)]


@pytest.fixture(scope="module")
def bundle(tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A sentence encoder with prompts, untrained."""
    raw = Encoder.of(native.load(tiny_encoder), "mean").bundle
    assert isinstance(raw.task, SentenceEmbedding)
    config = raw.task.config.model_copy(update={"prompts": PROMPTS, "layers": ("normalize",)})
    folder = tmp_path_factory.mktemp("sentences") / "model"
    native.save(replace(raw, task=SentenceEmbedding(config)), folder)
    return native.load(folder)


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, list[dict[str, Any]]], Path]:
    def writing(name: str, records: list[dict[str, Any]]) -> Path:
        path = tmp_path / name
        path.write_text("".join(f"{json.dumps(one)}\n" for one in records), encoding="utf-8")
        return path

    return writing


@pytest.fixture
def collection(write: Callable[..., Path], tmp_path: Path) -> Path:
    write("corpus.jsonl", DOCUMENTS)
    write("queries.jsonl", QUERIES)
    judge(tmp_path, QRELS)
    return tmp_path


def judge(folder: Path, judged: list[tuple[Any, ...]], split: str = "test") -> None:
    rows = ["query-id\tcorpus-id\tscore", *("\t".join(map(str, row)) for row in judged)]
    (folder / "qrels").mkdir(exist_ok=True)
    (folder / "qrels" / f"{split}.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")


def with_usual_prompt(bundle: Bundle, folder: Path) -> Bundle:
    """The same, with a prompt where none is named."""
    assert isinstance(bundle.task, SentenceEmbedding)
    update = {"prompts": {**PROMPTS, "usual": "nice film "}, "default_prompt_name": "usual"}
    task = SentenceEmbedding(bundle.task.config.model_copy(update=update))
    native.save(replace(bundle, task=task), folder)
    return native.load(folder)


def theirs_of(bundle: Bundle) -> SentenceTransformer:
    return SentenceTransformer(str(bundle.folder), device="cpu")


def similarities(bundle: Bundle, rows: list[dict[str, Any]]) -> np.ndarray:
    """Cosines of pairs whose texts are alike: no side is asked or found."""
    engine = unmask.load(bundle.folder)
    one, other = (engine.encode([row[side] for row in rows]) for side in ("sentence1", "sentence2"))
    found: np.ndarray = (one * other).sum(1)
    return found


def asked_and_found(bundle: Bundle, rows: list[dict[str, Any]]) -> float:
    """Spearman's correlation if one side were a query and the other a document."""
    engine = unmask.load(bundle.folder)
    queries = engine.encode_query([one["sentence1"] for one in rows])
    documents = engine.encode_document([one["sentence2"] for one in rows])
    return float(spearmanr((queries * documents).sum(1), [one["score"] for one in rows]).statistic)


# --- labelled pairs


def test_pairs_with_scores_are_measured_by_correlation(
    bundle: Bundle, write: Callable[..., Path]
) -> None:
    rows = [
        {"sentence1": f"the {WORDS[i]}", "sentence2": WORDS[i * 3 % 8], "score": i * 7 % 10}
        for i in range(8)
    ]
    found = assess(bundle, write("sts.jsonl", rows), LabelledConfig(labels="number"))
    alike = similarities(bundle, rows)
    expected = spearmanr(alike, [one["score"] for one in rows]).statistic
    assert found.scores["spearman_cosine"] == pytest.approx(expected, abs=1e-6)
    assert found.num_examples == 8
    assert found.scores["spearman_cosine"] != pytest.approx(asked_and_found(bundle, rows), abs=1e-3)
    low, high = found.intervals["spearman_cosine"]
    assert low < found.scores["spearman_cosine"] < high
    assert found.as_dict()["examples"] == 8


@pytest.mark.parametrize("usual", [False, True], ids=["no usual prompt", "a usual prompt"])
def test_scored_pairs_get_the_prompts_of_sentence_transformers_evaluator(
    usual: bool, bundle: Bundle, write: Callable[..., Path], tmp_path: Path
) -> None:
    measured = with_usual_prompt(bundle, tmp_path / "usual") if usual else bundle
    rows = [
        {"sentence1": f"the {WORDS[i]}", "sentence2": WORDS[i * 3 % 8], "score": i * 7 % 10}
        for i in range(8)
    ]
    ones, others = ([row[side] for row in rows] for side in ("sentence1", "sentence2"))
    scores = [float(row["score"]) for row in rows]
    evaluator = EmbeddingSimilarityEvaluator(
        ones, others, scores, main_similarity="cosine", write_csv=False
    )
    expected = evaluator(theirs_of(measured))

    found = assess(measured, write("sts.jsonl", rows), LabelledConfig(labels="number"))

    for name in ("spearman_cosine", "pearson_cosine"):
        assert found.scores[name] == pytest.approx(expected[name], abs=1e-5)
    if usual:
        without = assess(bundle, write("sts.jsonl", rows), LabelledConfig(labels="number"))
        assert abs(without.scores["pearson_cosine"] - found.scores["pearson_cosine"]) > 1e-4


def test_texts_with_classes_are_clustered(bundle: Bundle, write: Callable[..., Path]) -> None:
    """As scikit-learn clusters the vectors that plain `encode` gives."""
    rows = [{"text": f"the {WORDS[i % 8]} {i}", "label": f"class {i % 3}"} for i in range(30)]
    file = write("classes.jsonl", rows)

    found = assess(bundle, file, LabelledConfig(), EvaluateSentences(seed=3))

    vectors = theirs_of(bundle).encode([row["text"] for row in rows])
    means = MiniBatchKMeans(3, batch_size=500, n_init="auto", random_state=3).fit(vectors)
    labels = [row["label"] for row in rows]
    assert found.scores["v_measure"] == pytest.approx(v_measure_score(labels, means.labels_))
    assert (found.num_examples, found.intervals) == (30, {})
    sampled = assess(bundle, file, LabelledConfig(), EvaluateSentences(sampled=True))
    assert sampled.scores["v_measure_std"] > 0


def test_texts_of_one_class_cannot_be_clustered(bundle: Bundle, write: Callable[..., Path]) -> None:
    file = write("classes.jsonl", [{"text": word, "label": "a"} for word in WORDS])
    with pytest.raises(DataError, match="all texts have the class 'a'; expected two classes"):
        assess(bundle, file, LabelledConfig())


@pytest.mark.parametrize("usual", [False, True], ids=["no usual prompt", "a usual prompt"])
def test_translations_find_each_other_as_by_sentence_transformers(
    usual: bool, bundle: Bundle, write: Callable[..., Path], tmp_path: Path
) -> None:
    measured = with_usual_prompt(bundle, tmp_path / "usual") if usual else bundle
    rows = [{"anchor": f"the {one} was", "positive": f"a {one} {i}"} for i, one in enumerate(WORDS)]
    sides = ([row[side] for row in rows] for side in ("anchor", "positive"))
    expected = TranslationEvaluator(*sides, write_csv=False)(theirs_of(measured))

    file = write("aligned.jsonl", rows)
    found = assess(measured, file, LabelledConfig(), EvaluateSentences(bitext=True))

    for name, value in expected.items():
        assert found.scores[name] == pytest.approx(value), name
    assert {"mean_f1", "src2trg_f1"} <= set(found.scores)
    assert set(found.intervals) == set(expected)


def test_settings_for_other_examples_are_refused(
    bundle: Bundle, write: Callable[..., Path]
) -> None:
    pairs = write("sts.jsonl", [{"sentence1": "a", "sentence2": "b", "score": i} for i in range(4)])
    with pytest.raises(UsageError, match=r"--sentences.sampled.*single texts with classes"):
        assess(bundle, pairs, LabelledConfig(), EvaluateSentences(sampled=True))
    with pytest.raises(DataError, match=r"sts.jsonl:1: has 2 text\(s\) and a label.*translation"):
        assess(bundle, pairs, LabelledConfig(), EvaluateSentences(bitext=True))


def test_pairs_of_0_and_1_are_told_apart(bundle: Bundle, write: Callable[..., Path]) -> None:
    others = [WORDS[i if i % 2 else (i + 3) % 8] for i in range(8)]
    rows = [
        {"sentence1": WORDS[i], "sentence2": other, "label": i % 2}
        for i, other in enumerate(others)
    ]
    found = assess(bundle, write("pairs.jsonl", rows), LabelledConfig())
    assert {"cosine_ap", "cosine_accuracy", "cosine_f1"} <= set(found.scores)
    assert "spearman_cosine" not in found.scores
    labels = [one["label"] for one in rows]
    expected = average_precision_score(labels, similarities(bundle, rows))
    assert found.scores["cosine_ap"] == pytest.approx(expected)


def test_positives_are_found_among_all_texts(bundle: Bundle, write: Callable[..., Path]) -> None:
    rows = [{"anchor": f"the {word} was", "positive": f"a {word}"} for word in WORDS]
    found = assess(bundle, write("positives.jsonl", rows), LabelledConfig())
    engine = unmask.load(bundle.folder)
    queries = engine.encode_query([one["anchor"] for one in rows])
    documents = engine.encode_document([one["positive"] for one in rows])
    ranks = (np.argsort(-(queries @ documents.T), axis=1) == np.arange(8)[:, None]).argmax(1)
    assert found.scores["mrr@10"] == pytest.approx(float(np.mean(1 / (ranks + 1))))
    assert set(found.intervals) <= set(found.scores)


def test_single_texts_tell_nothing(bundle: Bundle, write: Callable[..., Path]) -> None:
    texts = write("texts.jsonl", [{"text": word} for word in WORDS])
    with pytest.raises(DataError, match="single texts tell nothing of how good their vectors are"):
        assess(bundle, texts, LabelledConfig())


def test_a_model_without_sentence_training_is_no_sentence_encoder(
    tiny_encoder: Path, write: Callable[..., Path]
) -> None:
    rows = [{"sentence1": "a", "sentence2": "b", "score": i} for i in range(4)]
    with pytest.raises(UsageError, match="not fine-tuned"):
        assess(native.load(tiny_encoder), write("sts.jsonl", rows), LabelledConfig())


# --- test collections


def engine_vectors(bundle: Bundle) -> tuple[list[str], np.ndarray]:
    """The documents' ids, and the vectors of their titles and texts."""
    contents = [f"{one['title']} {one['text']}".strip() for one in DOCUMENTS]
    return [one["_id"] for one in DOCUMENTS], unmask.load(bundle.folder).encode_document(contents)


def expected_run(bundle: Bundle, most: int = 1000) -> dict[str, dict[str, float]]:
    """Each query's documents, by its cosines with their titles and texts."""
    queries = unmask.load(bundle.folder).encode_query([one["text"] for one in QUERIES])
    alike = queries @ engine_vectors(bundle)[1].T
    return {
        query["_id"]: {DOCUMENTS[i]["_id"]: float(row[i]) for i in np.argsort(-row)[:most]}
        for query, row in zip(QUERIES, alike, strict=True)
    }


@pytest.mark.parametrize("at_once", [8192, 5])
def test_a_collection_is_searched_exactly_and_the_run_is_written(
    at_once: int, bundle: Bundle, collection: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytrec_eval = pytest.importorskip("pytrec_eval", reason="pytrec-eval-terrier is not installed")
    monkeypatch.setattr(assess_sentences, "_AT_ONCE", at_once)
    file = collection / "found" / "run.trec"
    found = assess_retrieval(bundle, collection, EvaluateRetrieval(run=file, top_k=7))

    rejects = Rejects(0.0)
    run = gather_run(read_run(file, RetrievalConfig(), rejects), rejects)
    expected = expected_run(bundle, 7)
    assert run.keys() == expected.keys()
    for query, hits in expected.items():
        assert run[query] == pytest.approx(hits, abs=1e-5)
    qrels: dict[str, dict[str, int]] = {}
    for query, document, relevance in QRELS:
        qrels.setdefault(query, {})[document] = relevance
    each = pytrec_eval.RelevanceEvaluator(qrels, {"ndcg_cut.10", "map", "recall.5"}).evaluate(run)
    for name in ("ndcg_cut_10", "map", "recall_5"):
        mean = np.mean([scores[name] for scores in each.values()])
        assert found.scores[name] == pytest.approx(mean, abs=1e-6)
    assert found.num_examples == 4
    low, high = found.intervals["ndcg_cut_10"]
    assert low <= found.scores["ndcg_cut_10"] <= high


def test_another_split_and_documents_of_the_same_id_may_be_left_out(
    bundle: Bundle, collection: Path, write: Callable[..., Path]
) -> None:
    judge(collection, [("d0", "d8", 1)], "dev")
    write("queries.jsonl", [*QUERIES, {"_id": "d0", "text": DOCUMENTS[0]["text"]}])
    with_itself, without = (
        assess_retrieval(bundle, collection, EvaluateRetrieval(split="dev", drop_identical=dropped))
        for dropped in (False, True)
    )
    ids, vectors = engine_vectors(bundle)
    (asked,) = unmask.load(bundle.folder).encode_query([DOCUMENTS[0]["text"]])
    order = [ids[i] for i in np.argsort(-(vectors @ asked))]
    assert order.index("d0") < order.index("d8")  # so that leaving it out makes a difference
    rank = order.index("d8") + 1
    assert with_itself.scores["recip_rank"] == pytest.approx(1 / rank)
    assert without.scores["recip_rank"] == pytest.approx(1 / (rank - 1))
    assert with_itself.num_examples == without.num_examples == 1
    file = collection / "run"
    settings = EvaluateRetrieval(split="dev", drop_identical=True, run=file)
    assess_retrieval(bundle, collection, settings)
    written = [line.split() for line in file.read_text(encoding="utf-8").splitlines()]
    assert len(written) == len(DOCUMENTS) - 1
    assert all(row[0] == "d0" != row[2] for row in written)
    assert {row[5] for row in written} == {"unmask"}


def broken(folder: Path, case: str) -> None:
    """The folder with one thing wrong."""
    corpus = folder / "corpus.jsonl"
    if case == "no corpus":
        corpus.unlink()
    elif case == "no queries":
        (folder / "queries.jsonl").unlink()
    elif case == "no judgements":
        (folder / "qrels" / "test.tsv").unlink()
    elif case == "unknown query":
        judge(folder, [*QRELS, ("q9", "d0", 1)])
    elif case == "unknown document":
        judge(folder, [*QRELS, ("q0", "d99", 1)])
    elif case == "twice":
        corpus.write_text(corpus.read_text(encoding="utf-8") * 2, encoding="utf-8")
    elif case == "no header":
        rows = (folder / "qrels" / "test.tsv").read_text(encoding="utf-8").splitlines()[1:]
        (folder / "qrels" / "test.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    else:
        corpus.write_text("", encoding="utf-8")


@pytest.mark.parametrize(
    ("case", "message"),
    [
        ("no corpus", "corpus.jsonl"),
        ("no queries", "queries.jsonl"),
        ("no judgements", r"qrels: holds no test.tsv"),
        ("unknown query", "q9"),
        ("unknown document", "d99"),
        ("twice", "duplicate id: `d0`"),
        ("no header", "query-id"),
        ("empty", "corpus.jsonl.*holds no documents"),
    ],
)
def test_a_broken_collection_is_told(
    case: str, message: str, bundle: Bundle, collection: Path
) -> None:
    broken(collection, case)
    with pytest.raises(DataError, match=message):
        assess_retrieval(bundle, collection, EvaluateRetrieval(run=collection / "run"))
    assert not (collection / "run").exists()
