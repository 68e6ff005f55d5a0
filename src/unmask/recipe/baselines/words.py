"""Baselines of tagging: what a word is mostly tagged, its letters and neighbours, and the probe."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction import FeatureHasher

from unmask.checkpoint.bundle import Bundle
from unmask.data.labelled.examples import TaggedExample
from unmask.recipe.baselines import probe
from unmask.recipe.baselines.linear import Features, OneOf, choose
from unmask.tasks.tag_sets import given_tags, spelled
from unmask.tasks.tagging import Tagging
from unmask.tasks.targets.labels import number_of

Examples = Sequence[TaggedExample]
Numbers = NDArray[np.int64]

_NUM_FEATURES = 2**16
_STRENGTH = 10.0
"""Not chosen anew, which would take longer than all the rest: of 1, 10 and 100 the best on the
development set of UD-EWT (UPOS), and 0.006 F1 behind 100 on that of WNUT-17."""
_LONGEST_GRAM = 4
_UNSEEN = 1e-3
"""How much of the overall shares a word's own counts are mixed with."""


def baselines(
    task: Tagging, train: Examples, measured: Examples, base: Bundle
) -> dict[str, dict[str, float]]:
    """The scores of each; the tags of a sentence are decoded as the model's are.

    The majority gives every word the most frequent tag of all; that of each word gives it the tag
    that it had most often, and a word that training did not have the former.

    Words are told by hashed features, without TF-IDF since each is one of a kind: the word and its
    four neighbours in lower case, their shapes (`Xx-0`), and the first and last one to four
    letters. The probe reads each word's first piece. Both learn from `probe.MOST_WORDS` at most.
    """
    first_piece = {"subwords": "first", "aggregation": "first"}
    reading = replace(task, config=task.config.model_copy(update=first_piece))
    drawn = probe.drawn(train, lambda example: len(example.words), probe.MOST_WORDS)
    reader = probe.Rows(reading, lambda _, windows: np.concatenate(windows))
    first, other = probe.standardised(reader, drawn, measured, base)
    own = _most_frequent(task, train, measured)
    always = _most_frequent(task, train, measured, by_word=False)
    return {
        "majority": task.score(measured, always),
        "majority of each word": task.score(measured, own),
        "word features + logistic regression": _scored(
            task, drawn, measured, _hashed(drawn), _hashed(measured), (_STRENGTH,)
        ),
        "linear probe": _scored(task, drawn, measured, first, other, probe.STRENGTHS),
    }


def _scored(
    task: Tagging,
    train: Examples,
    measured: Examples,
    first: Features,
    other: Features,
    strengths: Sequence[float],
) -> dict[str, float]:
    numbers = np.concatenate([_numbers(task, example) for example in train])
    learner = OneOf(task.num_outputs)
    predict = learner.fit(first, numbers, choose(learner, first, numbers, strengths).strength)
    return task.score(measured, _by_example(predict(other), measured))


def _most_frequent(
    task: Tagging, train: Examples, measured: Examples, *, by_word: bool = True
) -> list[NDArray[np.float32]]:
    """(W, K) log shares of the tags that each word had in training, else of all words' tags."""
    counts: defaultdict[str, Counter[int]] = defaultdict(Counter)
    total = np.full(task.num_outputs, 1e-6)
    for example in train:
        for word, number in zip(_words(example), _numbers(task, example).tolist(), strict=True):
            counts[word][number] += 1
            total[number] += 1

    def shares(word: str) -> NDArray[np.float64]:
        own = _UNSEEN * total / total.sum()
        for number, count in counts.get(word, Counter()).items() if by_word else ():
            own[number] += count
        return np.asarray(np.log(own / own.sum()))

    return [
        np.stack([shares(word) for word in _words(example)]).astype(np.float32)
        for example in measured
    ]


def _hashed(examples: Examples) -> Features:
    """(words, F) sparse rows."""
    hasher = FeatureHasher(_NUM_FEATURES, input_type="string", alternate_sign=False)
    return hasher.transform(told for example in examples for told in _told(_words(example)))


def _told(words: Sequence[str]) -> Iterator[list[str]]:
    """What is known of each word."""
    lower = ["<<", "<", *(word.lower() for word in words), ">", ">>"]
    shapes = ["<", *map(_shape, words), ">"]
    for i, word in enumerate(words):
        around = [f"{offset}={lower[i + offset + 2]}" for offset in range(-2, 3)]
        around += [f"{offset}~{shapes[i + offset + 1]}" for offset in range(-1, 2)]
        sizes = range(1, min(_LONGEST_GRAM, len(word)) + 1)
        ends = [f"^{word[:size].lower()}" for size in sizes]
        yield ["1", *around, *ends, *(f"{word[-size:].lower()}$" for size in sizes)]


def _shape(word: str) -> str:
    """Capitals as X, other letters as x, digits as 0, each run once.

    >>> _shape("McDonald's"), _shape("2019"), _shape(":-)")
    ("XxXx'x", '0', ':-)')
    """
    kinds = [
        "X" if c.isupper() else "x" if c.isalpha() else "0" if c.isdigit() else c for c in word
    ]
    return "".join(kind for i, kind in enumerate(kinds) if i == 0 or kind != kinds[i - 1])


def _words(example: TaggedExample) -> list[str]:
    return [example.text[start:end] for start, end in example.words]


def _numbers(task: Tagging, example: TaggedExample) -> Numbers:
    tags = spelled(given_tags(example), task.scheme)
    return np.array([number_of(task.labels, tag, example.place) for tag in tags], dtype=np.int64)


def _by_example(rows: NDArray[np.float64], examples: Examples) -> list[NDArray[np.float32]]:
    cuts = np.cumsum([len(example.words) for example in examples])[:-1]
    return np.split(rows.astype(np.float32), cuts)
