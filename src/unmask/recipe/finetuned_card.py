"""The model card of a fine-tuned model: what it answers, how well, beside what, how it was made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from unmask.checkpoint.bundle import Bundle
from unmask.checkpoint.huggingface.families import family_of
from unmask.checkpoint.huggingface.purpose import class_of
from unmask.models.config import family_name
from unmask.recipe import card_figures
from unmask.recipe.card_uses import uses
from unmask.recipe.config import Finetune

if TYPE_CHECKING:
    from unmask.recipe.outcome import Outcome

_MOST_LABELS = 50


class _Kind(NamedTuple):
    """What a task is to a reader who has never seen it."""

    pipeline_tag: str
    title: str
    answers: str
    limit: str


_KINDS = {
    "classification": _Kind(
        "text-classification",
        "classifier",
        "It gives a text, or a pair of texts, one of the labels below.",
        "It answers with one of its labels whatever it is given: a text to which none applies, or "
        "in another language or style than it was trained on, gets one too.",
    ),
    "several": _Kind(
        "text-classification",
        "classifier",
        "It gives a text, or a pair of texts, any number of the labels below.",
        "Labels other than these it cannot give. Each has a threshold of its own, which other "
        "tools do not read.",
    ),
    "regression": _Kind(
        "text-classification",
        "regression model",
        "It gives a text, or a pair of texts, a number in the unit of the training labels.",
        "Nothing keeps the number within the range of the training labels.",
    ),
    "multiple-choice": _Kind(
        "multiple-choice",
        "multiple-choice model",
        "It says which of several choices goes with a text.",
        "It names the best of the choices given, also where none is right.",
    ),
    "tagging": _Kind(
        "token-classification",
        "tagger",
        "It gives every word of a text one of the tags below.",
        "It expects words to be divided as in the training examples. Tags other than these it "
        "cannot give.",
    ),
    "qa": _Kind(
        "question-answering",
        "question answering model",
        "It finds the span of a given context that answers a question.",
        "It quotes the context and knows nothing else; what the context has wrong, it has wrong.",
    ),
    "embedding": _Kind(
        "sentence-similarity",
        "sentence encoder",
        "It gives every text a vector; texts that are alike have vectors that lie near each other.",
        "What it calls alike is what its training examples called alike. Vectors of other models "
        "do not compare with its own.",
    ),
    "reranking": _Kind(
        "text-ranking",
        "cross-encoder",
        "It scores how well a document answers a query, to put what a search found in order.",
        "It reads each document beside the query, so it is for hundreds of documents, not for "
        "millions. Scores say which document is better; what is good enough, only examples of your "
        "own tell.",
    ),
}


def card(
    recipe: Finetune,
    bundle: Bundle,
    outcome: Outcome,
    pictures: Sequence[Path],
    base_model: str,
    sizes: Mapping[str, int],
) -> str:
    """Markdown with the front matter that model hubs read.

    `recipe` has its learning rate resolved, `pictures` lie beside the card, `base_model`
    is what fine-tuning began with, `sizes` are the numbers of examples by `train`, `validation`
    and, if there were any, `test`.
    """
    task: Any = bundle.task
    kind = _KINDS[_kind(task)]
    size = sum(parameter.numel() for parameter in bundle.model.parameters())
    loaded_as = class_of(family_of(bundle.config), task)
    library = _library(task, loaded_as)
    counted = ", ".join(f"{number:,} {name}" for name, number in sizes.items())
    parts = [
        f"---\nlibrary_name: {library}\npipeline_tag: {kind.pipeline_tag}\n"
        f"tags: [unmask, {family_name(bundle.config)}, {recipe.task}]\n---",
        f"# A {kind.title} of {size / 1e6:.1f}M parameters",
        f"{kind.answers} It is BERT's encoder of `{_shown(base_model)}`, fine-tuned.",
        *_labels(() if _kind(task) in ("regression", "reranking") else task.labels),
        "## How to use it",
        *uses(task, kind.pipeline_tag, loaded_as),
        "## Figures",
        f"Examples: {counted}. {card_figures.caution(outcome)}",
        card_figures.table(outcome),
        *card_figures.notes(outcome),
        *(card_figures.embedded(picture, outcome) for picture in pictures),
        "## How it was made",
        _settings(recipe, task),
        "## Limits",
        _limits(kind, outcome),
    ]
    return "\n\n".join(parts) + "\n"


def over_seeds(outcome: Outcome, num_seeds: int) -> str:
    """What follows the card of the model that was chosen among runs of several seeds."""
    assert outcome.spread is not None
    measured = outcome.test or outcome.validation
    on = "validation" if outcome.test is None else "test"
    rows = [
        f"| {name} | {measured[name]:.4f} | {outcome.spread[name]:.4f} |"
        for name in outcome.spread
        if "/" not in name and not name.endswith(("total", "_thresh"))
    ]
    return "\n".join(
        [
            f"## Over {num_seeds} seeds\n",
            f"This model is the best of {num_seeds} runs by the validation examples. The figures "
            f"on the {on} examples over all of them, as scores.json has them:\n",
            "| score | mean | standard deviation |",
            "| --- | --- | --- |",
            *rows,
            "",
        ]
    )


def _library(task: Any, loaded_as: str | None) -> str:
    """What else loads the folder, by the name that model hubs know."""
    if task.name == "embedding" or (task.name == "reranking" and loaded_as is not None):
        return "sentence-transformers"
    return "unmask" if loaded_as is None else "transformers"


def _kind(task: Any) -> str:
    by_type = {"regression": "regression", "multi_label_classification": "several"}
    name: str = by_type.get(task.problem_type or "", task.name)
    return name


def _labels(labels: Sequence[str]) -> list[str]:
    if not labels:
        return []
    listed = ", ".join(f"`{_shown(label)}`" for label in labels[:_MOST_LABELS])
    more = len(labels) - _MOST_LABELS
    rest = f" and {more} more, which `config.json` names" if more > 0 else ""
    return [f"Labels: {listed}{rest}."]


def _settings(recipe: Finetune, task: Any) -> str:
    train, optim = recipe.train, recipe.optim
    budget = f"{train.steps} steps" if train.steps else f"{train.epochs:g} epochs"
    budget = f"{train.minutes:g} minutes" if train.minutes else budget
    rate = optim.learning_rate if optim.name == "adamw" else optim.muon_learning_rate
    parts = [
        f"{budget} of {train.batch_size} examples",
        f"{optim.name} at {rate:g} ({optim.schedule}, warm-up {100 * optim.warmup_rate:g} %)",
        f"seed {train.seed}",
    ]
    if recipe.freeze is not None:
        parts.append(f"frozen: {recipe.freeze}")
    if recipe.reinitialise:
        parts.append(f"fresh top blocks: {recipe.reinitialise}")
    if recipe.dropout is not None:
        parts.append(f"dropout {recipe.dropout:g}")
    given = task.config.model_dump(mode="json", exclude_defaults=True)
    parts += [f"{name} {value}" for name, value in given.items()]
    return f"{'; '.join(parts)}. The whole recipe is in `unmask.json`."


def _limits(kind: _Kind, outcome: Outcome) -> str:
    figures = "The validation figures above flatter"
    if outcome.test is not None:
        figures = "The test figures above are of one set of examples"
    return "\n".join(
        [
            f"- {kind.limit}",
            f"- {figures}; what it is worth on your own, `unmask evaluate` tells.",
            "- Neither fairness nor robustness was measured, nor anything else that is not above.",
        ]
    )


def _shown(name: str) -> str:
    """On one line of a Markdown table or list."""
    return " ".join(name.split()).replace("`", "'").replace("|", "/")
