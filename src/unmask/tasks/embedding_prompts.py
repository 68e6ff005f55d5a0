"""Which of a model's prompts stands before a text of an example."""

from __future__ import annotations

from unmask.data.labelled.examples import EmbeddingExample
from unmask.tasks.sentence_config import DOCUMENT_PROMPTS, QUERY_PROMPTS, SentenceConfig


def prompts_of(
    config: SentenceConfig, example: EmbeddingExample, *, has_sides: bool = False
) -> list[str]:
    """What stands before each of the example's texts, mostly nothing.

    An anchor is asked and what follows it is found, so that they get the prompts of queries and of
    documents. Texts that a label or a teacher compares are alike, and so is a text by itself: all
    get the model's usual prompt, as in sentence-transformers' evaluators, unless the example
    `has_sides` for the one who set the prompts.
    """
    if has_sides or _is_asked(example):
        before = [config.prompt_for(names) for names in (QUERY_PROMPTS, DOCUMENT_PROMPTS)]
        return [before[min(place, 1)] for place in range(len(example.texts))]
    return [config.prompt_for(())] * len(example.texts)


def sets_sides(prompts: dict[str, str]) -> bool:
    """Whether prompts of queries or documents are among these."""
    return not prompts.keys().isdisjoint({*QUERY_PROMPTS, *DOCUMENT_PROMPTS})


def _is_asked(example: EmbeddingExample) -> bool:
    """Whether its first text is an anchor: others belong to it or not, perhaps to some degree."""
    label, number = example.label, len(example.texts)
    if isinstance(label, tuple):  # scores of what follows the anchor, or a teacher's vector
        return len(label) <= number
    return number > 2 or (number == 2 and label is None)
