"""A split depends on its seed alone, keeps proportions, and divides no group."""

from __future__ import annotations

import json
import logging
import random
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unmask.data.labelled.examples import (
    Answer,
    EmbeddingExample,
    QuestionExample,
    TaggedExample,
    TextExample,
)
from unmask.data.labelled.reading import read_choices, read_questions, read_tagged, read_texts
from unmask.data.labelled.splitting import split
from unmask.errors import DataError, UsageError


def texts(labels: list[Any], groups: list[str | None] | None = None) -> list[TextExample]:
    named = groups or [None] * len(labels)
    return [
        TextExample(str(i), f"text {i}", None, label, group, f"x:{i}")
        for i, (label, group) in enumerate(zip(labels, named, strict=True))
    ]


def labels(examples: list[TextExample]) -> Counter[Any]:
    return Counter(example.label for example in examples)


def test_each_class_has_its_share(caplog: pytest.LogCaptureFixture) -> None:
    examples = texts(["a"] * 800 + ["b"] * 150 + ["c"] * 50)
    train, held_out = split(examples, 0.1, 7)
    assert labels(held_out) == {"a": 80, "b": 15, "c": 5}
    assert sorted([*train, *held_out], key=lambda e: int(e.id)) == examples
    assert [int(e.id) for e in train] == sorted(int(e.id) for e in train)
    assert caplog.text == ""


def test_the_seed_decides() -> None:
    examples = texts(["a", "b"] * 500)
    first, again, other = (split(examples, 0.2, seed)[1] for seed in (1, 1, 2))
    assert first == again
    shared = {e.id for e in first} & {e.id for e in other}
    assert 20 < len(shared) < 65  # 40 of 200 by chance
    assert [e.id for e in split(texts(["a", "b"] * 5), 0.4, 3)[1]] == [
        e.id for e in split(texts(["x", "y"] * 5), 0.4, 3)[1]
    ]


@given(
    st.lists(st.sampled_from("abcdef"), min_size=20, max_size=200),
    st.floats(0.1, 0.5),
    st.integers(0, 2**40),
)
def test_shares_are_right_to_one_example(drawn: list[str], rate: float, seed: int) -> None:
    train, held_out = split(texts(drawn), rate, seed)
    counts, held = Counter(drawn), labels(held_out)
    assert len(train) + len(held_out) == len(drawn)
    several = {label: count for label, count in counts.items() if count > 1}
    assert abs(len(held_out) - rate * sum(several.values())) <= 1 + 1e-9
    for label, count in several.items():
        assert abs(held[label] - rate * count) <= 1 + 1e-9
        assert held[label] < count


def test_many_small_classes_still_give_the_rate() -> None:
    _, held_out = split(texts([f"class {i % 300}" for i in range(900)]), 0.1, 0)
    assert len(held_out) == 90


def test_a_class_with_one_example_stays_in_training_and_is_named(
    caplog: pytest.LogCaptureFixture,
) -> None:
    examples = texts(["a"] * 50 + ["rare"] + ["odd"])
    with caplog.at_level(logging.WARNING):
        for seed in range(5):
            assert labels(split(examples, 0.5, seed)[1]).keys() == {"a"}
    assert "`odd`, `rare`: one example each; kept for training" in caplog.text
    assert "(see x:51, x:50)" in caplog.text


def test_numbers_are_split_by_their_tenths() -> None:
    values = [i / 100 for i in range(1000)]
    _, held_out = split(texts(values), 0.2, 5)
    tenths = Counter(int(example.label) for example in held_out)
    assert tenths == dict.fromkeys(range(10), 20)
    _, held_out = split(texts([1.0] * 50), 0.2, 5)
    assert len(held_out) == 10


def test_several_classes_have_their_shares_each() -> None:
    drawn = [("a",)] * 600 + [("a", "b")] * 200 + [("c",)] * 100 + [()] * 100
    _, held_out = split(texts(drawn), 0.1, 11)
    counts = Counter(label for example in held_out for label in example.label or ("none",))
    assert abs(counts["a"] - 80) <= 2
    assert (counts["b"], counts["c"], counts["none"]) == (20, 10, 10)


def test_tags_have_their_shares() -> None:
    kinds = [("O", "O"), ("B-x", "O"), ("B-y", "I-y")]
    examples = [
        TaggedExample(str(i), "a b", ((0, 1), (2, 3)), kinds[min(2, i % 50)], f"x:{i}")
        for i in range(1000)
    ]
    _, held_out = split(examples, 0.2, 0)
    counts = Counter(example.tags for example in held_out)
    assert (counts[kinds[0]], counts[kinds[1]]) == (4, 4)


@given(st.integers(0, 1000), st.sampled_from([3, 20, 100]))
def test_a_group_is_never_on_both_sides(seed: int, num_groups: int) -> None:
    rng = random.Random(seed)
    drawn = [(rng.choice("ab"), rng.randrange(num_groups)) for _ in range(200)]
    names = [f"group {number}" for _, number in drawn]
    train, held_out = split(texts([label for label, _ in drawn], list(names)), 0.4, seed)
    assert {e.group for e in train} & {e.group for e in held_out} == set()
    assert len(train) + len(held_out) == len(drawn)


def test_groups_keep_the_proportions_about() -> None:
    drawn = [("a" if i % 4 else "b", f"author {i // 7}") for i in range(2100)]
    train, held_out = split(
        texts([label for label, _ in drawn], [group for _, group in drawn]), 0.1, 3
    )
    assert labels(held_out)["a"] == pytest.approx(157, abs=8)
    assert labels(held_out)["b"] == pytest.approx(53, abs=4)
    assert len(train) == 2100 - len(held_out)


def test_groups_are_only_kept_together_on_request() -> None:
    examples = texts(["a"] * 100, ["one"] * 100)
    assert len(split(examples, 0.1, 0, group=False)[1]) == 10
    with pytest.raises(DataError, match="held out of 100 examples: all are of one group"):
        split(examples, 0.1, 0)


def test_a_class_in_one_group_stays_in_training(caplog: pytest.LogCaptureFixture) -> None:
    groups: list[str | None] = [f"g{i // 2}" for i in range(60)]
    examples = texts(["a"] * 58 + ["b"] * 2, groups)
    for seed in range(5):
        assert "b" not in labels(split(examples, 0.5, seed)[1])
    assert "`b`: all in one group; kept for training" in caplog.text


def test_questions_of_an_article_stay_together() -> None:
    examples = [
        QuestionExample(
            str(i),
            "?",
            f"context {i // 5}",
            () if i % 2 else (Answer("c", 0),),
            bool(i % 2),
            f"title {i // 20}" if i < 300 else None,
            f"x:{i}",
        )
        for i in range(400)
    ]
    train, held_out = split(examples, 0.2, 4)
    assert {e.title for e in train if e.title} & {e.title for e in held_out} == set()
    assert {e.context for e in train} & {e.context for e in held_out} == set()
    assert len(held_out) == pytest.approx(80, abs=20)
    assert sum(e.is_impossible for e in held_out) == pytest.approx(40, abs=10)


def together(*rows: tuple[str, ...], groups: tuple[str, ...] = ()) -> list[EmbeddingExample]:
    return [
        EmbeddingExample(str(i), row, None, f"x:{i}", groups[i] if groups else None)
        for i, row in enumerate(rows)
    ]


@pytest.mark.parametrize("seed", range(5))
def test_texts_that_an_anchor_goes_with_stay_together(seed: int) -> None:
    """As `unmask mine` writes them: a row for each negative of a question."""
    rows = [(f"Question  {i}", f"answer {i % 4}", f"wrong {i} {j}") for i in range(40)
            for j in range(3)]  # fmt: skip
    rows += [(f"question {i}", "another answer", "wrong") for i in range(40)]
    train, held_out = split(together(*rows), 0.1, seed)
    assert len(held_out) == 16
    sides = [{one.texts[0].lower().split()[1] for one in side} for side in (train, held_out)]
    assert len(sides[1]) == 4
    assert sides[0].isdisjoint(sides[1])
    assert {one.texts[1] for one in train} >= {"answer 0", "another answer"}  # unites nothing


@pytest.mark.parametrize("seed", range(5))
def test_a_pair_that_is_turned_round_stays_with_the_other(seed: int) -> None:
    rows = [(f"a {i}", f"b {i}") for i in range(40)]
    train, held_out = split(together(*rows, *(row[::-1] for row in rows)), 0.1, seed)
    assert len(held_out) == 8
    assert {frozenset(one.texts) for one in train}.isdisjoint(
        frozenset(one.texts) for one in held_out
    )


def test_groups_say_more_than_anchors() -> None:
    rows = [("what is it?", f"answer {i}") for i in range(20)]
    with pytest.raises(DataError, match="20 examples: all have the same first text, which is nev"):
        split(together(*rows), 0.1, 0)
    named = together(*rows, groups=tuple(str(i // 2) for i in range(20)))
    train, held_out = split(named, 0.1, 0)
    assert len({one.group for one in held_out}) == 1
    assert {one.group for one in train}.isdisjoint(one.group for one in held_out)


def test_without_strata_only_the_rate_counts() -> None:
    examples = texts(["a"] * 99 + ["b"])
    assert len(split(examples, 0.25, 0, stratify=False)[1]) == 25
    held = [split(examples, 0.5, seed, stratify=False)[1] for seed in range(8)]
    assert any("b" in labels(part) for part in held)


def test_what_cannot_be_split_is_an_error() -> None:
    for rate in (0.0, 1.0, -1.0, float("nan")):
        with pytest.raises(UsageError, match="expected more than 0 and less than 1"):
            split(texts(["a"] * 9), rate, 0)
    for examples in ([], texts(["a"]), texts(["a", "b", "c"])):
        with pytest.raises(DataError, match="can be held out of"):
            split(examples, 0.3, 0)


@pytest.mark.parametrize(
    ("examples", "said"),
    [
        (texts(["a"]), "no share of 0.1 can be held out of 1 example. "),
        (
            texts(["a", "b", "c"]),
            "no share of 0.1 can be held out of 3 examples: each is the only one of its label",
        ),
        (texts(["a"] * 9, ["g"] * 9), "9 examples: all are of one group"),
    ],
)
def test_what_cannot_be_split_says_why_and_names_the_flags(
    examples: list[TextExample], said: str
) -> None:
    with pytest.raises(DataError) as raised:
        split(examples, 0.1, 0)
    message = str(raised.value)
    assert said in message
    assert "--validation-rate" in message
    assert "--validation FILE" in message


@pytest.mark.parametrize(
    ("reader", "row"),
    [
        (read_tagged, {"tokens": ["a", "b"], "tags": ["O", "B-x"]}),
        (read_choices, {"text": "t", "choices": ["a", "b"], "label": 1}),
        (read_questions, {"question": "?", "context": "a b", "answers": []}),
    ],
    ids=["tagging", "multiple choice", "questions"],
)
def test_groups_of_a_table_are_whole_in_every_task(
    reader: Any, row: dict[str, Any], write: Any, read: Any
) -> None:
    rows = [{**row, "who": f"author {i % 10}"} for i in range(100)]
    path = write("a.jsonl", "\n".join(map(json.dumps, rows)))
    found, _ = read(reader, path, columns={"group": "who"})
    train, held_out = split(found, 0.2, 1)
    authors = [{int(example.id) % 10 for example in part} for part in (train, held_out)]
    assert [len(who) for who in authors] == [8, 2]
    assert authors[0].isdisjoint(authors[1])


@pytest.mark.parametrize(
    ("reader", "name"),
    [
        (read_tagged, "a.conll"),
        (read_tagged, "a.conllu"),
        (read_texts, "a.trees"),
        (read_questions, "a.json"),
    ],
)
def test_a_group_is_refused_where_a_file_can_have_none(
    reader: Any, name: str, write: Any, read: Any
) -> None:
    with pytest.raises(UsageError, match=r"--data\.columns\.group who: .* no column of groups"):
        read(reader, write(name, ""), columns={"group": "who"})
