from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from unmask.data.labelled.config import LabelledConfig
from unmask.data.labelled.examples import QuestionExample
from unmask.data.rejects import Rejects
from unmask.errors import DataError
from unmask.recipe.reproduce.datasets import DATA_SETS, divided, missing
from unmask.recipe.reproduce.writing import PARTS, written
from unmask.tasks.registry import TASKS

COUNTS = {
    "sst2": (6920, 872, 1821),
    "cola": (7696, 855, 1043),
    "rte": (2241, 249, 277),
    "mrpc": (3668, 408, 1725),
    "stsb": (5749, 1500, 1379),
    "snli": (8858, 984, 9824),
    "agnews": (9001, 1000, 7600),
    "ud-ewt": (12544, 2001, 2077),
    "wnut17": (3394, 1009, 1287),
    "ncbi-disease": (5424, 923, 940),
    "squad2-answerable": (1892, 215, 803),
    "squad2": (4005, 444, 1629),
}


@pytest.mark.parametrize("name", DATA_SETS)
def test_the_published_files_are_divided_as_documented(name: str) -> None:
    folder = os.environ.get("UNMASK_DATA")
    if not folder:
        pytest.skip("UNMASK_DATA is not set: no published files to read")
    if absent := missing(DATA_SETS[name], Path(folder)):
        pytest.skip(f"UNMASK_DATA holds no {absent[0]}")
    parts = divided(DATA_SETS[name], Path(folder))

    assert (len(parts.train), len(parts.validation), len(parts.test)) == COUNTS[name]


def test_missing_files_are_named(tmp_path: Path) -> None:
    assert missing(DATA_SETS["rte"], tmp_path) == ["rte/train.tsv", "rte/dev.tsv"]


def test_of_mrpc_the_last_408_rows_are_held_out(published: Path) -> None:
    parts = divided(DATA_SETS["mrpc"], published)

    assert [one.text for one in parts.train] == [f"the film was {i}" for i in range(22)]
    assert len(parts.validation) == 408
    assert len(parts.test) == 12


def test_of_cola_a_tenth_of_train_is_held_out_and_both_development_sets_are_the_test(
    published: Path,
) -> None:
    parts = divided(DATA_SETS["cola"], published)

    assert (len(parts.train), len(parts.validation), len(parts.test)) == (36, 4, 10)
    assert {one.text.split()[0] for one in parts.test} == {"in_domain_dev", "out_of_domain_dev"}


@pytest.mark.parametrize("name", ["squad2", "squad2-answerable"])
def test_articles_of_squad_are_never_on_two_sides(published: Path, name: str) -> None:
    parts = divided(DATA_SETS[name], published)
    titles = [{one.title for one in getattr(parts, part)} for part in PARTS]  # type: ignore[union-attr]

    assert titles[2] == {f"article {i}" for i in (12, 13, 14, 15)}
    assert titles[0] | titles[1] == {f"article {i}" for i in range(12)}
    assert not titles[0] & titles[1]
    impossible = {one.is_impossible for one in parts.test if isinstance(one, QuestionExample)}
    assert impossible == ({False, True} if name == "squad2" else {False})


def test_another_squad_file_is_refused(published: Path, tmp_path: Path) -> None:
    path = tmp_path / "squad2-cs224n" / "dev-v2.0.json"
    path.parent.mkdir()
    text = (published / "squad2-cs224n" / "dev-v2.0.json").read_text()
    path.write_text(
        text.replace('"article 1"', '"article 0"').replace('"article 2"', '"article 0"')
    )

    with pytest.raises(DataError, match="holds 14 articles; expected 16"):
        divided(DATA_SETS["squad2"], tmp_path)


@pytest.mark.parametrize("name", ["sst2", "mrpc", "cola", "ud-ewt", "squad2"])
def test_what_is_written_is_read_as_it_was(published: Path, tmp_path: Path, name: str) -> None:
    dataset = DATA_SETS[name]
    files = written(dataset, published, tmp_path / name)
    parts = divided(dataset, published)

    for part in PARTS:
        examples: list[Any] = list(getattr(parts, part))
        with Rejects(0.0) as rejects:
            found = list(TASKS[dataset.task].read(files.path(part), LabelledConfig(), rejects))
        assert [replace(one, place="") for one in found] == [
            replace(one, place="", group=None) if hasattr(one, "group") else replace(one, place="")
            for one in examples
        ]
        assert files.counts[part] == len(examples)


def test_files_are_written_once(published: Path, tmp_path: Path) -> None:
    first = written(DATA_SETS["sst2"], published, tmp_path / "sst2")
    changed = first.path("train").stat().st_mtime_ns

    assert written(DATA_SETS["sst2"], tmp_path / "nowhere", tmp_path / "sst2") == first
    assert first.path("train").stat().st_mtime_ns == changed
