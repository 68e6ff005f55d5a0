"""What a fine-tuning run came to: measured, written down, and published with the model."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from unmask.checkpoint import native
from unmask.checkpoint.bundle import Bundle
from unmask.checkpoint.durable import MANIFEST
from unmask.checkpoint.runs import tidy
from unmask.errors import writing
from unmask.recipe.config import Finetune
from unmask.recipe.examples import Examples
from unmask.recipe.finetuned_card import card, over_seeds
from unmask.recipe.keeper import RunKeeper
from unmask.recipe.pictures import draw
from unmask.tasks.metrics.resampling import Bootstrap
from unmask.tasks.predicting import scored
from unmask.train.distributed import World
from unmask.train.log import METRICS_FILE, read_metrics

SCORES_FILE, CARD_FILE = "scores.json", "README.md"
Scores = dict[str, float]


@dataclass(frozen=True)
class Outcome:
    """The figures of a run, and where its model lies."""

    folder: Path
    """The model, ready to serve."""
    metric: str
    """The score by which the best weights were chosen."""
    validation: Scores
    """By which weights, temperature and thresholds were chosen, so they flatter."""
    test: Scores | None = None
    """On examples that nothing was chosen by."""
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)
    """95 % bootstrap intervals of the test scores; of several seeds, of the published model's."""
    baselines: dict[str, Scores] = field(default_factory=dict)
    """What no fine-tuning comes to on the same examples, by the name of the baseline."""
    spread: Scores | None = None
    """Standard deviation of the test (else validation) scores over seeds, whose mean is given."""

    def as_dict(self) -> dict[str, Any]:
        """For `--json`, and but for the folder for scores.json."""
        return {
            "model": str(self.folder),
            "metric": self.metric,
            "validation": self.validation,
            "test": self.test,
            "intervals": self.intervals,
            "baselines": self.baselines,
            "spread": self.spread,
        }


def conclude(
    keeper: RunKeeper,
    recipe: Finetune,
    bundle: Bundle,
    base: Bundle,
    examples: Examples,
    tests: list[Any] | None,
    called: str,
) -> Outcome:
    """Measures the finished model, beside what its pretrained `base` gives, and publishes it.

    `called` is what the card calls the base.
    """
    task: Any = bundle.task
    measured = tests if tests is not None else examples.validation
    validation = _scores(bundle, examples.validation)
    found = validation if tests is None else _scores(bundle, tests)
    outcome = Outcome(
        folder=keeper.run / native.MODEL_FOLDER,
        metric=recipe.metric or task.metric,
        validation=task.score(examples.validation, validation),
    )
    if tests is not None:
        intervals = task.intervals(tests, found, Bootstrap())
        outcome = replace(
            outcome,
            test=task.score(tests, found),
            intervals={name: (one.low, one.high) for name, one in intervals.items()},
        )
    if recipe.baselines:
        from unmask.recipe.baselines.scores import baselines  # scikit-learn takes a second

        outcome = replace(outcome, baselines=baselines(task, examples.train, measured, base))
    sizes = {"train": len(examples.train), "validation": len(examples.validation)}
    if tests is not None:
        sizes["test"] = len(tests)

    def add(folder: Path) -> None:
        metrics = read_metrics(keeper.run / METRICS_FILE)
        drawn: list[Path] = []
        if recipe.pictures:
            drawn = draw(task, measured, found, metrics, outcome.metric, folder)
        text = card(recipe, bundle, outcome, drawn, called, sizes)
        (folder / CARD_FILE).write_text(text, encoding="utf-8")
        _write(outcome, folder / SCORES_FILE)

    keeper.publish(bundle, add)
    if not recipe.train.keep_finished:
        tidy(keeper.run)
    return outcome


def summarised(outcomes: Sequence[Outcome], run: Path, here: World) -> Outcome:
    """Mean and spread over seeds; the run of the best validation score lends its model."""
    best = max(outcomes, key=lambda outcome: outcome.validation[outcome.metric])
    measured = [outcome.test or outcome.validation for outcome in outcomes]
    together = Outcome(
        folder=run / native.MODEL_FOLDER,
        metric=best.metric,
        validation=_mean([outcome.validation for outcome in outcomes]),
        test=None if best.test is None else _mean([outcome.test or {} for outcome in outcomes]),
        intervals=best.intervals,
        baselines={
            name: _mean([outcome.baselines[name] for outcome in outcomes])
            for name in best.baselines
        },
        spread={name: stdev(one[name] for one in measured) for name in _shared(measured)},
    )

    def publish(folder: Path) -> None:
        _copy(best.folder, folder)
        _write(together, folder / SCORES_FILE)
        own = (best.folder / CARD_FILE).read_text(encoding="utf-8")
        text = f"{own}\n{over_seeds(together, len(outcomes))}"
        (folder / CARD_FILE).write_text(text, encoding="utf-8")

    def keep() -> None:
        with writing(run):
            native.write_folder(together.folder, publish)
            _write(together, run / SCORES_FILE)

    here.first(keep)
    return together


def _mean(scores: Sequence[Scores]) -> Scores:
    return {name: mean(one[name] for one in scores) for name in _shared(scores)}


def _shared(scores: Sequence[Scores]) -> list[str]:
    """The names that all have: a label that one model never gives has no precision there."""
    return [name for name in scores[0] if all(name in one for one in scores)]


def _scores(bundle: Bundle, examples: list[Any]) -> list[Any]:
    task: Any = bundle.task
    return scored(bundle.model, task, examples, bundle.require_tokenizer(), bundle.max_length)


def _write(outcome: Outcome, file: Path) -> None:
    """Without the folder's place, which is nobody's business where the model goes."""
    kept = {name: value for name, value in outcome.as_dict().items() if name != "model"}
    file.write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")


def _copy(source: Path, target: Path) -> None:
    """Everything but the manifest, with the folders that a sentence encoder's modules have."""
    shutil.copytree(
        source,
        target,
        ignore=shutil.ignore_patterns(MANIFEST),
        copy_function=shutil.copyfile,
        dirs_exist_ok=True,
    )
