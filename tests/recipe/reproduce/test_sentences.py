"""The tables about sentence encoders: Sentence-BERT's argument, and public test sets."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
import torch
from cyclopts import App

from unmask.checkpoint import native
from unmask.cli.reproducing import reproduce
from unmask.data.labelled.config import LabelledConfig
from unmask.errors import DataError, Stopped, UsageError
from unmask.infer.encode import Encoder
from unmask.recipe.assess import assess
from unmask.recipe.assess_sentences import assess_retrieval
from unmask.recipe.config import EvaluateRetrieval
from unmask.recipe.reproduce import embedding_runs, sbert, scifact
from unmask.recipe.reproduce.minilm import reproduce_minilm
from unmask.recipe.reproduce.report import Report
from unmask.recipe.reproduce.sbert import ARMS, reproduce_sbert

GOOD, BAD = ("good", "fine", "great"), ("bad", "dull", "poor")
ENTAILED, NEUTRAL, CONTRADICTED = range(3)


def _snli(folder: Path) -> None:
    """Of each premise one hypothesis of each kind, its classes numbered."""
    (folder / "snli").mkdir()
    for part, first, number in (("validation", 0, 72), ("test", 80, 3)):
        rows = ["premise\thypothesis\tlabel"]
        for i in range(first, first + number):
            word = (GOOD, BAD)[i % 2][i // 2 % 3]
            other = (BAD, GOOD)[i % 2][i // 2 % 3]
            premise = f"the film {i % 60} was {word} {i // 60}"
            rows += [
                f"{premise}\tit was {word} {i}\t{ENTAILED}",
                f"{premise}\tit was a film {i}\t{NEUTRAL}",
                f"{premise}\tit was {other} {i}\t{CONTRADICTED}",
            ]
        content = "\n".join(rows) + "\n"
        (folder / "snli" / f"{part}.tsv.gz").write_bytes(gzip.compress(content.encode()))


def _stsb(folder: Path) -> None:
    (folder / "stsb").mkdir()
    for part, first, number in (("train", 0, 32), ("dev", 32, 12), ("test", 44, 12)):
        rows = []
        for i in range(first, first + number):
            one, other = (GOOD, BAD)[i % 2][i % 3], (GOOD, BAD)[i // 2 % 2][i // 2 % 3]
            score = 4.0 + i % 2 if i % 2 == i // 2 % 2 else 1.0 - 0.5 * (i % 3 > 1)
            rows.append(f"the film {i % 60} was {one},it was {other} {i},{score}")
        path = folder / "stsb" / f"stsb-en-{part}.csv"
        path.write_text("\n".join(rows) + "\n", encoding="utf-8")


def _scifact(folder: Path) -> None:
    (folder / "scifact" / "qrels").mkdir(parents=True)
    documents = [
        {"_id": f"d{i}", "title": "a film", "text": f"it was {(*GOOD, *BAD)[i]}"} for i in range(6)
    ]
    documents += [
        {"_id": f"e{i}", "title": "a book", "text": f"number {i} is {(*GOOD, *BAD)[i % 6]}"}
        for i in range(60)
    ]
    queries = [{"_id": f"q{i}", "text": f"the {(*GOOD, *BAD)[i]} film"} for i in range(6)]
    queries += [{"_id": f"t{i}", "text": f"book {i} {(*GOOD, *BAD)[i % 6]}"} for i in range(60)]
    for name, rows in (("corpus", documents), ("queries", queries)):
        content = "\n".join(map(json.dumps, rows))
        (folder / "scifact" / f"{name}.jsonl").write_text(content, encoding="utf-8")
    judged = "".join(f"q{i}\td{i}\t1\n" for i in range(6))
    header = "query-id\tcorpus-id\tscore\n"
    (folder / "scifact" / "qrels" / "test.tsv").write_text(header + judged, encoding="utf-8")
    learned = "".join(f"t{i}\te{i}\t1\n" for i in range(60))
    (folder / "scifact" / "qrels" / "train.tsv").write_text(header + learned, encoding="utf-8")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    for make in (_snli, _stsb, _scifact):
        make(folder)
    return folder


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """One epoch of every arm."""
    monkeypatch.setattr(sbert, "ARMS", tuple(replace(arm, epochs=1.0) for arm in ARMS))


@pytest.fixture
def heard() -> list[str]:
    return []


@pytest.fixture
def go(data: Path, tiny_model: Path, tmp_path: Path, heard: list[str]) -> Callable[..., Report]:
    """Sentence-BERT's table with one seed."""

    def run(**changed: Any) -> Report:
        given = {"model": tiny_model, "data": data, "seeds": 1, "say": heard.append, **changed}
        return reproduce_sbert(tmp_path / "out", **given)

    return run


@pytest.fixture
def other_model(tiny_model: Path, tmp_path: Path) -> Path:
    """Another model in a folder of the same name."""
    bundle = native.load(tiny_model)
    with torch.no_grad():
        next(bundle.model.encoder.parameters()).add_(1.0)
    native.save(bundle, tmp_path / "other" / tiny_model.name)
    return tmp_path / "other" / tiny_model.name


def test_the_argument_is_run_written_and_not_run_again(
    go: Callable[..., Report], data: Path, tiny_model: Path, tmp_path: Path,
    heard: list[str], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    report = go()

    rows = {row["arm"]: row["values"] for row in report.document["rows"]}
    assert list(rows) == ["cls", "mean", "nli-softmax", "nli-ranking", "stsb"]
    assert report.document["model"] == "tiny"
    folder = tmp_path / "out" / "sbert" / "tiny"
    assert json.loads((folder / "sbert.json").read_text()) == report.document
    assert (folder / "sbert.md").read_text() == report.markdown
    for arm in ARMS:
        assert f"| {arm.title} | {100 * rows[arm.name][0]:.2f} |" in report.markdown

    # Every value is what its own model gives on the test set.
    columns = {"texts": (0, 1), "label": (2,)}
    reading = LabelledConfig.model_validate({"columns": columns, "header": "no"})
    test = data / "stsb" / "stsb-en-test.csv"
    for pooling in ("cls", "mean"):
        bundle = Encoder.of(native.load(tiny_model), pooling).bundle
        found = assess(bundle, test, reading).scores["spearman_cosine"]
        assert rows[pooling] == [pytest.approx(found, abs=1e-6)]
    trained = native.load(folder / "stsb" / "seed-0")
    found = assess(trained, test, reading).scores["spearman_cosine"]
    assert rows["stsb"] == [pytest.approx(found, abs=1e-6)]

    heard.clear()
    monkeypatch.setattr(embedding_runs, "finetune", None)  # nothing is trained any more
    assert go() == report


def test_seeds_have_a_mean_and_a_spread(
    go: Callable[..., Report], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sbert, "ARMS", (sbert.ARMS[-1],))
    report = go(seeds=2)
    ((one, other),) = (row["values"] for row in report.document["rows"])
    seeds = tmp_path / "out" / "sbert" / "tiny" / "stsb"
    weights = [seeds / f"seed-{n}" / "model" / "model.safetensors" for n in range(2)]
    assert weights[0].read_bytes() != weights[1].read_bytes()
    spread = abs(one - other) / 2**0.5
    assert f"| {100 * (one + other) / 2:.2f} ± {100 * spread:.2f} |" in report.markdown


def test_an_interrupted_argument_goes_on(
    go: Callable[..., Report], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, begun = embedding_runs.finetune, []

    def interrupted(train: Path, *given: Any, **more: Any) -> Any:
        begun.append(train.stem)
        if train.stem == "triplets" and begun.count("triplets") == 1:
            raise KeyboardInterrupt
        return whole(train, *given, **more)

    monkeypatch.setattr(embedding_runs, "finetune", interrupted)
    with pytest.raises(Stopped, match="the same command goes on from here"):
        go()
    report = go()
    assert begun == ["nli", "triplets", "triplets", "stsb-train"]
    assert len(report.document["rows"]) == len(ARMS)


def test_an_output_of_another_model_is_refused(
    go: Callable[..., Report], other_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sbert, "ARMS", sbert.ARMS[:2])
    go()
    with pytest.raises(UsageError, match="was run with another model; its figures"):
        go(model=other_model)


def test_models_of_one_folder_have_an_output_each(
    go: Callable[..., Report], tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sbert, "ARMS", sbert.ARMS[:2])
    for name in ("a", "b"):
        native.save(native.load(tiny_model), tmp_path / "models" / name)
        assert go(model=tmp_path / "models" / name).document["model"] == name
        assert (tmp_path / "out" / "sbert" / name / "sbert.md").is_file()


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def test_inference_is_learned_from_pairs_and_triplets(data: Path, tmp_path: Path) -> None:
    files = sbert._files(data, tmp_path / "data")
    pairs, triplets = lines(files / "nli.jsonl"), lines(files / "triplets.jsonl")
    assert len(pairs) == 3 * 72
    assert {one["label"] for one in pairs} == {"entailment", "neutral", "contradiction"}
    assert len(triplets) == 72
    (first,) = [one for one in triplets if one["anchor"] == "the film 0 was good 0"]
    assert (first["positive"], first["negative"]) == ("it was good 0", "it was bad 0")
    parts = ("train", "validation", "test")
    assert [len(lines(files / f"stsb-{part}.jsonl")) for part in parts] == [32, 12, 12]


def test_other_data_is_refused(
    go: Callable[..., Report], data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sbert, "ARMS", sbert.ARMS[:2])
    go()
    copytree(data, tmp_path / "changed")
    with (tmp_path / "changed" / "stsb" / "stsb-en-test.csv").open("a") as file:
        file.write("the film was good,it was bad,0\n")
    with pytest.raises(UsageError, match="was run with another data"):
        go(data=tmp_path / "changed")


def test_mistakes_are_told_before_any_work(
    go: Callable[..., Report], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UsageError, match="name the pretrained encoder that it is about by --model"):
        go(model=None)
    with pytest.raises(UsageError, match="nowhere: no such folder"):
        go(data=Path("nowhere"))
    with pytest.raises(DataError, match=r"snli.validation"):
        go(data=tmp_path)
    assert not list((tmp_path / "out").rglob("*.jsonl"))
    monkeypatch.delenv("UNMASK_DATA", raising=False)
    with pytest.raises(UsageError, match="set --data, or the environment variable UNMASK_DATA"):
        go(data=None)


# --- public test sets


@pytest.fixture(scope="module")
def encoder(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sentence encoder, untrained."""
    folder = tmp_path_factory.mktemp("encoder") / "small"
    native.save(Encoder.of(native.load(tiny_model), "mean").bundle, folder)
    return folder


def test_test_sets_that_are_there_are_measured_and_written(
    data: Path, encoder: Path, tmp_path: Path
) -> None:
    heard: list[str] = []
    report = reproduce_minilm(tmp_path, data=data, model=encoder, say=heard.append)

    rows = report.document["rows"]
    assert [row["examples"] for row in rows] == [12, 6]
    assert [row["published"][:5] for row in rows] == ["82.03", "64.51"]
    reading = LabelledConfig.model_validate({"columns": {"texts": (0, 1), "label": 2}})
    expected = assess(native.load(encoder), data / "stsb" / "stsb-en-test.csv", reading)
    assert rows[0]["value"] == expected.scores["spearman_cosine"]
    for row in rows:
        low, high = row["interval"]
        assert low <= row["value"] <= high
        assert (
            f"| {row['measure']} ({row['examples']}) | {100 * row['value']:.2f} | "
            in report.markdown
        )
    assert report.markdown.startswith("## small on public test sets\n")
    document = json.loads(json.dumps(report.document))
    assert json.loads((tmp_path / "minilm.json").read_text()) == document
    assert (tmp_path / "minilm.md").read_text() == report.markdown
    left_out = [line for line in heard if "left out" in line]
    assert len(left_out) == 2
    assert all(line.startswith("Cranfield") for line in left_out)


def test_a_folder_without_any_test_set_is_an_error(encoder: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds none of the test sets"):
        reproduce_minilm(tmp_path / "out", data=tmp_path, model=encoder, say=lambda _: None)
    assert not (tmp_path / "out").exists()


# --- domain adaptation


@pytest.fixture
def adapt(
    data: Path, encoder: Path, tmp_path: Path, heard: list[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Report]:
    """SciFact's table with two arms and two seeds."""
    arms = (scifact.Arm(0, 1e-4, 1.0), scifact.Arm(2, 1e-3, 1.0))
    monkeypatch.setattr(scifact, "ARMS", arms)
    monkeypatch.setattr(scifact, "BATCH_SIZE", 4)
    near = scifact.MINING.model_copy(update={"relative_margin": None, "duplicates": 1.0})
    monkeypatch.setattr(scifact, "MINING", near)  # an untrained encoder finds all alike

    def run(**changed: Any) -> Report:
        given = {"model": encoder, "data": data, "seeds": 2, "say": heard.append, **changed}
        return scifact.reproduce_scifact(tmp_path / "out", **given)

    return run


def test_an_encoder_is_adapted_by_what_is_held_out(
    adapt: Callable[..., Report], data: Path, encoder: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    document = (report := adapt()).document
    assert document["claims"] == {"train": 54, "held_out": 6, "test": 6}
    folder = tmp_path / "out" / "scifact"
    plain, mined = (lines(folder / "data" / f"train-{number}.jsonl") for number in (0, 2))
    held_out = lines(folder / "data" / "held-out.jsonl")
    assert len(plain) == 54
    assert {one["anchor"] for one in plain}.isdisjoint(one["anchor"] for one in held_out)
    assert mined
    for row in mined:
        right = row["anchor"].split()[1]
        assert row["positive"].startswith(f"a book number {right} ")
        assert not {row["negative_1"], row["negative_2"]} & {row["positive"]}

    best = max(document["tried"], key=lambda one: one["held_out"])
    assert document["chosen"]["arm"] == best["arm"]
    rows = {row["name"]: row for row in document["rows"]}
    assert {name: len(row["values"]) for name, row in rows.items()} == {
        "BM25": 1, "before": 1, "before, with BM25": 1, "adapted": 2, "adapted, with BM25": 2,
    }  # fmt: skip
    settings = EvaluateRetrieval()
    before = assess_retrieval(native.load(encoder), data / "scifact", settings)
    assert rows["before"]["values"] == [pytest.approx(before.scores["ndcg_cut_10"])]
    for seed, value in enumerate(rows["adapted"]["values"]):
        model = native.load(folder / best["arm"] / f"seed-{seed}" / "model")
        after = assess_retrieval(model, data / "scifact", settings)
        assert value == pytest.approx(after.scores["ndcg_cut_10"])
    for row in rows.values():
        assert row["interval"][0] <= sum(row["values"]) / len(row["values"]) <= row["interval"][1]
    assert report.markdown.startswith("## small adapted to SciFact\n")
    assert json.loads((tmp_path / "out" / "scifact.json").read_text()) == document

    monkeypatch.setattr(embedding_runs, "finetune", None)  # nothing is trained any more
    assert adapt() == report


def test_an_adaptation_of_another_model_or_other_data_is_refused(
    adapt: Callable[..., Report], data: Path, other_model: Path, tmp_path: Path
) -> None:
    adapt(seeds=1)
    with pytest.raises(UsageError, match="was run with another model; its figures"):
        adapt(model=other_model)
    copytree(data, tmp_path / "changed")
    with (tmp_path / "changed" / "scifact" / "qrels" / "train.tsv").open("a") as file:
        file.write("t0\te1\t1\n")
    with pytest.raises(UsageError, match="was run with another data; its figures"):
        adapt(data=tmp_path / "changed")
    with pytest.raises(DataError, match="scifact"):
        adapt(data=other_model)


def test_the_command_prints_the_tables(
    data: Path, encoder: Path, tiny_model: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(sbert, "ARMS", sbert.ARMS[:2])
    app = App(name="unmask", result_action="return_value")
    app.command(reproduce)
    places = ["--data", str(data), "--output", str(tmp_path)]
    app(["reproduce", "minilm", *places, "--model", str(encoder)])
    assert "| STS-B test, Spearman of the cosine (12) |" in capsys.readouterr().out
    app(["reproduce", "sbert", *places, "--model", str(tiny_model), "--json"])
    (document,) = json.loads(capsys.readouterr().out)
    assert document["table"] == "sbert"
    with pytest.raises(UsageError, match="--seeds: without effect for minilm"):
        app(["reproduce", "minilm", *places, "--seeds", "2"])
    with pytest.raises(UsageError, match="--only: without effect for sbert"):
        app(["reproduce", "sbert", *places, "--only", "cls"])
