"""Whole searches with a tiny model; and what becomes of trials that end in other ways."""

from __future__ import annotations

import json
import math
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from unmask.checkpoint.native import load
from unmask.checkpoint.runs import checkpoints
from unmask.errors import DataError, MachineError, Stopped, UsageError
from unmask.recipe import files
from unmask.recipe.config import Finetune
from unmask.recipe.finetune import finetune
from unmask.recipe.outcome import Outcome
from unmask.recipe.tune import search
from unmask.recipe.tune.config import Tune
from unmask.recipe.tune.report import Tuned
from unmask.recipe.tune.search import tune

PNG = b"\x89PNG\r\n"


def hush(_: str) -> None:
    """Hears the search's lines and says none of them."""


def told(tuned: Tuned) -> list[tuple[Any, ...]]:
    """What the trials came to, but for the time they took."""
    return [(t.number, t.state, t.score, t.parameters) for t in tuned.trials]


@pytest.fixture(scope="module")
def searched(
    train_file: Path, tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Tuned, Path, list[str]]:
    """A search of five trials, its folder, and what it said."""
    said: list[str] = []
    output = tmp_path_factory.mktemp("searched") / "what? {a} 100% #search"
    space = {"learning_rate": (1e-3, 2e-2), "batch_size": (8, 16), "epochs": (1, 3)}
    recipe = Tune.model_validate({"task": "classification", "space": space, "trials": 5})
    return tune(train_file, tiny_encoder, output, recipe, say=said.append), output, said


def test_a_search_finds_the_best_of_its_trials(
    searched: tuple[Tuned, Path, list[str]],
) -> None:
    tuned, output, said = searched
    written = json.loads((output / "trials.json").read_text())

    done = [trial for trial in tuned.trials if trial.state == "done"]
    assert [trial.number for trial in tuned.trials] == [1, 2, 3, 4, 5]
    assert tuned.best.score == max(trial.score or 0.0 for trial in done)
    assert tuned.metric == "accuracy"
    for trial in tuned.trials:
        assert 1e-3 <= trial.parameters["learning_rate"] <= 2e-2
        assert trial.parameters["batch_size"] in (8, 16)
        assert trial.parameters["epochs"] in (1, 2, 3)
    assert written == tuned.as_dict()
    assert sum("held out:" in line for line in said) >= 5
    assert math.isclose(sum(tuned.importances.values()), 1.0)
    for name in ("history.png", "importance.png"):
        assert (output / name).read_bytes().startswith(PNG)


def test_only_the_best_models_weights_stay(searched: tuple[Tuned, Path, list[str]]) -> None:
    tuned, output, _ = searched

    weights = {path.parent.parent.name for path in output.glob("trial-*/*/model.safetensors")}
    assert weights == {f"trial-{tuned.best.number}"}
    scores = json.loads((tuned.folder / "scores.json").read_text())["validation"]
    assert scores["accuracy"] == tuned.best.score
    assert load(output).task is not None


def test_the_best_recipe_makes_the_best_model_again(
    searched: tuple[Tuned, Path, list[str]], train_file: Path, tiny_encoder: Path, tmp_path: Path
) -> None:
    tuned, _, _ = searched
    recipe = files.load(tuned.recipe, {"baselines": False}, Finetune)

    outcome = finetune(train_file, tiny_encoder, tmp_path / "run", recipe, say=hush)

    assert outcome.validation["accuracy"] == tuned.best.score
    one, other = (load(folder).model.state_dict() for folder in (outcome.folder, tuned.folder))
    assert all((one[name] == other[name]).all() for name in one)


def test_the_first_trial_is_what_finetune_does_by_itself(
    train_file: Path, tiny_encoder: Path, tmp_path: Path
) -> None:
    recipe = Tune.model_validate({"task": "classification", "trials": 1})

    tuned = tune(train_file, tiny_encoder, tmp_path / "search", recipe, say=hush)

    assert tuned.best.parameters == {"learning_rate": 3e-4, "batch_size": 16, "epochs": 3}
    assert tuned.importances == {}
    assert not (tmp_path / "search" / "importance.png").exists()


def test_a_stopped_search_goes_on_as_if_undisturbed(
    searched: tuple[Tuned, Path, list[str]],
    train_file: Path,
    tiny_encoder: Path,
    tmp_path: Path,
    make_recipe: Callable[..., Tune],
) -> None:
    undisturbed, _, _ = searched
    recipe = make_recipe(trials=5)
    begun: list[str] = []

    def interrupt(line: str) -> None:
        begun.append(line)
        if "held out" in line and any(said.startswith("trial 3 of 5") for said in begun):
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(Stopped, match=r"in trial 3 of 5 as asked.*the same command goes on"):
        tune(train_file, tiny_encoder, tmp_path / "search", recipe, say=interrupt)
    assert checkpoints(tmp_path / "search" / "trial-3")
    said: list[str] = []
    tuned = tune(train_file, tiny_encoder, tmp_path / "search", recipe, say=said.append)

    assert told(tuned) == told(undisturbed)
    assert not any(line.startswith("trial 2 of") for line in said)


def test_a_finished_search_tells_again_and_goes_further_with_more_trials(
    train_file: Path, tiny_encoder: Path, tmp_path: Path, make_recipe: Callable[..., Tune]
) -> None:
    def again(trials: int) -> Tuned:
        recipe = make_recipe(trials=trials, train={"epochs": 1}, space={"batch_size": (8, 16)})
        return tune(train_file, tiny_encoder, tmp_path / "search", recipe, say=hush)

    first, same, more = again(2), again(2), again(3)

    assert first == same
    assert told(more)[:2] == told(first)
    assert len(more.trials) == 3


def test_another_search_does_not_go_on_with_it(
    train_file: Path, tiny_encoder: Path, tmp_path: Path, make_recipe: Callable[..., Tune]
) -> None:
    fixed = {"train": {"epochs": 1}, "space": {"batch_size": (8, 16)}, "trials": 1}
    tune(train_file, tiny_encoder, tmp_path / "search", make_recipe(**fixed), say=hush)
    others = make_recipe(**{**fixed, "space": {"batch_size": (4, 8)}, "metric": "f1_macro"})

    with pytest.raises(UsageError, match="belongs to another run") as caught:
        tune(train_file, tiny_encoder, tmp_path / "search", others, say=hush)

    assert "space.batch_size: was [8, 16], is [4, 8]" in str(caught.value)
    assert "settings.metric: was None, is 'f1_macro'" in str(caught.value)


def test_a_folder_with_something_else_stays_untouched(
    train_file: Path, tiny_encoder: Path, tmp_path: Path, make_recipe: Callable[..., Tune]
) -> None:
    (tmp_path / "thesis.txt").write_text("mine")

    with pytest.raises(UsageError, match="holds something else"):
        tune(train_file, tiny_encoder, tmp_path, make_recipe(), say=hush)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]

    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "study.db").write_text("no database" * 100)
    with pytest.raises(DataError, match=r"study\.db: is no record of a search"):
        tune(train_file, tiny_encoder, tmp_path / "broken", make_recipe(), say=hush)


def test_without_optuna_it_says_what_to_install(
    tmp_path: Path, make_recipe: Callable[..., Tune], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)

    with pytest.raises(MachineError, match=r"pip install 'unmask\[tune\]'"):
        tune("train.csv", "model", tmp_path / "search", make_recipe(), say=hush)


def test_several_processes_are_refused(
    tmp_path: Path, make_recipe: Callable[..., Tune], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")

    with pytest.raises(UsageError, match="runs in one process"):
        tune("train.csv", "model", tmp_path / "search", make_recipe(), say=hush)


class Killed(BaseException):
    """As if the process were gone."""


class Scripted:
    """Stands for `finetune_examples`: each run gives the next scores, or ends in another way."""

    def __init__(self, *runs: list[float | BaseException]) -> None:
        self.runs: Iterator[list[float | BaseException]] = iter(runs)
        self.tried: list[tuple[str, dict[str, float]]] = []
        self.heard: list[int] = []

    def __call__(
        self, _examples: Any, _model: Any, output: Path, recipe: Finetune, **others: Any
    ) -> Outcome:
        assert others["resume"] == (output / "model").is_dir()
        rate, size = recipe.optim.learning_rate, recipe.train.batch_size
        self.tried.append((output.name, {"learning_rate": rate, "batch_size": size}))
        (output / "model").mkdir(parents=True, exist_ok=True)
        (output / "model" / "weights").write_text(output.name)
        score = 0.0
        for number, score in enumerate(next(self.runs), 1):
            if isinstance(score, BaseException):
                raise score
            self.heard.append(number)
            others["listen"](number, {"accuracy": score})
        return Outcome(output / "model", "accuracy", {"accuracy": score})


@pytest.fixture
def run_script(
    train_file: Path,
    tiny_encoder: Path,
    tmp_path: Path,
    make_recipe: Callable[..., Tune],
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., tuple[Tuned, list[str]]]:
    """A search of so many trials whose runs are scripted, and what it said."""

    def run(script: Scripted, trials: int) -> tuple[Tuned, list[str]]:
        monkeypatch.setattr(search, "finetune_examples", script)
        said: list[str] = []
        space = {"learning_rate": (1e-4, 1e-3), "batch_size": (8, 32)}
        recipe = make_recipe(trials=trials, train={"epochs": 3}, space=space)
        output = tmp_path / "search"
        return tune(train_file, tiny_encoder, output, recipe, say=said.append), said

    return run


def test_a_trial_behind_the_median_is_cut_short(
    run_script: Callable[..., tuple[Tuned, list[str]]],
) -> None:
    good = [[0.5, 0.6, 0.7]] * 5
    script = Scripted(*good, [0.5, 0.55, 0.9])

    tuned, said = run_script(script, 6)

    assert script.heard == [1, 2, 3] * 5 + [1, 2]
    assert [trial.state for trial in tuned.trials] == ["done"] * 5 + ["cut short"]
    assert tuned.trials[-1].score == 0.55
    assert tuned.best.number == 1
    assert said[-1] == "trial 6 of 6: cut short, behind the median of the earlier ones"


def test_a_killed_trial_is_tried_again_in_its_folder(
    run_script: Callable[..., tuple[Tuned, list[str]]],
) -> None:
    script = Scripted([0.7], [0.5, Killed()], [0.5, 0.6], [0.8])

    with pytest.raises(Killed):
        run_script(script, 3)
    tuned, _ = run_script(script, 3)

    assert [folder for folder, _ in script.tried] == ["trial-1", "trial-2", "trial-2", "trial-3"]
    assert script.tried[1] == script.tried[2]
    assert [(trial.number, trial.state, trial.score) for trial in tuned.trials] == [
        *((1, "done", 0.7), (2, "done", 0.6), (3, "done", 0.8)),
    ]
    assert (tuned.folder / "weights").read_text() == "trial-3"


def test_a_trial_that_is_killed_twice_counts_once_and_keeps_its_settings(
    run_script: Callable[..., tuple[Tuned, list[str]]],
) -> None:
    script = Scripted([0.7], [0.5, Killed()], [0.5, 0.55, Killed()], [0.5, 0.55, 0.6])

    for _ in range(2):
        with pytest.raises(Killed):
            run_script(script, 2)
    tuned, said = run_script(script, 2)

    assert [folder for folder, _ in script.tried] == ["trial-1", *["trial-2"] * 3]
    assert script.tried[1] == script.tried[2] == script.tried[3]
    assert said[0].startswith("trial 2 of 2: ")
    assert [(trial.number, trial.state, trial.score) for trial in tuned.trials] == [
        *((1, "done", 0.7), (2, "done", 0.6)),
    ]


def test_a_trial_that_fails_among_others_does_not_end_the_search(
    run_script: Callable[..., tuple[Tuned, list[str]]],
) -> None:
    tuned, said = run_script(Scripted([0.7], [DataError("not finite")], [0.6]), 3)

    assert [(trial.state, trial.score) for trial in tuned.trials] == [
        *(("done", 0.7), ("failed", None), ("done", 0.6)),
    ]
    assert "trial 2 of 3: failed: not finite" in said


def test_a_search_that_fails_at_once_says_why_and_may_begin_anew_otherwise(
    run_script: Callable[..., tuple[Tuned, list[str]]],
    train_file: Path,
    tiny_encoder: Path,
    tmp_path: Path,
    make_recipe: Callable[..., Tune],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(DataError, match="not finite"):
        run_script(Scripted([DataError("not finite")]), 3)
    monkeypatch.setattr(search, "finetune_examples", Scripted([0.5]))

    others = make_recipe(trials=1, space={"batch_size": (4, 8)})
    tuned = tune(train_file, tiny_encoder, tmp_path / "search", others, say=hush)

    assert told(tuned) == [(1, "done", 0.5, tuned.best.parameters)]


def test_negative_scores_are_compared_as_they_are(
    run_script: Callable[..., tuple[Tuned, list[str]]],
) -> None:
    tuned, _ = run_script(Scripted([-0.5], [-0.2], [-0.7]), 3)

    assert (tuned.best.number, tuned.best.score) == (2, -0.2)
