"""The baselines of every task, on data whose figures can be told beforehand."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from unmask.checkpoint.bundle import Bundle
from unmask.data.labelled.examples import (
    Answer,
    ChoiceExample,
    QuestionExample,
    TaggedExample,
    TextExample,
)
from unmask.errors import DataError
from unmask.recipe.baselines.scores import baselines
from unmask.tasks.registry import TASKS
from unmask.tasks.targets.one_label import OneLabel
from unmask.tasks.targets.several_labels import SeveralLabels

TF_IDF, PROBE = "tf-idf + logistic regression", "linear probe"
GOOD, BAD = ("good", "fine"), ("bad", "poor")


def text(i: int, label: Any, words: str, pair: str | None = None) -> TextExample:
    return TextExample(str(i), words, pair, label, None, f"t:{i}")


def films(number: int) -> list[TextExample]:
    """One in three is bad."""
    return [
        text(
            i,
            "no" if i % 3 == 0 else "yes",
            f"the film was {(GOOD if i % 3 else BAD)[i // 3 % 2]} {i}",
        )
        for i in range(number)
    ]


def begun(name: str, examples: list[Any], **settings: Any) -> Any:
    kind = TASKS[name]
    return kind.begin(kind.config.model_validate(settings), examples)


def test_one_label_is_judged_beside_the_majority_words_and_the_probe(base: Bundle) -> None:
    train = films(60)

    found = baselines(begun("classification", train), train, films(30), base)

    assert list(found) == ["majority", TF_IDF, PROBE]
    assert found["majority"]["accuracy"] == pytest.approx(2 / 3)
    assert found["majority"]["log_loss"] == pytest.approx(0.6365, abs=1e-3)
    assert found[TF_IDF]["accuracy"] == 1.0
    assert found[PROBE]["accuracy"] > 0.9
    assert len({frozenset(scores) for scores in found.values()}) == 1


def test_what_was_tuned_for_the_model_does_not_touch_its_baselines(base: Bundle) -> None:
    train = films(60)
    task = begun("classification", train)
    assert isinstance(task.targets, OneLabel)
    tuned = replace(task, targets=replace(task.targets, temperature=9.0))

    assert baselines(tuned, train, train, base) == baselines(task, train, train, base)


def test_a_pair_is_told_by_what_its_texts_share(base: Bundle) -> None:
    words = ("film", "river", "rain", "Paris")
    pairs = [(a, b) for a in words for b in words] * 3
    train = [
        text(i, "same" if a == b else "other", f"the {a} .", f"which {b} .")
        for i, (a, b) in enumerate(pairs)
    ]

    found = baselines(begun("classification", train), train, train, base)

    assert found["majority"]["accuracy"] == 0.75
    assert found[TF_IDF]["accuracy"] == 1.0


def test_several_labels_have_thresholds_from_the_training_examples(base: Bundle) -> None:
    train = [
        text(
            i,
            tuple(name for name, is_there in (("a", i % 4), ("b", i % 5 == 0)) if is_there),
            f"{'good' if i % 4 else 'bad'} film {'river' if i % 5 == 0 else 'rain'}",
        )
        for i in range(60)
    ]
    task = begun("classification", train, kind="multi")
    assert isinstance(task.targets, SeveralLabels)
    never = replace(task, targets=replace(task.targets, thresholds=(1.0, 1.0)))

    found = baselines(never, train, train, base)

    assert found["majority"]["recall/a"] == 1.0
    assert found["majority"]["recall/b"] == 0.0
    assert found[TF_IDF]["f1_macro"] == 1.0
    assert found[PROBE]["f1_macro"] > 0.8


def test_numbers_are_judged_beside_their_mean(base: Bundle) -> None:
    train = [
        text(i, float(i % 3), f"film {('bad', 'the', 'good')[i % 3]} {i % 7}") for i in range(60)
    ]

    found = baselines(begun("classification", train, kind="regression"), train, train, base)

    assert list(found) == ["mean", "tf-idf + ridge regression", PROBE]
    assert found["mean"]["mean_squared_error"] == pytest.approx(2 / 3)
    assert found["tf-idf + ridge regression"]["spearman"] > 0.9
    assert found[PROBE]["spearman"] > 0.5


def tagged(number: int) -> list[TaggedExample]:
    """`rain` is a verb after `the`; a word that ends in `s` is a plural."""
    lines = [
        ("the film rain", "DET NOUN VERB"),
        ("rain river", "NOUN NOUN"),
        ("the river flows", "DET NOUN VERB"),
    ]
    made = []
    for i in range(number):
        line, tags = lines[i % 3]
        words = line.split()
        starts = [sum(map(len, words[:k])) + k for k in range(len(words))]
        spans = tuple((start, start + len(w)) for start, w in zip(starts, words, strict=True))
        made.append(TaggedExample(str(i), line, spans, tuple(tags.split()), f"t:{i}"))
    return made


def test_tags_are_judged_beside_each_words_most_frequent_one(base: Bundle) -> None:
    train = tagged(31)  # `rain` is a verb once more than a noun

    found = baselines(begun("tagging", train), train, tagged(30), base)

    words = "word features + logistic regression"
    assert list(found) == ["majority", "majority of each word", words, PROBE]
    frequent = Counter(tag for one in train for tag in one.tags or ()).most_common(1)[0][0]
    given = [tag for one in tagged(30) for tag in one.tags or ()]
    assert found["majority"]["accuracy"] == pytest.approx(given.count(frequent) / len(given))
    assert found["majority of each word"]["accuracy"] == pytest.approx(70 / 80)
    assert found["word features + logistic regression"]["accuracy"] == 1.0
    assert found[PROBE]["accuracy"] > 0.9


def test_a_word_that_training_did_not_have_gets_the_most_frequent_tag(base: Bundle) -> None:
    train = tagged(30)
    unknown = TaggedExample("u", "xyz", ((0, 3),), ("NOUN",), "u:0")

    found = baselines(begun("tagging", train), train, [unknown], base)

    assert found["majority of each word"]["accuracy"] == 1.0


def test_choices_are_judged_beside_the_most_frequent_place(base: Bundle) -> None:
    train = [
        ChoiceExample(
            str(i),
            f"the film {i}",
            ("was good", "was bad") if i % 4 else ("was bad", "was good"),
            0 if i % 4 else 1,
            f"t:{i}",
        )
        for i in range(40)
    ]

    task = begun("multiple-choice", train)
    found = baselines(replace(task, temperature=9.0), train, train, base)

    assert found == baselines(task, train, train, base)  # the model's temperature is not theirs

    assert list(found) == ["majority", TF_IDF, PROBE]
    assert found["majority"]["accuracy"] == 0.75
    assert found[TF_IDF]["accuracy"] == 1.0
    assert found[PROBE]["accuracy"] == 1.0


def asked(i: int, question: str, context: str, answer: str | None) -> QuestionExample:
    answers = () if answer is None else (Answer(answer, context.index(answer)),)
    return QuestionExample(str(i), question, context, answers, answer is None, None, f"t:{i}")


CONTEXT = "It may rain. The river Nile flows north. Paris is not there."


def test_questions_are_judged_beside_silence_and_the_most_similar_sentence(base: Bundle) -> None:
    questions = [
        asked(0, "Which river flows north?", CONTEXT, "The river Nile flows north"),
        asked(1, "Is Paris there?", CONTEXT, "Paris is not there"),
        asked(2, "Who wrote a symphony?", CONTEXT, None),
    ]

    found = baselines(begun("qa", questions), questions, questions, base)

    assert list(found) == ["never an answer", "most similar sentence"]
    assert found["never an answer"]["f1"] == pytest.approx(1 / 3)
    assert found["most similar sentence"]["exact"] == 1.0


def test_where_every_question_has_an_answer_silence_is_no_baseline(base: Bundle) -> None:
    questions = [asked(0, "Is Paris there?", CONTEXT, "Paris")]

    found = baselines(begun("qa", questions), questions, questions, base)

    assert list(found) == ["most similar sentence"]
    assert found["most similar sentence"]["f1"] == pytest.approx(0.4)


def test_a_label_that_training_did_not_have_is_named(base: Bundle) -> None:
    train = films(12)
    odd = replace(train[0], label="maybe", place="test.tsv:7")

    with pytest.raises(DataError, match=r"test\.tsv:7: label 'maybe' is none of the 2"):
        baselines(begun("classification", train), train, [odd], base)


def test_on_real_sentences_words_tell_more_than_the_majority(base: Bundle) -> None:
    if "UNMASK_DATA" not in os.environ:
        pytest.skip("UNMASK_DATA is not set: no real sentences to learn from")

    def read(name: str, number: int) -> list[TextExample]:
        path = Path(os.environ["UNMASK_DATA"], "sst2", "sentences", f"{name}.tsv")
        rows = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()]
        return [text(i, label, words) for i, (words, label) in enumerate(rows[:number])]

    train, measured = read("train", 1500), read("test", 600)

    found = baselines(begun("classification", train), train, measured, base)

    frequent = Counter(one.label for one in train).most_common(1)[0][0]
    share = sum(one.label == frequent for one in measured) / len(measured)
    assert found["majority"]["accuracy"] == pytest.approx(share)
    assert found[TF_IDF]["accuracy"] > share + 0.15
