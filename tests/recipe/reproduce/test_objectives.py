"""The comparison of objectives: its arms, its figures, and that it goes on where it stopped."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from zstandard import ZstdCompressor

from unmask.errors import DataError, Stopped, UsageError
from unmask.recipe.reproduce import held_out, objectives, objectives_page
from unmask.recipe.reproduce.arms import ARMS, Arm
from unmask.recipe.reproduce.objectives import TEXT, ArmRun, reproduce_objectives

STEPS = 2


def hush(_: str) -> None:
    """Hears every line and says none of them."""


@pytest.fixture(scope="module")
def data(published: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data sets, and five little novels packed as the real ones are."""
    folder = tmp_path_factory.mktemp("data")
    for name in ("sst2", "ud-ewt"):
        (folder / name).symlink_to(published / name)
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for number in range(5):
            sentences = (f"The film {i} was good by the river {number + i}." for i in range(120))
            content = " ".join(sentences).encode()
            member = tarfile.TarInfo(f"corpus/novel-{number}.txt")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    (folder / TEXT).parent.mkdir()
    (folder / TEXT).write_bytes(ZstdCompressor().compress(packed.getvalue()))
    return folder


@pytest.fixture
def go(data: Path, tmp_path: Path) -> Callable[..., Any]:
    """The comparison with two steps an arm, in one folder."""
    return lambda *only, **given: reproduce_objectives(
        tmp_path, data=data, only=only, seeds=1, steps=STEPS, say=hush, **given
    )


def row_of(document: dict[str, Any], name: str) -> dict[str, Any]:
    return next(row for row in document["rows"] if row["arm"] == name)


@pytest.mark.parametrize("arm", ARMS, ids=lambda arm: arm.name)
def test_every_arm_is_a_recipe_at_the_same_budget(arm: Arm) -> None:
    recipe, usual = arm.recipe(1, 7), ARMS[0].recipe(1, 7)

    assert recipe.train == usual.train
    assert recipe.optim == usual.optim
    assert arm.beside in {other.name for other in ARMS}


def test_arms_of_every_kind_are_scored_and_written_down(
    go: Callable[..., Any], tmp_path: Path
) -> None:
    report = go("mlm", "sop", "rtd", "left-to-right")

    assert report.document["missing_runs"] == 0
    assert json.loads((tmp_path / "objectives.json").read_text()) == report.document
    assert (tmp_path / "objectives.md").read_text() == report.markdown
    for name in ("mlm", "sop"):
        assert set(row_of(report.document, name)["means"]) == set(objectives_page.MEASURES)
    for name in ("rtd", "left-to-right"):
        assert set(row_of(report.document, name)["means"]) == {"sst2", "ud-ewt"}
    assert "2 steps of 32 sequences" in report.markdown


def test_arms_are_measured_on_the_same_sequences_whatever_they_train_on(
    go: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[int]] = []

    def listening(model: Any, task: Any, batches: Any) -> dict[str, float]:
        found = list(batches)
        seen.append([int(i) for batch in found for i in batch.input_ids])
        return held_out_evaluate(model, task, found)

    held_out_evaluate = held_out.evaluate
    monkeypatch.setattr(held_out, "evaluate", listening)
    go("mlm", "nsp")

    assert len(seen) == 2
    assert seen[0] == seen[1]
    outcome = json.loads((tmp_path / "objectives/mlm/seed-0/outcome.json").read_text())
    assert outcome["held_out"]["mlm_loss"] == outcome["pretraining"]["mlm_loss"]


def test_figures_from_before_there_was_a_common_measure_are_completed(
    go: Callable[..., Any], tmp_path: Path
) -> None:
    go("nsp")
    file = tmp_path / "objectives/nsp/seed-0/outcome.json"
    whole = json.loads(file.read_text())
    file.write_text(json.dumps({n: v for n, v in whole.items() if n != "held_out"}))

    go("nsp")

    assert json.loads(file.read_text()) == whole


@pytest.mark.parametrize("where", ["pretrain", "finetune"])
def test_a_stopped_comparison_goes_on_and_repeats_nothing(
    where: str, go: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[Path] = []
    real = getattr(objectives, where)

    def stopping(*given: Any, **named: Any) -> Any:
        calls.append(given[1] if where == "pretrain" else given[2])
        if len(calls) == 2:
            raise Stopped("stopped")
        return real(*given, **named)

    monkeypatch.setattr(objectives, where, stopping)
    with pytest.raises(Stopped):
        go("mlm", "words")
    report = go("mlm", "words")
    num_calls = len(calls)
    again = go("mlm", "words")

    assert len(calls) == num_calls  # everything was finished
    assert again.document == report.document
    assert [row["arm"] for row in report.document["rows"]] == ["mlm", "words"]


def test_an_arm_with_another_recipe_is_refused_and_a_new_setting_is_not(tmp_path: Path) -> None:
    run = ArmRun(ARMS[0], 0, 2, tmp_path)
    examples = {"sst2": {"train": "d"}}
    run.claim("a", examples)
    note = tmp_path / "arm.json"
    before = json.loads(note.read_text())
    del before["recipe"]["sentence_order"]  # as an earlier version wrote it
    note.write_text(json.dumps(before))
    run.claim("a", examples)

    with pytest.raises(UsageError, match="another corpus;"):
        run.claim("b", examples)
    with pytest.raises(UsageError, match="another examples;"):
        run.claim("a", {"sst2": {"train": "c"}})
    with pytest.raises(UsageError, match="another recipe;"):
        ArmRun(ARMS[0], 0, 3, tmp_path).claim("a", examples)


def test_an_output_of_another_text_is_refused(
    go: Callable[..., Any], data: Path, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    go("mlm")
    other = tmp_path_factory.mktemp("other")
    for name in ("sst2", "ud-ewt"):
        (other / name).symlink_to(data / name)
    (other / TEXT).parent.mkdir()
    (other / TEXT).write_bytes((data / TEXT).read_bytes() + b"\n")

    with pytest.raises(UsageError, match="is of another text"):
        reproduce_objectives(tmp_path, data=other, only=("mlm",), seeds=1, steps=STEPS, say=hush)


def test_unknown_arms_and_missing_text_are_told(go: Callable[..., Any], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="none of the arms, which are mlm, nsp, sop"):
        go("nonsense")
    with pytest.raises(DataError, match="expected the text that all arms read"):
        reproduce_objectives(tmp_path / "out", data=tmp_path, say=hush)


def rows(first: list[float], second: list[float]) -> dict[str, Any]:
    """What the page says of these accuracies of two arms."""
    members = [
        {
            "arm": name,
            "beside": "mlm",
            "values": {"sst2": values},
            "means": {"sst2": sum(values) / len(values)},
            "seeds": list(range(len(values))),
        }
        for name, values in (("mlm", first), ("other", second))
    ]
    noise = objectives_page._noise(members)
    found: dict[str, Any] = objectives_page._differences(members[1], members[0], noise)
    return found


def test_a_difference_within_the_spread_of_seeds_is_none() -> None:
    """Deviation 0.01 by two degrees of freedom, t = 4.303: two means of two differ by 0.043."""
    deviation = 0.01 * 2**-0.5

    def verdict(difference: float) -> str:
        first = [0.6 - deviation, 0.6 + deviation]
        found = rows(first, [one + difference for one in first])
        assert found["sst2"]["limit"] == pytest.approx(0.04303, abs=1e-4)
        return str(found["sst2"]["verdict"])

    assert [verdict(d) for d in (0.0, 0.042, -0.042, 0.044, -0.044)] == [
        *("none", "none", "none"),
        *("better", "worse"),
    ]


def test_without_two_seeds_nothing_is_said() -> None:
    assert rows([0.6], [0.9]) == {}
