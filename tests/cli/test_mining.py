"""`unmask mine`: negatives for pairs, and pairs out of a corpus."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from unmask.data.labelled.config import LabelledConfig
from unmask.data.labelled.reading import read_sentences
from unmask.data.rejects import Rejects
from unmask.infer.engine import load
from unmask.search.comparing_config import MiningConfig
from unmask.search.mine import mine

Run = Callable[..., Any]
ANIMALS = ("cat", "dog", "film", "bad", "good", "fine", "nice", "poor")
PAIRS = [(f"the {animal} was", f"{animal}, the one that was") for animal in ANIMALS]


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    file = tmp_path / "pairs.jsonl"
    rows = [{"anchor": anchor, "positive": positive} for anchor, positive in PAIRS]
    file.write_text("\n".join(map(json.dumps, rows)))
    return file


def written(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def test_negatives_are_written_as_fine_tuning_reads_them(
    pairs: Path, tiny_encoder: Path, run: Run, tmp_path: Path
) -> None:
    output = tmp_path / "mined.jsonl"

    said = run("mine", tiny_encoder, "--input", pairs, "--output", output, "--format", "n-tuple",
               "--num-negatives", 2, "--duplicates", 1, "--json")  # fmt: skip

    assert said.code == 0, said.err
    expected = mine(
        PAIRS, load(tiny_encoder).embedder(), MiningConfig(num_negatives=2, duplicates=1.0)
    )
    assert written(output) == [
        {
            "anchor": one.anchor,
            "positive": one.positives[0],
            "negative_1": one.negatives[0],
            "negative_2": one.negatives[1],
        }
        for one in expected.found
    ]
    told = json.loads(said.out)
    assert (told["anchors"], told["rows"], told["anchors_with_fewer_negatives"]) == (8, 8, 0)
    assert told["mean_negative_score"] < 1.0
    examples = list(read_sentences(output, LabelledConfig(labels="none"), Rejects(0.0)))
    assert [len(example.texts) for example in examples] == [4] * 8


def test_a_corpus_gives_further_candidates_and_a_reranker_judges_them(
    pairs: Path, tiny_encoder: Path, matcher: Path, run: Run, tmp_path: Path
) -> None:
    corpus = tmp_path / "corpus.jsonl"
    records = [{"title": "T", "text": f"a {animal} too"} for animal in ANIMALS]
    corpus.write_text("\n".join(map(json.dumps, records)))
    words = ("mine", tiny_encoder, "--input", pairs, "--output", tmp_path / "mined.csv",
             "--corpus", corpus, "--duplicates", 1, "--num-negatives", 12)  # fmt: skip

    said = run(*words)
    judged = run(*words, "--reranker", matcher)

    assert said.code == 0, said.err
    assert "T a cat too" in (tmp_path / "mined.csv").read_text()
    assert "mean positive score" in said.out
    assert judged.code == 2  # it says three labels, not one score
    assert "cross-encoder" in judged.err


def test_paragraphs_of_a_book_become_pairs_without_a_model(run: Run, tmp_path: Path) -> None:
    paragraphs = [f"Paragraph {number} has six words." for number in range(4)]
    (tmp_path / "book.txt").write_text("\n\n".join(paragraphs))
    output = tmp_path / "pairs.jsonl"

    said = run("mine", "--input", tmp_path / "book.txt", "--pairs", "paragraphs", "--output",
               output, "--json")  # fmt: skip

    assert said.code == 0, said.err
    assert json.loads(said.out) == {"output": str(output), "pairs": 3}
    assert written(output)[0] == {"anchor": paragraphs[0], "positive": paragraphs[1]}


def test_titles_and_bodies_become_pairs_and_get_negatives(
    tiny_encoder: Path, run: Run, tmp_path: Path
) -> None:
    records = [{"_id": str(i), "title": a, "text": p} for i, (a, p) in enumerate(PAIRS)]
    (tmp_path / "corpus.jsonl").write_text("\n".join(map(json.dumps, records)))
    output = tmp_path / "mined.jsonl"

    said = run("mine", tiny_encoder, "--input", tmp_path / "corpus.jsonl", "--pairs", "title-body",
               "--min-words", 2, "--output", output, "--duplicates", 1)  # fmt: skip

    assert said.code == 0, said.err
    assert {(row["anchor"], row["positive"]) for row in written(output)} == set(PAIRS)


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("--input", "PAIRS"), 2, "expected a model that finds negatives"),
        (("--input", "PAIRS", "--corpus", "PAIRS"), 2, "--corpus: is for negatives"),
        (
            ("--input", "PAIRS", "--pairs", "title-body", "--seed", "1", "--range-min", "2"),
            2,
            "--range-min, --seed: is for negatives",
        ),
        (
            ("--input", "PAIRS", "--pairs", "paragraphs", "--column.text", "anchor"),
            2,
            "--data, --column: without effect together with --pairs paragraphs",
        ),
        (("--input", "SHORT", "--pairs", "paragraphs"), 3, "gives no pair by --pairs paragraphs"),
        (("MODEL", "--input", "SHORT"), 3, "one text; expected an anchor and its positive"),
        (("MODEL", "--input", "PAIRS", "--min-words", "3"), 2, "--min-words: without effect"),
        (("MODEL", "--input", "PAIRS", "--seed", "3"), 2, "--seed: without effect on the hardest"),
        (("MODEL", "--input", "PAIRS", "--num-negatives", "0"), 2, "--num-negatives 0"),
        (("MODEL", "--input", "PAIRS", "--min-score", "2"), 3, "no text is left as a negative"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_wrong_use_is_told(
    words: tuple[str, ...],
    code: int,
    message: str,
    pairs: Path,
    tiny_encoder: Path,
    run: Run,
    tmp_path: Path,
) -> None:
    (tmp_path / "short.txt").write_text("one line of text\n\nand another\n")
    named = {"PAIRS": pairs, "MODEL": tiny_encoder, "SHORT": tmp_path / "short.txt"}

    said = run("mine", *(named.get(word, word) for word in words), "--output", tmp_path / "o.jsonl")

    assert (said.code, said.out) == (code, ""), said.err
    assert message in said.err
    assert not (tmp_path / "o.jsonl").exists()
