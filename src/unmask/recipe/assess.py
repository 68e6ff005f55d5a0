"""Measuring a fine-tuned model on labelled examples that it has not seen."""

from __future__ import annotations

from pathlib import Path

from unmask.checkpoint.bundle import Bundle
from unmask.data.labelled.config import LabelledConfig
from unmask.errors import UsageError
from unmask.infer.asking import task_of
from unmask.recipe.assessment import Assessment
from unmask.recipe.config import EvaluateSentences
from unmask.recipe.examples import read, reading_config
from unmask.tasks.metrics.resampling import Bootstrap
from unmask.tasks.predicting import scored
from unmask.tasks.qa import QuestionAnswering
from unmask.tasks.sentence import SentenceEmbedding


def assess(
    bundle: Bundle,
    data: Path | str,
    config: LabelledConfig,
    sentences: EvaluateSentences | None = None,
) -> Assessment:
    """Scores the model on the examples of a file, with bootstrap intervals.

    `sentences` says more of how a sentence encoder is measured.

    Raises:
        UsageError: A model that was not fine-tuned, or settings for another one.
        DataError: Examples that cannot be read, or labels that the model does not know.
    """
    if isinstance(bundle.task, SentenceEmbedding):
        from unmask.recipe.assess_sentences import assess_examples

        return assess_examples(bundle, data, config, sentences or EvaluateSentences())
    task = task_of(bundle)
    if sentences is not None:
        raise UsageError(f"sentences: is for a sentence encoder, but {bundle.name} is none.")
    examples = read(task.name, data, reading_config(task.config, config))
    scores = scored(bundle.model, task, examples, bundle.require_tokenizer(), bundle.max_length)
    intervals = task.intervals(examples, scores, Bootstrap())
    return Assessment(
        len(examples),
        task.score(examples, scores),
        {name: (one.low, one.high) for name, one in intervals.items()},
        task.predictions(examples, scores) if isinstance(task, QuestionAnswering) else None,
    )
