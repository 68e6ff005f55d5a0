"""`unmask embed`, and the run that trains what it uses and the figures that it gets."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import sentence_transformers as st

import unmask
from unmask.cli.application import app
from unmask.errors import DataError

Run = Callable[..., Any]
TEXTS = ["the cat was good", "a poor film", "the dog was nice, and the cat was not"]


def pairs(file: Path, number: int = 24) -> Path:
    animals = ["cat", "dog", "film", "bad", "good", "fine", "nice", "poor"]
    rows = [
        {"anchor": f"the {animals[i % 8]} was {i}", "positive": f"{animals[i % 8]} {i}, the one"}
        for i in range(number)
    ]
    file.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def trained(tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("embedding")
    command = ["finetune", "embedding", str(pairs(folder / "pairs.jsonl")), "--model",
               str(tiny_encoder), "--output", str(folder / "run"), "--train.batch-size", "4",
               "--train.epochs", "2", "--normalize", "--prompts.query", "cat ",
               "--prompts.document", "dog "]  # fmt: skip
    app(command, result_action="return_value")
    return folder / "run"


@pytest.mark.parametrize("name", ["v.npy", "v.parquet"])
def test_a_trained_encoder_embeds_a_file_as_sentence_transformers_does(
    name: str, trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = ["the cat was good", "a poor film"]
    (tmp_path / "texts.txt").write_text("\n".join(texts) + "\n", encoding="utf-8")
    command = ["embed", str(trained), "--input", str(tmp_path / "texts.txt")]
    app([*command, "--output", str(tmp_path / name), "--json"], result_action="return_value")

    said = json.loads(capsys.readouterr().out)
    assert said == {"output": str(tmp_path / name), "texts": 2, "dimension": 32}
    if name == "v.npy":
        expected = st.SentenceTransformer(str(trained / "model"), device="cpu").encode(texts)
        np.testing.assert_allclose(np.load(tmp_path / name), expected, rtol=0, atol=1e-5)


def test_the_card_says_how_to_use_it_and_what_it_was_held_against(trained: Path) -> None:
    card = (trained / "model" / "README.md").read_text(encoding="utf-8")
    assert "library_name: sentence-transformers" in card
    assert "pipeline_tag: sentence-similarity" in card
    scores = json.loads((trained / "model" / "scores.json").read_text())
    assert scores["metric"] == "mrr@10"
    assert set(scores["baselines"]) == {"tf-idf", "before training"}


def test_one_column_of_numbers_is_no_text(trained: Path, tmp_path: Path) -> None:
    (tmp_path / "numbers.jsonl").write_text('{"text": 3}\n' * 20, encoding="utf-8")
    command = ["embed", str(trained), "--input", str(tmp_path / "numbers.jsonl")]
    with pytest.raises(DataError, match="cannot be read"):
        app([*command, "--output", str(tmp_path / "v.npy")], result_action="return_value")
    assert not (tmp_path / "v.npy").exists()


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    file = tmp_path / "texts.jsonl"
    rows = [{"idx": f"t{i}", "text": text, "said": text[::-1]} for i, text in enumerate(TEXTS)]
    file.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return file


def test_a_table_of_ids_texts_and_vectors_is_written(
    trained: Path, texts: Path, run: Run, tmp_path: Path
) -> None:
    said = run("embed", trained, "--input", texts, "--output", tmp_path / "v.parquet")
    assert said.code == 0, said.err
    assert said.out.split()[-4:] == ["texts", "3", "dimension", "32"]
    table = pq.read_table(tmp_path / "v.parquet")
    assert table.column_names == ["id", "text", "embedding"]
    assert table["id"].to_pylist() == ["t0", "t1", "t2"]
    assert table["text"].to_pylist() == TEXTS
    expected = unmask.load(trained).encode(TEXTS)
    np.testing.assert_allclose(table["embedding"].to_pylist(), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("flags", "given"),
    [
        (["--pooling", "max"], {"pooling": "max"}),
        (["--prompt", "the "], {"prompt": "the "}),
        (["--prompt-name", "query"], {"prompt": "cat "}),
        (["--batch-size", "1"], {}),
        (["--column.text", "said"], {"texts": [text[::-1] for text in TEXTS]}),
        (["--data.columns.text", "said"], {"texts": [text[::-1] for text in TEXTS]}),
    ],
    ids=lambda one: one[0] if isinstance(one, list) else "",
)
def test_flags_say_how_vectors_are_made(
    flags: list[str], given: dict[str, Any], trained: Path, texts: Path, run: Run, tmp_path: Path
) -> None:
    said = run("embed", trained, "--input", texts, "--output", tmp_path / "v.npy", *flags)
    assert said.code == 0, said.err
    given = {"texts": TEXTS, **given}
    expected = unmask.load(trained).encode(given.pop("texts"), **given)
    np.testing.assert_allclose(np.load(tmp_path / "v.npy"), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--column.text", "words"], "no column `words`; found `idx`, `text`, `said`"),
        (["--column.text", "said", "--data.columns.text", "idx"], "the same settings; give one"),
        (["--pooling", "median"], "pooling: 'median' is not there"),
        (["--prompt-name", "title"], "'title' is none of the model's prompts: 'query', 'document'"),
        (["--batch-size", "0"], "batch-size"),
    ],
)
def test_mistakes_leave_an_output_as_it_was(
    flags: list[str], message: str, trained: Path, texts: Path, run: Run, tmp_path: Path
) -> None:
    (tmp_path / "v.npy").write_bytes(b"before")
    said = run("embed", trained, "--input", texts, "--output", tmp_path / "v.npy", *flags)
    assert said.code != 0
    assert message in said.err
    assert "Traceback" not in said.err
    assert (tmp_path / "v.npy").read_bytes() == b"before"
    assert sorted(file.name for file in tmp_path.iterdir()) == ["texts.jsonl", "v.npy"]


def test_an_output_that_is_there_is_written_anew(
    trained: Path, texts: Path, run: Run, tmp_path: Path
) -> None:
    (tmp_path / "v.npy").write_bytes(b"before")
    assert run("embed", trained, "--input", texts, "--output", tmp_path / "v.npy").code == 0
    assert np.load(tmp_path / "v.npy").shape == (3, 32)
    said = run("embed", trained, "--input", texts, "--output", tmp_path / "v.csv")
    assert "expected a name that ends in .npy or .parquet" in said.err
    (tmp_path / "folder.npy").mkdir()
    said = run("embed", trained, "--input", texts, "--output", tmp_path / "folder.npy")
    assert said.code != 0
    assert "folder.npy" in said.err


def test_raw_vectors_are_warned_of(
    tiny_encoder: Path, texts: Path, run: Run, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    said = run(
        *("embed", tiny_encoder, "--input", texts, "--output", tmp_path / "v.npy"),
        *("--pooling", "cls"),
    )
    assert said.code == 0, said.err
    assert "raw [CLS] vectors compare worse" in caplog.text


def test_pairs_and_collections_measure_it(trained: Path, run: Run, tmp_path: Path) -> None:
    said = run("evaluate", trained, pairs(tmp_path / "pairs.jsonl"), "--json")
    assert said.code == 0, said.err
    found = json.loads(said.out)
    assert found["examples"] == 24
    assert 0 < found["mrr@10"] <= 1

    folder = tmp_path / "beir"
    (folder / "qrels").mkdir(parents=True)
    for name, rows in (
        ("corpus", [{"_id": f"d{i}", "title": "", "text": text} for i, text in enumerate(TEXTS)]),
        ("queries", [{"_id": "q", "text": "a cat"}]),
    ):
        (folder / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    judged = "query-id\tcorpus-id\tscore\nq\td0\t1\n"
    (folder / "qrels" / "dev.tsv").write_text(judged, encoding="utf-8")
    flags = ["--retrieval.split", "dev", "--retrieval.run", tmp_path / "run.trec"]
    said = run("evaluate", trained, folder, *flags)
    assert said.code == 0, said.err
    assert "ndcg_cut_10" in said.out
    lines = (tmp_path / "run.trec").read_text(encoding="utf-8").splitlines()
    assert [line.split()[:2] for line in lines] == [["q", "Q0"]] * 3
    measured = run("evaluate", trained, folder, "--retrieval.split", "dev", "--json")
    other = ("--retrieval.split", "dev", "--retrieval.from-run", tmp_path / "run.trec")
    assert json.loads(run("evaluate", folder, *other, "--json").out) == json.loads(measured.out)
    for words, message in (
        ((trained, folder, *other), "--retrieval.from-run: needs no model"),
        ((folder, *other, "--retrieval.top-k", "5"), "nothing is retrieved: drop top_k"),
        ((folder, *other[:-1], "gone.trec"), "gone.trec: no such file"),
        ((trained,), "expected a model and the data to measure it on"),
    ):
        assert message in run("evaluate", *words).err
    said = run("evaluate", trained, tmp_path / "pairs.jsonl", *flags)
    assert "is for a sentence encoder and the folder of a test collection" in said.err


def test_classes_and_translations_measure_it(trained: Path, run: Run, tmp_path: Path) -> None:
    classes = tmp_path / "classes.csv"
    rows = [f"a {word} {i},{word}" for i, word in enumerate(("cat", "dog", "film") * 4)]
    classes.write_text("\n".join(["text,label", *rows]), encoding="utf-8")
    said = run("evaluate", trained, classes, "--json")
    assert said.code == 0, said.err
    found = json.loads(said.out)
    assert found["examples"] == 12
    assert 0 <= found["v_measure"] <= 1
    said = run("evaluate", trained, classes, "--sentences.sampled", "--sentences.seed", 1)
    assert (said.code, "v_measure_std" in said.out) == (0, True), said.err

    aligned = pairs(tmp_path / "aligned.jsonl")
    said = run("evaluate", trained, aligned, "--sentences.bitext", "--json")
    assert said.code == 0, said.err
    found = json.loads(said.out)
    assert 0 < found["mean_f1"] <= found["mean_accuracy"] <= 1
    assert "mean_accuracy" in found["intervals"]


def test_settings_of_sentences_are_for_them(trained: Path, tiny_encoder: Path, run: Run) -> None:
    for model, data in ((trained, trained), (tiny_encoder, "text.txt")):
        said = run("evaluate", model, data, "--sentences.bitext")
        assert said.code == 2
        assert "--sentences.*: is for a sentence encoder and a file of examples" in said.err


def test_the_help_names_every_setting(run: Run) -> None:
    said = run("finetune", "embedding", "--help")
    assert said.code == 0
    for flag in ("--loss", "--pooling", "--dense", "--normalize", "--prompts", "--mix", "--weight"):
        assert flag in said.out, flag
    said = run("embed", "--help")
    assert all(flag in said.out for flag in ("--input", "--prompt-name", "--pooling", "--column"))


def test_settings_of_a_loss_are_flags(tiny_encoder: Path, run: Run, tmp_path: Path) -> None:
    command = ["finetune", "embedding", pairs(tmp_path / "pairs.jsonl"), "--model", tiny_encoder,
               "--train.batch-size", "4", "--train.steps", "1", "--output"]  # fmt: skip
    ranking = ["--loss", "multiple-negatives-ranking"]
    said = run(*command, tmp_path / "a", *ranking, "--loss-settings.false-negative-margin", "0.1")
    assert said.code == 0, said.err
    recipe = json.loads((tmp_path / "a" / "model" / "unmask.json").read_text())["recipe"]
    ((name, value),) = recipe["settings"]["loss_settings"].items()
    assert (name, float(value)) == ("false_negative_margin", 0.1)
    said = run(*command, tmp_path / "b", *ranking, "--loss-settings.margin", "0.1")
    assert said.code != 0
    assert "margin" in said.err
    assert "Traceback" not in said.err
    assert not (tmp_path / "b" / "model").exists()
