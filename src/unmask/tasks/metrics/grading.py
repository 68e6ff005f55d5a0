"""One answer to one question: SQuAD's exact match and F1, in 0..1.

By the rules of SQuAD 2.0's script for both datasets. Those of 1.1 differ only where an answer is
nothing but punctuation and articles: there such an answer, when found, has an F1 of 0.
Source: Rajpurkar et al. 2016, section 6.1; `evaluate-v2.0.py`.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from unmask.errors import DataError
from unmask.tasks.metrics.counts import Floats

_ARTICLE = re.compile(r"\b(?:a|an|the)\b")
_WITHOUT_PUNCTUATION = str.maketrans("", "", string.punctuation)
_ASKING = {
    "what": "what",
    "who": "who",
    "whom": "who",
    "whose": "who",
    "when": "when",
    "where": "where",
    "why": "why",
    "how": "how",
    "which": "which",
}
_WORD = re.compile(r"[a-z]+")
OTHER = "other"
QUESTION_TYPES = (*dict.fromkeys(_ASKING.values()), OTHER)


class GoldAnswer(Protocol):
    """A right answer."""

    @property
    def text(self) -> str:
        """As the context has it."""


class Question(Protocol):
    """What scoring needs of an example."""

    @property
    def id(self) -> str:
        """Its name in the predictions."""

    @property
    def question(self) -> str:
        """What is asked."""

    @property
    def answers(self) -> Sequence[GoldAnswer]:
        """Any of them is right; none where the context holds no answer."""


@dataclass(frozen=True)
class Graded:
    """Each of Q questions by itself, in the examples' order."""

    ids: tuple[str, ...]
    types: tuple[str, ...]
    """(Q,) of `QUESTION_TYPES`."""
    has_answer: NDArray[np.bool_]
    """(Q,)."""
    is_answered: NDArray[np.bool_]
    """(Q,) False where the prediction is empty."""
    exact: Floats
    """(Q,) 0 or 1."""
    f1: Floats
    """(Q,) in 0..1."""


def normalize_answer(text: str) -> str:
    """Lower case, without ASCII punctuation, without a, an and the, single spaces between words.

    >>> normalize_answer("The  U.S. (an ally)")
    'us ally'
    """
    return " ".join(_ARTICLE.sub(" ", text.lower().translate(_WITHOUT_PUNCTUATION)).split())


def exact_match(prediction: str, gold: str) -> float:
    """1 if both are the same after normalisation, else 0."""
    return float(normalize_answer(prediction) == normalize_answer(gold))


def f1(prediction: str, gold: str) -> float:
    """F1 of the two answers' words after normalisation, as bags; of no words, 1 if both have none.

    >>> round(f1("the king of France", "King of Spain"), 3)
    0.667
    """
    given, wanted = normalize_answer(prediction).split(), normalize_answer(gold).split()
    if not given or not wanted:
        return float(given == wanted)
    return 2 * (Counter(given) & Counter(wanted)).total() / (len(given) + len(wanted))


def question_type(question: str) -> str:
    """The first of what, who (whom, whose), when, where, why, how and which in it, else `other`.

    >>> question_type("In what year did whoever won it retire?"), question_type("Name the river.")
    ('what', 'other')
    """
    words = _WORD.findall(question.lower())
    return next((_ASKING[word] for word in words if word in _ASKING), OTHER)


def grade(predictions: Mapping[str, str], examples: Iterable[Question]) -> Graded:
    """The better of a prediction's scores over the right answers, for each question.

    `predictions` give the text by the question's id, empty for no answer; more of them than
    examples do no harm. An answer that normalisation empties does not count as one; where none is
    left, the empty prediction is right.

    Raises:
        DataError: No questions, two with one id, or one without a prediction.
    """
    questions = list(examples)
    _check(predictions, questions)
    exact, overlap = [], []
    for question in questions:
        given = predictions[question.id]
        texts = [answer.text for answer in question.answers]
        wanted = [text for text in texts if normalize_answer(text)] or [""]
        exact.append(max(exact_match(given, text) for text in wanted))
        overlap.append(max(f1(given, text) for text in wanted))
    return Graded(
        ids=tuple(question.id for question in questions),
        types=tuple(question_type(question.question) for question in questions),
        has_answer=np.array([bool(question.answers) for question in questions]),
        is_answered=np.array([predictions[question.id] != "" for question in questions]),
        exact=np.array(exact),
        f1=np.array(overlap),
    )


def _check(predictions: Mapping[str, str], questions: Sequence[Question]) -> None:
    if not questions:
        raise DataError("there are no questions to score; expected at least one.")
    times = Counter(question.id for question in questions)
    (name, most), *_ = times.most_common(1)
    if most > 1:
        raise DataError(f"question `{name}` comes {most} times; expected each id once.")
    missing = [name for name in times if name not in predictions]
    if missing:
        raise DataError(
            f"{len(missing)} of {len(times)} questions have no prediction, the first is "
            f"`{missing[0]}`; expected a text for each, empty for no answer."
        )
