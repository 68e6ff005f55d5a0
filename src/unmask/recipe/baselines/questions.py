"""Baselines of question answering, neither of which learns to find an answer.

There is no linear probe: two linear layers over a frozen encoder are what the task itself is with
`--freeze encoder`.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

from unmask.checkpoint.bundle import Bundle
from unmask.data.labelled.examples import QuestionExample
from unmask.data.sentences import split_in_parts
from unmask.recipe.baselines.features import WORD
from unmask.tasks.qa import QuestionAnswering
from unmask.tasks.qa_spans import SpanScores

Examples = Sequence[QuestionExample]
_SENTENCES_AT_ONCE = 4096


def baselines(
    task: QuestionAnswering, train: Examples, measured: Examples, _base: Bundle
) -> dict[str, dict[str, float]]:
    """The scores of saying nothing, where that can be right, and of the most similar sentence.

    Words are weighed by their rarity in the training contexts; below which similarity nothing is
    answered is tuned on the training questions.
    """
    contexts = list(dict.fromkeys(example.context for example in train))
    similar = _Similar(TfidfVectorizer(token_pattern=WORD, sublinear_tf=True).fit(contexts))
    tuned = task.tuned(train, similar(train))
    found = {"most similar sentence": tuned.score(measured, similar(measured))}
    if not task.config.unanswerable:
        return found
    nothing = SpanScores(np.zeros((0, 2), dtype=np.int64), np.zeros(0), 0.0)
    return {"never an answer": task.score(measured, [nothing] * len(measured)), **found}


class _Similar:
    """The sentence of each context that is most like the question, and how like: the cosine."""

    def __init__(self, words: TfidfVectorizer) -> None:
        self._words = words

    def __call__(self, examples: Examples) -> list[SpanScores]:
        spans = {context: _sentences(context) for context in {e.context for e in examples}}
        found = {
            context: self._words.transform([context[start:end] for start, end in places])
            for context, places in spans.items()
        }
        questions = self._words.transform([example.question for example in examples])
        scores = []
        for i, example in enumerate(examples):
            alike = (found[example.context] @ questions[i].T).toarray()[:, 0]
            best = int(alike.argmax())
            span = np.array([spans[example.context][best]], dtype=np.int64)
            scores.append(SpanScores(span, alike[[best]], 0.0))
        return scores


def _sentences(context: str) -> list[tuple[int, int]]:
    """First and past-the-last code point of each, without the spaces around it; at least one."""
    places: list[tuple[int, int]] = []
    position = 0
    for sentence in chain.from_iterable(split_in_parts(context, _SENTENCES_AT_ONCE)):
        start = position + len(sentence) - len(sentence.lstrip())
        places.append((start, start + len(sentence.strip())))
        position += len(sentence)
    return [(start, end) for start, end in places if start < end] or [(0, len(context))]
