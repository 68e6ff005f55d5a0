"""The figures of a model card: the table, what to think of it, and the pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from unmask.recipe import pictures

if TYPE_CHECKING:
    from unmask.recipe.outcome import Outcome, Scores

_CAPTIONS = {
    pictures.CONFUSION: "Which labels are taken for which, on the {} examples.",
    pictures.RELIABILITY: "Whether probabilities mean what they say, on the {} examples.",
    pictures.LABELS: "What is found of each label, on the {} examples.",
    pictures.SCATTER: "Predicted and given numbers of the {} examples.",
    pictures.ANSWERS: "F1 by kind of question and length of the answer, on the {} examples.",
    pictures.CURVES: "How it learned.",
}


def caution(outcome: Outcome) -> str:
    """How far the figures can be trusted."""
    chosen = f"The best weights were chosen by `{outcome.metric}` on the validation examples"
    if outcome.test is None:
        return (
            f"{chosen}, on which whatever is tuned was tuned too: these figures flatter, and no "
            "others were measured."
        )
    return (
        f"{chosen}, so the validation figures flatter. Nothing was chosen by the test examples; "
        "the intervals are 95 % bootstrap intervals over them, and say nothing of other seeds."
    )


def table(outcome: Outcome) -> str:
    """Scores down; validation, test, its interval and the baselines across."""
    columns = {"validation": outcome.validation}
    if outcome.test is not None:
        columns["test"] = outcome.test
    intervals = ["95 % of test"] if outcome.intervals else []
    others = {
        f"{name} ({measured_on(outcome)})": scores for name, scores in outcome.baselines.items()
    }
    header = ["score", *columns, *intervals, *others]
    rows = []
    for name in outcome.validation:
        if "/" in name or name.endswith(("total", "_thresh")):
            continue
        low_high = outcome.intervals.get(name)
        shown = "" if low_high is None else f"{low_high[0]:.4f} to {low_high[1]:.4f}"
        rows.append([
            f"**{name}**" if name == outcome.metric else name,
            *(_cell(scores, name) for scores in columns.values()),
            *([shown] if intervals else []),
            *(_cell(scores, name) for scores in others.values()),
        ])  # fmt: skip
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _cell(scores: Scores, name: str) -> str:
    return f"{scores[name]:.4f}" if name in scores else ""


def notes(outcome: Outcome) -> list[str]:
    """That `scores.json` has more, and which baselines are no worse."""
    own = (outcome.test or outcome.validation)[outcome.metric]
    found = ["`scores.json` has all figures, those of each label included."]
    if outcome.baselines:
        found[0] += (
            " The other columns are what needs no fine-tuning: the most frequent answer (of tags "
            "also that of each word), a linear model of words alone, one of the frozen encoder, "
            "or what else their names say."
        )
    for name, score in no_worse(outcome).items():
        found.append(
            f"**On the {measured_on(outcome)} examples `{name}` is no worse than this model: "
            f"{outcome.metric} {score:.4f} against {own:.4f}.**"
        )
    return found


def no_worse(outcome: Outcome) -> Scores:
    """The baselines that are as good as the model or better, with their scores."""
    own = (outcome.test or outcome.validation)[outcome.metric]
    metric = outcome.metric
    found = {name: of[metric] for name, of in outcome.baselines.items() if metric in of}
    return {name: score for name, score in found.items() if score >= own}


def embedded(picture: Path, outcome: Outcome) -> str:
    """A picture that lies beside the card."""
    caption = _CAPTIONS[picture.name].format(measured_on(outcome))
    return f"![{caption}]({picture.name})"


def measured_on(outcome: Outcome) -> str:
    """The examples that baselines are scored on and pictures drawn of."""
    return "validation" if outcome.test is None else "test"
