"""A cross-encoder asked from the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from unmask.checkpoint import native
from unmask.checkpoint.transfer import with_head
from unmask.infer.engine import load
from unmask.tasks.reranking import Reranking


@pytest.fixture(scope="session")
def ranker(tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    task, base = Reranking.foreign(), native.load(tiny_encoder)
    start = with_head(base, task.head, 1, torch.Generator().manual_seed(3))
    folder = tmp_path_factory.mktemp("ranker") / "model"
    native.save(replace(base, model=start.model.eval(), task=task), folder)
    return folder


def test_a_query_and_a_document_have_a_score(ranker: Path, run: Callable[..., Any]) -> None:
    score = float(load(ranker).predict(("the cat", "a bad film")))
    said = run("predict", ranker, "the cat", "a bad film", "--json")
    assert json.loads(said.out) == {"id": "1", "score": pytest.approx(score)}
    assert run("predict", ranker, "the cat", "a bad film").out.split() == ["1", f"{score:.4f}"]
    assert "reads two texts, query and document; found 3" in run("predict", ranker, *"abc").err


def test_the_documents_of_a_file_are_ranked(
    ranker: Path, run: Callable[..., Any], tmp_path: Path
) -> None:
    documents = ["the film", "a cat and a dog", "good"]
    file = tmp_path / "asked.jsonl"
    file.write_text(json.dumps({"query": "cat", "documents": documents}), encoding="utf-8")
    expected = load(ranker).rank("cat", documents)

    said = run("predict", ranker, "--input", file, "--json")

    found = json.loads(said.out)["ranking"]
    assert [one["corpus_id"] for one in found] == [one["corpus_id"] for one in expected]
    assert [one["score"] for one in found] == pytest.approx([one["score"] for one in expected])
    shown = ", ".join(f"{one['corpus_id']} {one['score']:.4f}" for one in expected)
    assert run("predict", ranker, "--input", file).out.strip() == f"1  {shown}"
    lines = tmp_path / "pairs.txt"
    lines.write_text("cat\tthe film\ncat\tgood\n", encoding="utf-8")
    assert len(run("predict", ranker, "--input", lines, "--json").out.splitlines()) == 2


def test_graded_documents_measure_it(ranker: Path, run: Callable[..., Any], tmp_path: Path) -> None:
    file = tmp_path / "graded.tsv"
    rows = [f"q{i}\tthe film {i}\t1\nq{i}\ta cat\t0" for i in range(4)]
    file.write_text("query\tdocument\tlabel\n" + "\n".join(rows), encoding="utf-8")
    said = run("evaluate", ranker, file, "--json")
    assert said.code == 0, said.err
    found = json.loads(said.out)
    assert found["examples"] == 4
    assert {"map", "mrr@10", "ndcg@10"} <= found.keys()
    assert set(found["intervals"]) == {"map", "mrr@10", "ndcg@10"}


def test_its_folder_and_its_examples_are_examined(
    ranker: Path, run: Callable[..., Any], tmp_path: Path
) -> None:
    assert "reranking" in run("inspect", ranker).out
    file = tmp_path / "graded.tsv"
    file.write_text("query\tdocument\tlabel\nq\ta\t1\nq\tb\t0\nr\tb\t0\n", encoding="utf-8")
    said = run("doctor", file, "--task", "reranking", "--model", ranker)
    assert said.code == 0, said.err + said.out
    assert "the longest example has" in said.out
