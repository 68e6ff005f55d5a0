"""Classification by labels that no model was trained on, through a model of inference (NLI)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from unmask.data.labelled.examples import TextExample
from unmask.errors import UsageError
from unmask.tasks.classification import Classification
from unmask.tasks.predicting import raw_scores
from unmask.tasks.targets.one_label import OneLabel
from unmask.tasks.task import Model, Prediction
from unmask.text.tokenizer import Tokenizer

Floats = NDArray[np.floating[Any]]


def zero_shot(
    model: Model,
    task: Classification,
    tokenizer: Tokenizer,
    texts: Iterable[str],
    candidate_labels: Sequence[str],
    *,
    longest: int,
    hypothesis_template: str,
    multi_label: bool = False,
    entailment: str | None = None,
) -> Iterator[Prediction]:
    """For each text its `sequence`, the `labels` from the likeliest on, and their `scores`.

    Every label becomes a hypothesis, the template with the label in place of {}, whose logit of
    entailment is its score (Yin et al. 2019, arXiv 1909.00161). The scores are the softmax over the
    labels; with `multi_label`, or of one label alone, each label's softmax over contradiction and
    entailment. `longest` is the most tokens that the model reads; a longer text is windowed, and
    its logits are averaged.

    `entailment` is what the model calls it, found by that name if not given. Contradiction is the
    label of that name, else the first that is not entailment (or, as in transformers, the last
    where entailment is the first).

    Raises:
        UsageError: A model that does not judge inference, a template without a place for the
            label, no label, or an empty or repeated one.
    """
    hypotheses = _hypotheses(candidate_labels, hypothesis_template)
    yes = _entailment(task, entailment)
    no = _contradiction(task.labels, yes)
    each = multi_label or len(hypotheses) == 1
    pairs = (
        TextExample("", text, hypothesis, None, None, "")
        for text in texts
        for hypothesis in hypotheses
    )
    scored = raw_scores(model, task, pairs, tokenizer, longest)
    return _answers(scored, list(candidate_labels), (no, yes), each=each)


def _answers(
    scored: Iterator[tuple[TextExample, Floats]],
    labels: list[str],
    columns: tuple[int, int],
    *,
    each: bool,
) -> Iterator[Prediction]:
    for example, first in scored:
        logits = np.stack([first, *(next(scored)[1] for _ in labels[1:])])  # (labels, K)
        chosen = logits[:, columns].astype(np.float64)
        found = special.softmax(chosen, axis=1 if each else 0)[:, 1]
        order = np.argsort(-found, kind="stable")
        yield {
            "sequence": example.text,
            "labels": [labels[i] for i in order],
            "scores": found[order].tolist(),
        }


def _hypotheses(labels: Sequence[str], template: str) -> list[str]:
    if isinstance(labels, str) or not labels or not all(label.strip() for label in labels):
        raise UsageError(
            f"candidate_labels: {labels!r}; expected a list of at least one label, none empty."
        )
    if repeated := sorted({label for label in labels if list(labels).count(label) > 1}):
        raise UsageError(
            f"candidate_labels: {', '.join(map(repr, repeated))} stands there more than once; "
            "expected every label once."
        )
    if not _has_place(template):
        raise UsageError(
            f"hypothesis_template: {template!r} has no place for the label; expected one {{}}, as "
            "in 'This example is {}.'"
        )
    return [template.format(label) for label in labels]


def _has_place(template: str) -> bool:
    """Whether a label comes out of it again, which one of `{{}}` or `{name}` does not."""
    label = "\0"
    try:
        return label in template.format(label)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        return False


def _entailment(task: Classification, name: str | None) -> int:
    if not isinstance(task.targets, OneLabel):
        raise UsageError(
            f"zero-shot classification needs a model with one label of several, but this one's "
            f"labels are of the kind {task.config.kind!r}. Take a model trained on NLI."
        )
    wanted = "entailment" if name is None else name.lower()
    for i, label in enumerate(task.labels):
        if label.lower() == wanted:
            return i
    raise UsageError(
        f"the model has no label {wanted!r}, only {', '.join(map(repr, task.labels))}; zero-shot "
        "classification needs one trained on NLI. If this one is, name by `entailment` the label "
        "that stands for it."
    )


def _contradiction(labels: Sequence[str], entailment: int) -> int:
    for i, label in enumerate(labels):
        if label.lower() == "contradiction" and i != entailment:
            return i
    return len(labels) - 1 if entailment == 0 else 0
