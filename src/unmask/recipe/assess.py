"""Measuring a fine-tuned model on labelled examples that it has not seen."""

from __future__ import annotations

from pathlib import Path

from unmask.checkpoint.bundle import Bundle
from unmask.data.labelled.config import LabelledConfig
from unmask.infer.asking import task_of
from unmask.recipe.assessment import Assessment
from unmask.recipe.examples import read, reading_config
from unmask.tasks.metrics.resampling import Bootstrap
from unmask.tasks.predicting import scored
from unmask.tasks.qa import QuestionAnswering
from unmask.tasks.sentence import SentenceEmbedding


def assess(bundle: Bundle, data: Path | str, config: LabelledConfig) -> Assessment:
    """Scores the model on the examples of a file, with bootstrap intervals.

    Raises:
        UsageError: A model that was not fine-tuned.
        DataError: Examples that cannot be read, or labels that the model does not know.
    """
    if isinstance(bundle.task, SentenceEmbedding):
        from unmask.recipe.assess_sentences import assess_pairs

        return assess_pairs(bundle, data, config)
    task = task_of(bundle)
    examples = read(task.name, data, reading_config(task.config, config))
    scores = scored(bundle.model, task, examples, bundle.require_tokenizer(), bundle.max_length)
    intervals = task.intervals(examples, scores, Bootstrap())
    return Assessment(
        len(examples),
        task.score(examples, scores),
        {name: (one.low, one.high) for name, one in intervals.items()},
        task.predictions(examples, scores) if isinstance(task, QuestionAnswering) else None,
    )
