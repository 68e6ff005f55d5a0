from __future__ import annotations

import json
from pathlib import Path

import pytest

from unmask.cli.outcome import show_assessment, show_outcome
from unmask.recipe.assessment import Assessment
from unmask.recipe.outcome import Outcome

SCORES = {
    "f1": 0.75,
    "HasAns_f1": 0.5,
    "total": 12.0,
    "HasAns_total": 7.0,
    "f1_micro": 0.25,
    "f1/who": 0.125,
    "total/who": 3.0,
    "support/who": 5.0,
}


def lines(printed: str) -> dict[str, list[str]]:
    """The words of each row of a table by its first."""
    rows = [line.split() for line in printed.splitlines() if line.strip()]
    return {row[0]: row[1:] for row in rows}


def test_scores_without_an_interval_are_shown_and_counts_are_not(
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = Assessment(12, SCORES, {"f1": (0.5, 0.875)})

    show_assessment(found, as_json=False)
    shown = lines(capsys.readouterr().out)
    show_assessment(found, as_json=True)

    assert shown["score"][:2] == ["12", "examples"]
    assert shown["f1"] == ["0.7500", "0.500", "to", "0.875"]
    assert shown["HasAns_f1"] == ["0.5000"]
    assert shown["f1/who"] == ["0.1250"]
    assert shown.keys().isdisjoint(
        {"total", "HasAns_total", "total/who", "support/who", "f1_micro"}
    )
    assert SCORES.items() <= json.loads(capsys.readouterr().out).items()


@pytest.mark.parametrize("metric", ["f1", "f1_micro"])
def test_a_run_shows_neither_counts_nor_single_labels_but_what_it_was_chosen_by(
    metric: str, capsys: pytest.CaptureFixture[str]
) -> None:
    outcome = Outcome(Path("run"), metric, SCORES, SCORES, {"f1": (-0.5, 0.875)})

    show_outcome(outcome, as_json=False)
    shown = lines(capsys.readouterr().out)
    show_outcome(outcome, as_json=True)

    assert shown[metric][0] == "*"
    assert shown["f1"][-3:] == ["-0.500", "to", "0.875"]
    assert shown.keys().isdisjoint({"total", "HasAns_total", "total/who", "f1/who"})
    assert ("f1_micro" in shown) == (metric == "f1_micro")
    assert json.loads(capsys.readouterr().out)["test"] == SCORES


def test_baselines_stand_below_by_the_score_of_the_run(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    baselines = {"tf-idf + logistic regression": {"f1": 0.25}, "linear probe": {"f1_macro": 0.5}}
    scores = {"f1": 0.75, "matthews_corrcoef": 0.5}
    outcome = Outcome(Path("run"), "f1", scores, scores, {"f1": (0.5, 0.875)}, baselines)

    show_outcome(outcome, as_json=False)

    printed = capsys.readouterr().out
    assert "f1 (test)" in printed
    assert lines(printed)["tf-idf"] == ["+", "logistic", "regression", "0.2500"]
    assert lines(printed)["linear"] == ["probe"]
    assert "…" not in printed, "a table wider than a terminal"


def test_the_spread_over_seeds_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    scores = {"f1": 0.75}

    show_outcome(Outcome(Path("run"), "f1", scores, spread={"f1": 0.125}), as_json=False)

    printed = capsys.readouterr().out
    assert "spread over seeds" in printed
    assert lines(printed)["f1"] == ["*", "0.7500", "0.1250"]
