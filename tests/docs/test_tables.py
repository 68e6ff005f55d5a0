from __future__ import annotations

import json
from pathlib import Path

from unmask.recipe.reproduce import minilm, sbert, scifact_page
from unmask.recipe.reproduce.report import markdown

ROOT = Path(__file__).resolve().parents[2]


def test_the_page_of_tasks_has_the_tables_of_its_figures() -> None:
    page = (ROOT / "docs" / "tasks.md").read_text(encoding="utf-8")
    figures = json.loads((ROOT / "benchmarks/results/tasks.json").read_text(encoding="utf-8"))

    assert figures["tables"]
    for document in figures["tables"].values():
        assert markdown(document).strip() in page


def test_the_page_of_embeddings_has_the_tables_of_its_figures() -> None:
    page = (ROOT / "docs" / "embeddings.md").read_text(encoding="utf-8")
    figures = json.loads((ROOT / "benchmarks/results/sentences.json").read_text(encoding="utf-8"))
    writers = {"minilm": minilm.markdown, "sbert": sbert.markdown, "scifact": scifact_page.markdown}

    assert {one["table"] for one in figures["tables"].values()} == set(writers)
    assert figures["tables"]
    for document in figures["tables"].values():
        assert writers[document["table"]](document).strip() in page
