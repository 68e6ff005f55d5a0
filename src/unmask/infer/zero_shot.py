"""Labels that the model was not trained on, given by one that was fine-tuned on inference."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from unmask.checkpoint.bundle import Bundle
from unmask.errors import UsageError
from unmask.infer.config import ZeroShotConfig
from unmask.tasks.classification import Classification
from unmask.tasks.task import Prediction
from unmask.tasks.zero_shot import zero_shot as judged


def zero_shot(
    bundle: Bundle,
    texts: Iterable[str],
    candidate_labels: str | Sequence[str],
    config: ZeroShotConfig,
) -> Iterator[Prediction]:
    """For each text its `sequence`, the `labels` from the likeliest on, and their `scores`.

    See `tasks.zero_shot`. Labels in one string have commas between them, as in transformers. Reads
    some thousand pairs of text and label ahead, so that any number of texts may stream by.

    Raises:
        UsageError: A model that does not judge whether one text follows from another, labels that
            leave nothing to choose, or a template without a place for the label.
    """
    task = bundle.task
    if not isinstance(task, Classification):
        found = "no task" if task is None else f"the task {task.name}"
        raise UsageError(
            f"{bundle.name}: was trained for {found}; zero-shot classification needs a classifier "
            "of pairs of texts that was fine-tuned on natural language inference, such as MNLI."
        )
    labels = candidate_labels
    if isinstance(labels, str):
        labels = [label.strip() for label in labels.split(",")]
    if len(labels) == 1 and not config.multi_label:
        raise UsageError(
            f"candidate_labels: only {labels[0]!r}; expected at least two to choose "
            "from. With multi_label each label is judged by itself, and one is enough."
        )
    return judged(
        bundle.model,
        task,
        bundle.require_tokenizer(),
        texts,
        labels,
        longest=bundle.max_length,
        hypothesis_template=config.hypothesis_template,
        multi_label=config.multi_label,
        entailment=config.entailment,
    )
