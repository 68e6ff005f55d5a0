"""The baselines of each task, by one call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from unmask.checkpoint.bundle import Bundle
from unmask.recipe.baselines import choices, questions, ranked, sentences, texts, words
from unmask.tasks.classification import Classification
from unmask.tasks.embedding import Embedding
from unmask.tasks.multiple_choice import MultipleChoice
from unmask.tasks.qa import QuestionAnswering
from unmask.tasks.reranking import Reranking
from unmask.tasks.tagging import Tagging
from unmask.tasks.task import LabelledTask

_BY_TASK: dict[type, Callable[..., dict[str, dict[str, float]]]] = {
    Classification: texts.baselines,
    MultipleChoice: choices.baselines,
    Tagging: words.baselines,
    QuestionAnswering: questions.baselines,
    Embedding: sentences.baselines,
    Reranking: ranked.baselines,
}


def baselines(
    task: LabelledTask[Any, Any], train: Sequence[Any], measured: Sequence[Any], base: Bundle
) -> dict[str, dict[str, float]]:
    """What others come to on the `measured` examples: for each its scores, as the task's own.

    `majority` (or `mean`) looks at no text, `majority of each word` at no word but the tagged one;
    `tf-idf + logistic regression` has no encoder (of numbers it is `tf-idf + ridge regression`, of
    tags `word features + logistic regression`); `linear probe` is the same regression over the
    frozen encoder of `base`, the model that fine-tuning began with. Question answering has `never
    an answer` and `most similar sentence`; vectors of texts have `tf-idf` and the model `before
    training`; rankings have `bm25`, the `order given`, and the model before if it
    ranks already. All learn from the `train` examples alone.

    Raises:
        DataError: A measured example with a label that the task does not have, or without one.
    """
    return _BY_TASK[type(task)](task, train, measured, base)
