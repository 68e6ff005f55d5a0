"""Fine-tuning a tiny sentence encoder, from data of every form to a folder that others load."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from sklearn.metrics.pairwise import cosine_similarity

import unmask
from unmask.checkpoint import native
from unmask.checkpoint.bundle import Bundle
from unmask.data.labelled.config import LabelledConfig
from unmask.data.labelled.examples import TextExample
from unmask.errors import DataError, UsageError
from unmask.infer.vector_files import write_vectors
from unmask.models.config import BertConfig
from unmask.recipe.assess import assess
from unmask.recipe.config import Finetune
from unmask.recipe.finetune import finetune
from unmask.recipe.outcome import SCORES_FILE, Outcome
from unmask.tasks.sentence import SentenceEmbedding
from unmask.tasks.task import Model
from unmask.text.config import TokenizerConfig
from unmask.text.train import train_wordpiece
from unmask.train.log import METRICS_FILE, RunLog, read_metrics

WORDS = ("good", "fine", "great", "bad", "dull", "poor")
Records = list[dict[str, Any]]


def text(i: int, *, turned: bool = False) -> str:
    """Says the same whichever way it is turned."""
    number, word = f"{i // 10 % 10} {i % 10}", WORDS[i % 6]
    return f"{word} , that {number} to see" if turned else f"the film {number} was {word}"


def pairs(number: int, first: int = 0) -> Records:
    """Of each text another wording."""
    span = range(first, first + number)
    return [{"anchor": text(i), "positive": text(i, turned=True)} for i in span]


def triplets(number: int, first: int = 0) -> Records:
    made = pairs(number, first)
    return [{**one, "negative": text(first + i + 3, turned=True)} for i, one in enumerate(made)]


def scored(number: int, first: int = 0) -> Records:
    """Texts of two words, which are both good or both bad (4 or 5), or not (0 or 1)."""
    made = []
    for i in range(first, first + number):
        kind, place, is_alike = i % 2, i // 2 % 3, i // 6 % 2
        word = WORDS[3 * kind + place]
        other = WORDS[3 * (kind if is_alike else 1 - kind) + (place + 1) % 3]
        one, two = f"the film {i % 10} was {word}", f"the film {i // 10 % 10} was {other}"
        made.append({"sentence1": one, "sentence2": two, "score": 4.0 * is_alike + i % 2})
    return made


def binary(number: int, first: int = 0) -> Records:
    return [{**one, "score": None, "label": int(one["score"] > 2)} for one in scored(number, first)]


def inferred(number: int, first: int = 0) -> Records:
    names = ("contradiction", "entailment")
    return [
        {"premise": one["sentence1"], "hypothesis": one["sentence2"], "label": names[one["label"]]}
        for one in binary(number, first)
    ]


def graded(number: int, first: int = 0) -> Records:
    """Triplets with a cross-encoder's scores."""
    return [{**one, "scores": [4.0, -4.0]} for one in triplets(number, first)]


def alone(number: int, first: int = 0) -> Records:
    return [{"text": text(i)} for i in range(first, first + number)]


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, Records], Path]:
    def writing(name: str, records: Records) -> Path:
        path = tmp_path / f"{name}.jsonl"
        path.write_text("\n".join(map(json.dumps, records)), encoding="utf-8")
        return path

    return writing


@pytest.fixture
def pretrained(make_model: Callable[..., Model], tmp_path: Path) -> Path:
    """A tiny encoder that nobody trained for sentences, with its tokenizer."""
    vocabulary = " ".join([*WORDS, "the film was that to see , 0 1 2 3 4 5 6 7 8 9"])
    tokenizer = train_wordpiece([vocabulary] * 4, TokenizerConfig(vocab_size=64, min_frequency=1))
    config = BertConfig(
        vocab_size=64,
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
    )
    model = make_model(num_hidden_layers=1)
    native.save(Bundle(model, None, tokenizer, config, None), tmp_path / "base")
    return tmp_path / "base"


def recipe(**settings: Any) -> Finetune:
    usual = {"steps": 20, "batch_size": 8, "evaluate_every": 20, "save_every": 50}
    train = {**usual, **settings.pop("train", {})}
    optim = {"learning_rate": 3e-3, **settings.pop("optim", {})}
    given = {"task": "embedding", "baselines": False, "pictures": False, "dropout": 0.0}
    return Finetune.model_validate({**given, "train": train, "optim": optim, **settings})


def go(train: Any, model: Path, output: Path, settings: Finetune, **others: Any) -> Outcome:
    return finetune(train, model, output, settings, **{"say": lambda _: None, **others})


def theirs(folder: Path) -> SentenceTransformer:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return SentenceTransformer(str(folder), device="cpu")


def assert_read_alike(folder: Path) -> None:
    texts = [text(i) for i in range(6)] + ["the", "see " * 90]
    found, expected = unmask.load(folder).encode(texts), theirs(folder).encode(texts)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("form", "metric", "least"),
    [
        (pairs, "mrr@10", 0.95),
        (triplets, "mrr@10", 0.95),
        (scored, "spearman_cosine", 0.5),
        (binary, "cosine_ap", 0.9),
        (inferred, "cosine_ap", 0.9),
        (graded, "mrr@10", 0.75),
        (alone, "mrr@10", 0.75),
    ],
)
def test_a_model_learns_from_data_of_every_form(
    form: Callable[..., Records],
    metric: str,
    least: float,
    write: Callable[..., Path],
    pretrained: Path,
    tmp_path: Path,
) -> None:
    """Untrained it comes to 0.69, 0.19 and 0.43."""
    judged = form if form is not alone else pairs
    test = write("test", judged(18, 60))
    rate = 0.1 if form is alone else 0.0  # by which alone a text's two passes differ
    settings = recipe(train={"steps": 20 if metric == "mrr@10" else 80}, dropout=rate)
    outcome = go(
        write("train", form(60)),
        pretrained,
        tmp_path / "run",
        settings,
        validation=write("validation", judged(18, 78)),
        test=test,
    )
    assert outcome.metric == metric
    assert outcome.test is not None
    low, high = outcome.intervals[metric]
    assert low <= outcome.test[metric] <= high
    assert outcome.test[metric] > least, outcome.test
    if form in (pairs, inferred):  # a loss without weights, and one with
        assert_read_alike(outcome.folder)
    bundle = native.load(outcome.folder)
    assert isinstance(bundle.task, SentenceEmbedding)
    found = assess(bundle, test, LabelledConfig())
    assert found.scores[metric] == pytest.approx(outcome.test[metric], abs=1e-6)


# --- a teacher


@pytest.mark.parametrize("dimension", [None, 5])
def test_a_teachers_vectors_are_learned_from_what_embed_writes(
    dimension: int | None, pretrained: Path, tmp_path: Path
) -> None:
    """Without `teacher_dimension` vectors become the teacher's; with it a map leads there."""
    teacher = np.random.default_rng(0).standard_normal((2, dimension or 32)).astype(np.float32)

    def texts() -> Iterator[TextExample]:
        for i in range(60):
            yield TextExample(str(i), text(i), None, None, None, "")

    def encode(some: list[str]) -> np.ndarray:
        return np.stack([teacher[int(any(word in one for word in WORDS[:3]))] for one in some])

    write_vectors(texts(), encode, len(teacher[0]), tmp_path / "teacher.parquet")
    settings: dict[str, Any] = {}
    if dimension is not None:
        settings = {"loss": "embedding-mse", "loss_settings": {"teacher-dimension": dimension}}
    wanted = recipe(settings=settings, train={"steps": 120, "evaluate_every": 120})
    outcome = go(tmp_path / "teacher.parquet", pretrained, tmp_path / "run", wanted)
    assert outcome.metric == "spearman_cosine"
    assert outcome.validation["pearson_cosine"] > 0.6
    vectors = unmask.load(outcome.folder).encode([text(64), text(62)])  # dull, and great
    assert vectors.shape == (2, 32)
    if dimension is None:
        alike = cosine_similarity(vectors, teacher)
        assert np.abs(alike - cosine_similarity(teacher)).max() < 0.1


def test_a_teacher_of_another_width_says_what_to_set(
    write: Callable[..., Path], pretrained: Path, tmp_path: Path
) -> None:
    train = write("train", [{"text": text(i), "embedding": [1.0, 2.0, 3.0]} for i in range(20)])
    with pytest.raises(UsageError, match=r"have 3 entries, expected 32. Set `teacher_dimension`"):
        go(train, pretrained, tmp_path / "run", recipe())


# --- settings


def test_data_sets_are_mixed(write: Callable[..., Path], pretrained: Path, tmp_path: Path) -> None:
    second = [{"left": one["sentence1"], "right": one["sentence2"], "how": one["score"]}
              for one in scored(40)]  # fmt: skip
    mix = [
        {"path": write("second", second), "texts": ["left", "right"], "label": "how",
         "loss": "cosine-similarity", "loss_settings": {"score-range": [0, 5]}, "weight": 3.0},
        {"path": write("third", alone(16))},
    ]  # fmt: skip
    said: list[str] = []
    outcome = go(
        write("train", pairs(40)),
        pretrained,
        tmp_path / "run",
        recipe(settings={"mix": mix, "weight": 2.0}, train={"steps": 60}, dropout=0.01),
        validation=write("validation", pairs(18, 78)),
        say=said.append,
    )
    assert any("96 examples" in line for line in said)
    assert outcome.metric == "mrr@10"
    assert outcome.validation["mrr@10"] > 0.9
    taught = assess(native.load(outcome.folder), write("test", scored(18, 60)), LabelledConfig())
    assert taught.scores["spearman_cosine"] > 0.5


def test_scores_and_inference_are_mixed(
    write: Callable[..., Path], pretrained: Path, tmp_path: Path
) -> None:
    """Each is read by its own settings, and not by the first one's."""
    rows = [f"{one['sentence1']}\t{one['sentence2']}\t{one['score']}" for one in scored(40)]
    similar = tmp_path / "sts.tsv"
    similar.write_text("\n".join(rows), encoding="utf-8")
    data = {"labels": "number", "label_range": [0, 5], "header": "no",
            "columns": {"texts": [0, 1], "label": [2]}}  # fmt: skip
    coded = [{**one, "label": int(one["label"] == "entailment")} for one in inferred(40)]
    mix = [{"path": write("names", inferred(40))},
           {"path": write("codes", coded), "class_names": ["contradiction", "entailment"]},
           {"path": write("others", scored(40)), "label_range": [0, 5], "loss": "cosent"},
           ]  # fmt: skip
    settings = recipe(data=data, settings={"mix": mix}, train={"steps": 4})
    outcome = go(similar, pretrained, tmp_path / "run", settings)
    assert outcome.metric == "spearman_cosine"
    narrow = [{"path": write("others", scored(60)), "labels": "number", "label_range": [0, 4]}]
    with pytest.raises(DataError, match="label out of range: 5, expected 0 to 4"):
        go(similar, pretrained, tmp_path / "narrow", recipe(data=data, settings={"mix": narrow}))


def test_mixed_data_that_is_judged_by_is_told_of(
    write: Callable[..., Path], pretrained: Path, tmp_path: Path
) -> None:
    """Beside other negatives too, and turned round."""
    mix = [{"path": write("mixed", triplets(20, 85))}]
    said: list[str] = []
    go(
        write("train", pairs(40)),
        pretrained,
        tmp_path / "run",
        recipe(settings={"mix": mix}, train={"steps": 1}),
        validation=write("validation", pairs(10, 80)),
        say=said.append,
    )
    assert sum("5 of 10 validation examples are among those learned from" in one for one in said)


def test_what_an_epoch_leaves_out_is_told(
    write: Callable[..., Path], pretrained: Path, tmp_path: Path
) -> None:
    hub = [{**one, "positive": "the same"} for one in pairs(24, 40)]
    said: list[str] = []
    go(
        write("train", [*hub, *pairs(21)]),
        pretrained,
        tmp_path / "run",
        recipe(settings={"mix": [{"path": write("mixed", pairs(20, 70))}]}, train={"steps": 1}),
        validation=write("validation", pairs(10, 90)),
        say=said.append,
    )
    assert "data set 1: 21 of 45 examples share a text with others, and wait for another epoch" in (
        said
    )
    assert "data set 2: 4 of 20 examples do not fill a batch of 8, and wait for another epoch" in (
        said
    )
    assert any("65 examples, 40 an epoch, 10 to validate on" in line for line in said)
    assert not any("windows" in line or "are cut" in line for line in said)


def test_a_bad_row_of_a_mixed_data_set_is_kept_with_its_place(
    write: Callable[..., Path], pretrained: Path, tmp_path: Path
) -> None:
    second = write("second", [*pairs(20), {"anchor": "a", "positive": " "}])
    settings = recipe(settings={"mix": [{"path": second}]}, train={"steps": 1})
    go(write("train", pairs(20, 40)), pretrained, tmp_path / "run", settings)
    kept = (tmp_path / "run" / "mix-1-rejects.jsonl").read_text(encoding="utf-8")
    assert "empty text" in kept
    assert "second.jsonl" in kept


def test_nested_vectors_are_trained(
    write: Callable[..., Path], pretrained: Path, tmp_path: Path
) -> None:
    given = {"loss": "multiple-negatives-ranking",
             "loss_settings": {"matryoshka": {"dims": [32, 4]}}}  # fmt: skip
    found = []
    for name, settings in (("nested", given), ("plain", {})):
        outcome = go(
            write("train", pairs(60)),
            pretrained,
            tmp_path / name,
            recipe(settings=settings),
            validation=write("validation", pairs(18, 60)),
        )
        encode, rows = unmask.load(outcome.folder).encode, pairs(18, 60)
        anchors, others = (
            encode([one[name] for one in rows], truncate_dim=4, normalize_embeddings=True)
            for name in ("anchor", "positive")
        )
        found.append(float(((anchors @ others.T).argmax(1) == np.arange(18)).mean()))
    assert found[0] > found[1]


def test_prompts_length_and_layers_are_published(
    write: Callable[..., Path], pretrained: Path, tmp_path: Path
) -> None:
    settings = {"prompts": {"query": "that ", "document": "the "}, "max_length": 8, "dense": 6,
                "pooling": ["cls", "mean"], "normalize": True}  # fmt: skip
    long = [{**one, "positive": one["positive"] + " the film" * 9} for one in pairs(40)]
    said: list[str] = []
    train, test = write("train", long), write("test", long[:20])
    wanted = recipe(settings=settings)
    outcome = go(train, pretrained, tmp_path / "run", wanted, test=test, say=said.append)
    assert "72 of 72 texts have more than 8 tokens, and are cut" in said
    engine = unmask.load(outcome.folder)
    assert engine.prompts == {"query": "that ", "document": "the "}
    assert engine.max_seq_length == theirs(outcome.folder).max_seq_length == 8
    assert engine.get_embedding_dimension() == 6
    assert_read_alike(outcome.folder)
    found = engine.encode_query(["film 1", "good"])
    np.testing.assert_allclose(
        found, theirs(outcome.folder).encode_query(["film 1", "good"]), rtol=0, atol=1e-5
    )
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1.0, rtol=1e-6)
    assert outcome.test is not None
    again = assess(engine.bundle, test, LabelledConfig())  # by the same prompts and length
    assert again.scores["mrr@10"] == pytest.approx(outcome.test["mrr@10"], abs=1e-6)

    still = recipe(train={"steps": 1}, optim={"learning_rate": 1e-12})
    second = go(train, outcome.folder, tmp_path / "more", still, test=test)
    assert native.load(second.folder).task == engine.bundle.task
    np.testing.assert_allclose(
        unmask.load(second.folder).encode(["film 1"]), engine.encode(["film 1"]), rtol=0, atol=1e-5
    )


def test_a_frozen_encoder_keeps_its_weights(
    write: Callable[..., Path], pretrained: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    train = write("train", pairs(20))
    settings = recipe(freeze="encoder", settings={"dense": 6}, train={"steps": 4})
    outcome = go(train, pretrained, tmp_path / "run", settings)
    before, after = (native.load(folder).model for folder in (pretrained, outcome.folder))
    for name, tensor in before.encoder.state_dict().items():
        assert torch.equal(after.encoder.state_dict()[name], tensor), name
    assert "--freeze encoder" in caplog.text
    for number, rows in enumerate((pairs(20), inferred(40))):  # a classifier is not published
        train = write("train", rows)
        with pytest.raises(UsageError, match=r"encoder: nothing would be trained .* --dense"):
            go(train, pretrained, tmp_path / str(number), recipe(freeze="encoder"))


# --- runs


@pytest.mark.parametrize("form", [pairs, inferred, alone], ids=["coupled", "with weights", "twice"])
def test_a_run_that_was_cut_off_goes_on_bit_for_bit(
    form: Callable[..., Records],
    write: Callable[..., Path],
    pretrained: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The losses' own weights, and the dropout of a second pass, are part of a run."""
    train = write("train", form(40))
    validation = write("validation", form(12, 60) if form is not alone else pairs(12, 60))
    settings = recipe(
        train={"steps": 12, "save_every": 3, "evaluate_every": 6, "log_every": 1}, dropout=0.1
    )
    others = {"validation": validation}
    whole = go(train, pretrained, tmp_path / "whole", settings, **others)

    def cut(_log: RunLog, state: Any, _progress: float, _numbers: dict[str, float]) -> None:
        if state.global_step == 8:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(RunLog, "step", cut)
        with pytest.raises(KeyboardInterrupt):
            go(train, pretrained, tmp_path / "cut", settings, **others)
    again = go(train, pretrained, tmp_path / "cut", settings, resume=True, **others)

    weights = [(one.folder / "model.safetensors").read_bytes() for one in (whole, again)]
    assert weights[0] == weights[1]
    assert again.validation == whole.validation
    logs = [read_metrics(tmp_path / run / METRICS_FILE) for run in ("whole", "cut")]
    losses = [
        {line["step"]: line["embedding_loss"] for line in log if "embedding_loss" in line}
        for log in logs
    ]
    assert losses[0].items() >= losses[1].items()
    assert len(losses[0]) > 1


def test_the_card_and_the_baselines_stand_beside(
    write: Callable[..., Path], pretrained: Path, tmp_path: Path
) -> None:
    settings = recipe(baselines=True, pictures=True, train={"steps": 4})
    train = write("train", pairs(40))
    outcome = go(train, pretrained, tmp_path / "run", settings)
    assert list(outcome.baselines) == ["tf-idf", "before training"]
    assert json.loads((outcome.folder / SCORES_FILE).read_text())["baselines"] == outcome.baselines
    card = (outcome.folder / "README.md").read_text(encoding="utf-8")
    assert "library_name: sentence-transformers\npipeline_tag: sentence-similarity" in card
    assert "# A sentence encoder of" in card
    assert "unmask embed path/to/this/folder --input texts.txt --output vectors.npy" in card
    assert 'SentenceTransformer("path/to/this/folder").encode(' in card
    assert "Vectors of other models do not compare with its own" in card
    assert "before training" in card
    assert "Labels:" not in card

    again = go(train, outcome.folder, tmp_path / "more", settings)
    assert again.baselines["before training"] == pytest.approx(outcome.validation)


def test_several_seeds_are_summarised(
    write: Callable[..., Path], pretrained: Path, tmp_path: Path
) -> None:
    settings = recipe(seeds=2, train={"steps": 2})
    outcome = go(write("train", scored(30)), pretrained, tmp_path / "run", settings)
    assert outcome.spread is not None
    assert set(outcome.spread) == {"spearman_cosine", "pearson_cosine"}
    assert_read_alike(outcome.folder)


def test_rows_of_python_are_trained_on(pretrained: Path, tmp_path: Path) -> None:
    rows = [(one["anchor"], one["positive"]) for one in pairs(20)]
    outcome = go(rows, pretrained, tmp_path / "run", recipe(train={"steps": 2}))
    assert isinstance(native.load(outcome.folder).task, SentenceEmbedding)


def test_what_becomes_of_untrained_vectors_is_told(
    pretrained: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        unmask.load(pretrained).encode(["good"], pooling="cls")
    assert "raw [CLS] vectors compare worse" in caplog.text
    assert "unmask finetune embedding" in caplog.text


@pytest.mark.parametrize(
    ("records", "settings", "message"),
    [
        ([{"anchor": " ", "positive": "b"}] * 12, {}, "empty text"),
        ([{"anchor": "a", "positive": "b", "negative": "b"}] * 12, {}, "equals the positive"),
        (pairs(8), {}, r"examples no 8 have texts of their own, .* smaller --train.batch-size"),
        ([pairs(1)[0]] * 40, {}, "all have the same first text, which is never divided"),
        (alone(20), {}, "single texts tell nothing of how good .* by --validation"),
        (pairs(20), {"loss": "triplet"}, r"loss triplet takes 3 text\(s\) of each"),
        (pairs(20), {"loss": "cosent"}, r"takes examples with labels \(score\)"),
        ([*pairs(10), *alone(10)], {}, "empty text|expected all examples of a data set alike"),
        (
            scored(30),
            {"loss": "cosine-similarity"},
            "cosine-similarity: label ., expected 0 to 1 .*score_range",
        ),
        (
            pairs(20),
            {"loss": "multiple-negatives-ranking", "loss_settings": {"matryoshka": {"dims": [64]}}},
            "64 exceeds the 32 entries",
        ),
        (pairs(20), {"max_length": 4000}, "max_length is 4000, but .* reads 64 tokens at most"),
        ([{"left": "a", "right": "b"}] * 12, {}, "known as texts; expected anchor, positive"),
    ],
)  # fmt: skip
def test_what_cannot_be_learned_is_told(
    records: Records,
    settings: dict[str, Any],
    message: str,
    write: Callable[..., Path],
    pretrained: Path,
    tmp_path: Path,
) -> None:
    wanted = recipe(settings=settings, dropout=0.1)
    with pytest.raises((DataError, UsageError), match=message):
        go(write("train", records), pretrained, tmp_path / "run", wanted)
    assert not (tmp_path / "run" / "model").exists()


def test_scores_that_are_no_numbers_are_told(
    write: Callable[..., Path], pretrained: Path, tmp_path: Path
) -> None:
    rows = [{**one, "score": float("nan")} for one in scored(12)]
    numbers = recipe(data={"labels": "number"})
    with pytest.raises(DataError, match="label is not finite"):
        go(write("nan", rows), pretrained, tmp_path / "nan", numbers)
    bounded = recipe(data={"labels": "number", "label_range": [0, 4]})
    with pytest.raises(DataError, match="label out of range: 5, expected 0 to 4"):
        go(write("over", scored(60)), pretrained, tmp_path / "over", bounded)


@pytest.mark.parametrize("where", ["train", "validation"])
def test_one_score_that_is_none_makes_no_classes_of_all(
    where: str, pretrained: Path, tmp_path: Path
) -> None:
    """Without any setting, as in a table that pandas wrote."""
    files = {}
    for name in ("train", "validation"):
        rows = [f"{one['sentence1']},{one['sentence2']},{one['score']}" for one in scored(60)]
        if name == where:
            rows[7] = rows[7].rpartition(",")[0] + ",nan"
        files[name] = tmp_path / f"{name}.csv"
        files[name].write_text("\n".join(["sentence1,sentence2,score", *rows]), encoding="utf-8")
    others = {"validation": files["validation"]}
    with pytest.raises(DataError, match=rf"{where}.csv:9: the label is 'nan', while 59 of 60 are"):
        go(files["train"], pretrained, tmp_path / "run", recipe(), **others)
    without = recipe(data={"no_label": ["nan"]}, train={"steps": 1})
    outcome = go(files["train"], pretrained, tmp_path / "again", without, **others)
    assert outcome.metric == "spearman_cosine"
    bounded = recipe(data={"label_range": [0, 4]})
    with pytest.raises(DataError, match="label out of range: 5, expected 0 to 4"):
        go(files["train"], pretrained, tmp_path / "over", bounded, **others)


def test_codes_of_classes_are_told_apart(
    write: Callable[..., Path], pretrained: Path, tmp_path: Path
) -> None:
    coded = [{**one, "score": None, "label": i % 3} for i, one in enumerate(scored(40))]
    train = write("train", coded)
    with pytest.raises(DataError, match=r"train.jsonl:1: the labels are 0, 1 and 2, which may be"):
        go(train, pretrained, tmp_path / "run", recipe())
    settings = recipe(settings={"loss": "softmax"}, train={"steps": 1})
    outcome = go(train, pretrained, tmp_path / "again", settings, test=train)
    assert outcome.metric == "cosine_eta_squared"
    assert outcome.test is not None
    assert list(outcome.test) == ["cosine_eta_squared"]


def test_batches_that_grow_are_refused(pretrained: Path, tmp_path: Path) -> None:
    growing = recipe(train={"initial_batch_size": 4, "batch_warmup_rate": 0.5})
    with pytest.raises(UsageError, match=r"--train.initial-batch-size: .* batches of one size"):
        go(tmp_path / "not read", pretrained, tmp_path / "run", growing)
    assert not (tmp_path / "run").exists()


def test_a_test_of_another_form_is_told_before_any_step(
    write: Callable[..., Path], pretrained: Path, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=r"judged by .*spearman_cosine, but .* chosen by mrr@10"):
        go(
            write("train", pairs(40)),
            pretrained,
            tmp_path / "run",
            recipe(),
            test=write("test", scored(20)),
        )
    assert not (tmp_path / "run" / "model").exists()
