"""`unmask embed`, and the run that trains what it uses."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import sentence_transformers as st

from unmask.cli.application import app
from unmask.errors import DataError


def pairs(file: Path, number: int = 24) -> Path:
    animals = ["cat", "dog", "film", "bad", "good", "fine", "nice", "poor"]
    rows = [
        {"anchor": f"the {animals[i % 8]} was {i}", "positive": f"{animals[i % 8]} {i}, the one"}
        for i in range(number)
    ]
    file.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def run(tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("embedding")
    command = ["finetune", "embedding", str(pairs(folder / "pairs.jsonl")), "--model",
               str(tiny_encoder), "--output", str(folder / "run"), "--train.batch-size", "4",
               "--train.epochs", "2", "--normalize"]  # fmt: skip
    app(command, result_action="return_value")
    return folder / "run"


@pytest.mark.parametrize("name", ["v.npy", "v.parquet"])
def test_a_trained_encoder_embeds_a_file_as_sentence_transformers_does(
    name: str, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = ["the cat was good", "a poor film"]
    (tmp_path / "texts.txt").write_text("\n".join(texts) + "\n", encoding="utf-8")
    command = ["embed", str(run), "--input", str(tmp_path / "texts.txt")]
    app([*command, "--output", str(tmp_path / name), "--json"], result_action="return_value")

    said = json.loads(capsys.readouterr().out)
    assert said == {"output": str(tmp_path / name), "texts": 2, "dimension": 32}
    if name == "v.npy":
        expected = st.SentenceTransformer(str(run / "model"), device="cpu").encode(texts)
        np.testing.assert_allclose(np.load(tmp_path / name), expected, rtol=0, atol=1e-5)


def test_the_card_says_how_to_use_it_and_what_it_was_held_against(run: Path) -> None:
    card = (run / "model" / "README.md").read_text(encoding="utf-8")
    assert "library_name: sentence-transformers" in card
    assert "pipeline_tag: sentence-similarity" in card
    scores = json.loads((run / "model" / "scores.json").read_text())
    assert scores["metric"] == "mrr@10"
    assert set(scores["baselines"]) == {"tf-idf", "before training"}


def test_one_column_of_numbers_is_no_text(run: Path, tmp_path: Path) -> None:
    (tmp_path / "numbers.jsonl").write_text('{"text": 3}\n' * 20, encoding="utf-8")
    command = ["embed", str(run), "--input", str(tmp_path / "numbers.jsonl")]
    with pytest.raises(DataError, match="cannot be read"):
        app([*command, "--output", str(tmp_path / "v.npy")], result_action="return_value")
    assert not (tmp_path / "v.npy").exists()
