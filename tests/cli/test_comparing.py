"""`unmask deduplicate`, `paraphrases` and `cluster`."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from unmask.search.comparing_config import ParaphrasesConfig
from unmask.search.paraphrases import paraphrases

Run = Callable[..., Any]
TEXTS = ["the cat was good", "a bad film", "the cat was good", "the dog", "a film, bad", "the dog"]
VECTORS = np.array([[1, 0, 0], [0, 1, 0], [1, 0, 0.1], [0, 0, 1], [0, 1, 0.1], [0.1, 0, 1]])
VERBS = ("deduplicate", "paraphrases", "cluster")


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    file = tmp_path / "texts.txt"
    file.write_text("\n".join(TEXTS) + "\n", encoding="utf-8")
    return file


@pytest.fixture
def vectors(tmp_path: Path) -> Path:
    np.save(tmp_path / "vectors.npy", VECTORS.astype(np.float32))
    return tmp_path / "vectors.npy"


def documents(out: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.splitlines()]


def test_a_model_compares_the_texts(texts: Path, tiny_encoder: Path, run: Run) -> None:
    said = run("deduplicate", tiny_encoder, "--input", texts, "--threshold", 1, "--json")

    assert said.code == 0, said.err
    found = documents(said.out)
    assert found[0] == {"id": "1", "text": TEXTS[0], "duplicates": ["3"]}
    assert [row["id"] for row in found] == ["1", "2", "4", "5"]


def test_kept_texts_are_written_alone_or_with_what_they_stand_for(
    texts: Path, vectors: Path, run: Run, tmp_path: Path
) -> None:
    words = ("deduplicate", "--input", texts, "--vectors", vectors, "--output")

    said = run(*words, tmp_path / "kept.txt", "--json")
    run(*words, tmp_path / "kept.jsonl")

    assert said.code == 0, said.err
    expected = {"output": str(tmp_path / "kept.txt"), "texts": 6, "kept": 3, "groups": 3}
    assert json.loads(said.out) == expected
    assert (tmp_path / "kept.txt").read_text() == "the cat was good\na bad film\nthe dog\n"
    assert documents((tmp_path / "kept.jsonl").read_text())[1:] == [
        {"id": "2", "text": "a bad film", "duplicates": ["5"]},
        {"id": "4", "text": "the dog", "duplicates": ["6"]},
    ]


def test_linkage_and_threshold_reach_the_search(texts: Path, run: Run, tmp_path: Path) -> None:
    chain = np.array([[1, 0], [0.8, 0.6], [0.28, 0.96], [-1, 0], [-0.8, -0.6], [0, -1]])
    np.save(tmp_path / "chain.npy", chain)
    words = ("deduplicate", "--input", texts, "--vectors", tmp_path / "chain.npy", "--json")

    single = documents(run(*words, "--threshold", 0.7).out)
    star = documents(run(*words, "--threshold", 0.7, "--linkage", "star").out)

    assert [row["duplicates"] for row in single] == [["2", "3"], ["5"], []]
    assert [row["duplicates"] for row in star] == [["2"], [], ["5"], []]


def test_pairs_come_with_their_texts_the_best_first(
    texts: Path, vectors: Path, run: Run, tmp_path: Path
) -> None:
    words = ("paraphrases", "--input", texts, "--vectors", vectors, "--max-pairs", 3, "--top-k", 2)

    said = run(*words, "--json")
    run(*words, "--output", tmp_path / "pairs.csv")

    assert said.code == 0, said.err
    found = documents(said.out)
    expected = paraphrases(VECTORS, ParaphrasesConfig(max_pairs=3, top_k=2))
    assert [row["id1"] for row in found] == [str(i + 1) for i in expected.i]
    assert [row["id2"] for row in found] == [str(j + 1) for j in expected.j]
    assert [row["score"] for row in found] == pytest.approx(expected.scores, abs=1e-6)
    assert found[0]["text1"] == TEXTS[int(expected.i[0])]
    with (tmp_path / "pairs.csv").open(newline="") as file:
        assert [row["score"] for row in csv.DictReader(file)] == [str(r["score"]) for r in found]


def test_each_text_gets_its_cluster(texts: Path, vectors: Path, run: Run, tmp_path: Path) -> None:
    words = ("cluster", "--input", texts, "--vectors", vectors)

    said = run(*words, "--min-size", 2, "--threshold", 0.9, "--json")
    told = run(*words, "--min-size", 3, "--output", tmp_path / "clusters.jsonl", "--json")
    means = run(*words, "--num-clusters", 3, "--seed", 1, "--json")

    assert said.code == told.code == means.code == 0, said.err + told.err + means.err
    assert [row["cluster"] for row in documents(said.out)] == [0, 1, 0, 2, 1, 2]
    counts = json.loads(told.out)
    assert {name: counts[name] for name in ("texts", "clusters", "alone")} == {
        "texts": 6,
        "clusters": 0,
        "alone": 6,
    }
    rows = documents((tmp_path / "clusters.jsonl").read_text())
    assert rows[0] == {"id": "1", "text": TEXTS[0], "cluster": None}
    numbers = [row["cluster"] for row in documents(means.out)]
    assert numbers[0] == numbers[2] != numbers[1] == numbers[4]


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (("deduplicate",), "     1  the cat was good  (also 3)"),
        (("paraphrases", "--max-pairs", 1), "a bad film\n         a film, bad"),
        (("cluster", "--min-size", 2), "cluster 2: 2 texts\n       4  the dog\n       6  the dog"),
        (("cluster",), "6 texts lie in no cluster"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_for_people_the_results_are_printed(
    words: tuple[Any, ...], shown: str, texts: Path, run: Run, tmp_path: Path
) -> None:
    given = VECTORS.copy()
    given[4] = given[1]
    np.save(tmp_path / "v.npy", given)

    said = run(*words, "--input", texts, "--vectors", tmp_path / "v.npy")

    assert said.code == 0, said.err
    assert shown in said.out


def test_columns_are_named_and_records_that_cannot_be_read_are_told_of(
    run: Run, tmp_path: Path, tiny_encoder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "films.csv"
    file.write_text("key,review\n" + "".join(f"{i},a film {i}\n" for i in range(12)) + "12,\n")

    said = run("deduplicate", tiny_encoder, "--input", file, "--column.text", "review",
               "--column.id", "key", "--json")  # fmt: skip

    assert said.code == 0, said.err
    assert documents(said.out)[0]["id"] == "0"
    assert "1 of 13 records cannot be read (1 empty text)" in caplog.text


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ((), 2, "expected a model, or vectors by --vectors; found neither of the two"),
        (("MODEL", "--vectors", "VECTORS"), 2, "found both"),
        (("--vectors", "gone.npy"), 3, "gone.npy: no such file"),
        (("--vectors", "TEXTS"), 3, "cannot be read as .npy"),
        (("--vectors", "CUT"), 3, "cannot be read as .npy"),
        (("--vectors", "FEW"), 3, "has the shape (2, 3), but"),
        (("--vectors", "NAN"), 3, "row 0, from 0, holds NaN or infinity"),
        (("--vectors", "VECTORS", "--output", "x.pdf"), 2, "--output x.pdf: expected a name"),
        (("--vectors", "VECTORS", "--threshold", "1.2"), 2, "--threshold 1.2"),
        (("--vectors", "VECTORS", "--input", "gone.txt"), 3, "gone.txt: no such file"),
        (("--vectors", "ONE", "--input", "ALONE"), 3, "one text; expected at least 2"),
        (("--vectors", "ONE", "--input", "BLANK"), 3, "holds no examples"),
        (
            ("--vectors", "ONE", "--column.text", "a", "--data.columns.text", "b"),
            2,
            "--column, --data.columns: the same settings",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_wrong_use_is_told(
    words: tuple[str, ...],
    code: int,
    message: str,
    verb: str,
    texts: Path,
    vectors: Path,
    run: Run,
    tmp_path: Path,
) -> None:
    named = {"MODEL": tmp_path, "VECTORS": vectors, "TEXTS": texts}
    for name, array in {"FEW": VECTORS[:2], "ONE": VECTORS[:1], "NAN": VECTORS * np.nan}.items():
        np.save(tmp_path / f"{name}.npy", array)
        named[name] = tmp_path / f"{name}.npy"
    for name, text in {"ALONE": "a cat\n", "BLANK": "\n  \n"}.items():
        (tmp_path / f"{name}.txt").write_text(text)
        named[name] = tmp_path / f"{name}.txt"
    named["CUT"] = tmp_path / "cut.npz"
    np.savez(named["CUT"], VECTORS)
    named["CUT"].write_bytes(named["CUT"].read_bytes()[:-30])
    given = [named.get(word, word) for word in words]

    said = run(verb, *given, *([] if "--input" in words else ["--input", texts]))

    assert (said.code, said.out) == (code, ""), said.err
    assert message in said.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--num-clusters", 2, "--threshold", 0.8), "--threshold: expected without --num-clusters"),
        (("--num-clusters", 2, "--min-size", 3), "--min-size: expected without --num-clusters"),
        (("--seed", 3), "--seed: expected together with --num-clusters"),
        (("--num-clusters", 7), "6 different vectors for 7 clusters"),
    ],
    ids=str,
)
def test_the_two_ways_to_cluster_do_not_mix(
    words: tuple[Any, ...], message: str, texts: Path, vectors: Path, run: Run
) -> None:
    said = run("cluster", "--input", texts, "--vectors", vectors, *words)

    assert said.code in (2, 3)
    assert message in said.err
