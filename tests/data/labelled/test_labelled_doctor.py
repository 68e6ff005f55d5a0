"""The doctor names what will hurt a model that learns from the examples, each with its fix."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from unmask.data.finding import Finding
from unmask.data.labelled.config import LabelledConfig
from unmask.data.labelled.doctor import examine, examine_reading
from unmask.data.labelled.examples import (
    Answer,
    ChoiceExample,
    EmbeddingExample,
    Example,
    QuestionExample,
    TaggedExample,
    TextExample,
)
from unmask.data.labelled.reading import read_tagged, read_texts
from unmask.data.rejects import Rejects
from unmask.text.tokenizer import Tokenizer

LETTERS = "abcdefghijklmnopqrstuvwxyz"


def text(number: int, label: Any, words: str | None = None, pair: str | None = None) -> TextExample:
    spelled = " ".join(LETTERS[int(digit)] for digit in f"{number:04}")
    return TextExample(
        str(number), words or f"the cat {spelled}", pair, label, None, f"x.tsv:{number}"
    )


def good(number: int = 100) -> list[TextExample]:
    return [text(i, "ab"[i % 2]) for i in range(number)]


def tagged(number: int, tags: str) -> TaggedExample:
    words = [LETTERS[number % 26] * (2 + number // 26), *"xyz"][: len(tags.split())]
    spans, position = [], 0
    for word in words:
        spans.append((position, position + len(word)))
        position += len(word) + 1
    return TaggedExample(
        str(number), " ".join(words), tuple(spans), tuple(tags.split()), f"x.conll:{number}"
    )


def question(number: int, *answers: Answer, impossible: bool = False) -> QuestionExample:
    asked = f"where is number {number}"
    place = f"x.json:{number}"
    return QuestionExample(str(number), asked, "the cat sat", answers, impossible, None, place)


def about(findings: list[Finding], words: str) -> Finding:
    (found,) = (finding for finding in findings if words in finding.what)
    return found


def problems(findings: list[Finding]) -> list[str]:
    return [finding.what for finding in findings if finding.severity != "note"]


def test_good_examples_give_only_notes(tokenizer: Tokenizer) -> None:
    other = [text(1000 + i, "ab"[i % 2]) for i in range(20)]
    findings = examine(good(), {"validation": other}, tokenizer, 32)
    assert problems(findings) == []
    note = about(findings, "classes")
    assert note.what == "train: 100 labels, 2 classes: `a` 50.0%, `b` 50.0%"
    assert note.why == "always saying the first is right 50.0% of the time"
    assert about(findings, "train: the longest").what == (
        "train: the longest example has 8 tokens of 32, half have at most 8"
    )


def test_every_finding_has_a_fix_and_errors_come_first(tokenizer: Tokenizer) -> None:
    train: list[Example] = [text(0, "a"), text(1, None), text(1, "b"), text(2, "c", " ")]
    findings = examine(train, {"test": [text(0, "z")], "none": []}, tokenizer, 3)
    order = [finding.severity for finding in findings]
    assert order == sorted(order, key=["error", "warning", "note"].index)
    assert all(finding.why and finding.fix for finding in findings)
    assert about(findings, "none: no examples").severity == "error"


@pytest.mark.parametrize(
    ("labels", "severity", "words"),
    [
        (["a"] * 30, "error", "train: only one class, `a`"),
        (["a"] * 15 + ["b"] * 15 + ["c"], "warning", "train: one example each of `c`"),
        ([f"label {i}" for i in range(30)], "error", "train: 30 classes in 30 examples"),
        (["a"] * 55 + ["b"] * 5, "warning", "`a` comes 11 times as often as `b` (55 and 5)"),
        (["a"] * 10 + ["-"] * 10, "warning", "train: 10 labels are `-`"),
        (["a"] * 10 + [None] * 3, "error", "3 of 13 examples have no label, first x.tsv:10"),
        ([2.0] * 9, "error", "train: all 9 numbers are 2"),
        ([1.0, 2.0, 6.0], "note", "train: 3 numbers from 1 to 6, mean 3"),
        ([("a", "b"), ("a",), ()], "warning", "train: one example each of `b`"),
    ],
)
def test_labels_that_teach_little_are_named(labels: list[Any], severity: str, words: str) -> None:
    findings = examine([text(i, label) for i, label in enumerate(labels)], {})
    assert about(findings, words).severity == severity


def test_shares_of_several_labels_are_of_the_texts() -> None:
    labels: list[tuple[str, ...]] = [("a",)] * 4 + [("a", "b")] * 2 + [("b",)] + [()] * 3
    found = about(examine([text(i, label) for i, label in enumerate(labels)], {}), "9 labels")

    assert found.what == "train: 9 labels of 2 kinds on 10 texts: `a` on 60.0%, `b` on 30.0%"
    assert found.why == "a label that is always given is right as often as that"


def test_labels_unseen_in_training_are_an_error() -> None:
    others = {"validation": [text(200, "A"), text(201, "A"), text(202, "a")], "test": good(4)}
    finding = about(examine(good(), others), "never come in train")
    assert finding.severity == "error"
    assert finding.what == "validation: 2 labels never come in train: `A` (2)"
    unseen = examine([tagged(i, "O B-x") for i in range(30)], {"test": [tagged(90, "O B-y")]})
    assert about(unseen, "never come in train").what.endswith("`B-y` (1)")


def test_repeats_within_and_across_splits() -> None:
    train = [*good(), text(500, "a", "The  cat a a A a")]
    others = {"validation": [text(900, "a", words=good()[3].text), text(901, "b")]}
    findings = examine(train, others)
    within = about(findings, "repeat an earlier one")
    assert within.severity == "note"
    assert within.what == (
        'train: 1 of 101 examples (1.0%) repeat an earlier one; first "the cat a a a a" at '
        "x.tsv:0 and x.tsv:500"
    )
    across = about(findings, "stand in train too")
    assert across.severity == "warning"
    assert "validation: 1 of 2 examples (50.0%)" in across.what
    assert "at x.tsv:3 and x.tsv:900" in across.what
    pairs = [text(0, "a", pair="one"), text(0, "b", pair="two")]
    assert problems(examine([*good(), *pairs], {})) == []


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        (text(0, "a"), text(0, "b"), "`a` and `b`"),
        (text(0, ("a", "b")), text(0, ("a", "c")), "`b` and `c`"),
        (text(0, 1.0), text(0, 3.0), "`1.0` and `3.0`"),
        (tagged(0, "O B-x"), tagged(0, "O O"), "`B-x` and `O`"),
        (question(0, Answer("cat", 4)), question(0, impossible=True), "one is impossible"),
        (
            ChoiceExample("0", "t", ("a", "b"), 0, "x:1"),
            ChoiceExample("1", "t", ("a", "b"), 1, "x:2"),
            "`0` and `1`",
        ),
    ],
)
def test_equal_texts_with_other_labels_conflict(first: Example, second: Example, said: str) -> None:
    finding = about(examine([first, second], {}), "another label than an equal one")
    assert finding.severity == "warning"
    assert finding.what.startswith("train: 1 examples have")
    assert said in finding.what


def test_equal_labels_do_not_conflict() -> None:
    for first, second in (
        (text(0, ("a", "b")), text(0, ("b", "a"))),
        (text(0, 1.0), text(0, 1.05)),
        (text(0, None), text(0, "a")),
        (question(0), question(0, impossible=True)),
    ):
        found = examine([first, second, text(1, 2.0)], {})
        assert not any("another label" in finding.what for finding in found)


def test_blank_texts_are_named() -> None:
    finding = about(examine([*good(), text(7, "a", "\t ")], {}), "blank text")
    assert (finding.severity, finding.what) == (
        "error",
        "train: 1 examples have a blank text, first x.tsv:7",
    )


def together(number: int, *texts: str, label: Any = None) -> EmbeddingExample:
    return EmbeddingExample(str(number), texts, label, f"x.jsonl:{number}")


def test_texts_that_belong_together_are_examined(tokenizer: Tokenizer) -> None:
    pairs = [
        together(i, f"the cat {LETTERS[i // 5]} {LETTERS[i % 5]}", "the cat") for i in range(30)
    ]
    assert [one.severity for one in examine(pairs, {}, tokenizer, 64)] == ["note"]
    assert "none is cut" in examine(pairs, {}, tokenizer, 64)[0].why
    long = [*pairs, together(30, "the cat", "cat " * 40, " ")]
    found = examine(long, {"test": pairs[:3]}, tokenizer, 24)
    assert about(found, "blank text").severity == "error"
    assert "the longest has 42" in about(found, "longer than").what  # of the longest text alone
    about(found, "test: 3 of 3 examples (100.0%) stand in train too")


def test_an_anchor_with_its_positive_is_the_same_beside_other_negatives() -> None:
    train = [together(i, f"cat {i}", f"dog {i}", f"a {i}") for i in range(30)]
    train.append(together(30, "cat 1", "dog 1", "another"))  # as many as there are negatives
    test = [
        together(0, "cat 0", "Dog 0", "b"),
        together(1, "dog 1", "cat 1", "b"),
        together(2, "cat 2", "dog 3", "b"),
    ]
    found = examine(train, {"test": test})
    assert problems(found) == [about(found, "stand in train too").what]
    about(found, "test: 2 of 3 examples (66.7%) stand in train too")


def test_scores_of_equal_texts_may_differ_a_little() -> None:
    scored = [together(i, f"cat {i}", "dog", label=str(i % 50 / 10)) for i in range(50)]
    near = together(50, "cat 49", "dog", label="4.8")
    far = together(51, "cat 49", "dog", label="1.2")
    said = about(examine([*scored, near, far], {}), "another label").what
    assert said.startswith("train: 1 examples")
    classes = [together(i, f"cat {i}", "dog", label="01"[i % 2]) for i in range(30)]
    assert "2 classes" in examine(classes, {})[0].what
    only = examine([together(i, f"cat {i}", "dog", label="1") for i in range(30)], {})
    assert about(only, "only one class").severity == "error"


def test_texts_longer_than_the_model_reads(tokenizer: Tokenizer) -> None:
    train = [*good(90), *(text(100 + i, "a", "cat " * (20 + i)) for i in range(10))]
    finding = about(examine(train, {}, tokenizer, 16), "longer than the 16 tokens")
    assert finding.severity == "warning"
    assert finding.what == (
        "train: 10.0% of the examples are longer than the 16 tokens that the model reads at "
        "once; the longest has 31"
    )
    assert "--max-length and --stride" in finding.fix
    pairs = [replace(example, text_pair="cat cat") for example in train]
    assert "the longest has 34" in about(examine(pairs, {}, tokenizer, 16), "longer than").what
    limited = tokenizer.with_max_length(16)
    assert about(examine(train, {}, limited), "longer than the 16 tokens") == finding
    assert not any("tokens" in finding.what for finding in examine(train, {}))


def test_unknown_tokens_are_named(tokenizer: Tokenizer) -> None:
    foreign = [text(200 + i, "a", "слово the cat") for i in range(10)]
    finding = about(examine([*good(90), *foreign], {}, tokenizer, 32), "unknown")
    assert finding.severity == "warning"
    assert finding.what == "train: 1.8% of the tokens are unknown ([UNK])"
    assert "unknown" not in str(examine(good(), {}, tokenizer, 32))


def test_answers_that_are_not_where_they_should_be() -> None:
    train = [question(0, Answer("cat", 4)), question(1, Answer("cat", 3)), question(2)]
    findings = examine(train, {})
    assert about(findings, "not where it should be (x.json:1)").severity == "error"
    assert "0.0% of the 3 questions are impossible" in about(findings, "impossible").what
    assert about(findings, "no label").what.startswith("train: 1 of 3 examples")


def test_illegal_tags_are_named_with_the_word() -> None:
    train = [*(tagged(i, "O B-x I-x O") for i in range(20)), tagged(21, "O I-x"), tagged(22, "I-x")]
    finding = about(examine(train, {}), "does not allow")
    assert finding.severity == "warning"
    assert finding.what == (
        "train: 2 of 22 sentences have tags that iob2 does not allow; first x.conll:21, word 2 "
        '("x"): `I-x` after `O`'
    )
    assert "--scheme" in finding.fix
    bioes = [tagged(i, "B-x E-x S-x") for i in range(20)]
    assert "does not allow" not in str(examine(bioes, {}))
    broken = about(examine([*bioes, tagged(30, "O B-x")], {}), "does not allow")
    assert "1 of 21 sentences" in broken.what
    assert broken.what.endswith('word 2 ("x"): `B-x` at the end')
    mixed = about(examine(train, {"test": bioes}), "different schemes")
    assert mixed.what == "the splits' tags follow different schemes: train iob2, test bioes"


def written(folder: Path, name: str, *lines: str) -> Path:
    (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder / name


def found_in(path: Path, *, as_words: bool) -> list[Finding]:
    read: Callable[..., Any] = read_tagged if as_words else read_texts
    with Rejects(1.0) as rejects:
        return examine(list(read(path, LabelledConfig(), rejects)), {})


def test_texts_read_as_words_are_named(tmp_path: Path) -> None:
    lines = [f"the film number {i} was good\tpositive" for i in range(60)]

    for blank in ("", "\n"):
        path = written(tmp_path, "texts.tsv", *(line + blank for line in lines))
        finding = about(found_in(path, as_words=True), "60 of 60 words are whole texts")
        assert finding.severity == "warning"
        assert 'first "the film number 0 was good"' in finding.what
        assert "unmask finetune classification" in finding.fix


@pytest.mark.parametrize(("number", "is_named"), [(600, True), (40, False)])
def test_a_file_of_one_endless_sentence_is_named(
    tmp_path: Path, number: int, is_named: bool
) -> None:
    path = written(tmp_path, "words.conll", *(f"word{i}\tO" for i in range(number)))

    told = [f for f in found_in(path, as_words=True) if "are one sentence" in f.what]

    assert [f.fix for f in told] == ["write a blank line after each sentence"] * is_named


def test_words_read_as_texts_are_named(tmp_path: Path) -> None:
    lines = [f"word{i}\t{'B-x' if i % 9 == 0 else 'O'}" + "\n" * (i % 12 == 11) for i in range(90)]
    path = written(tmp_path, "words.tsv", *lines)

    finding = about(found_in(path, as_words=False), "this looks like a file of tagged words")

    assert finding.severity == "warning"
    assert "90 of the first 90 texts are single words" in finding.what
    assert "unmask finetune tagging" in finding.fix


def test_what_is_as_it_is_read_is_not_suspected(tmp_path: Path) -> None:
    names = written(tmp_path, "names.tsv", *(f"name{i}\t{'ab'[i % 2]}" for i in range(90)))
    blank = (f"a film {i}\t{'ab'[i % 2]}" + "\n" * (i % 9 == 0) for i in range(90))
    texts = written(tmp_path, "texts.tsv", *blank)
    words = (f"10 000 00{i % 9}\tO" + "\n" * (i % 9 == 0) for i in range(90))
    numbers = written(tmp_path, "numbers.conll", *words)

    for path, as_words in ((names, False), (texts, False), (numbers, True)):
        found = found_in(path, as_words=as_words)
        suspected = ("whole texts", "one sentence", "looks like")
        assert not [f for f in found if any(words in f.what for words in suspected)]


def test_parts_of_speech_are_no_spans() -> None:
    train = [tagged(i, "NOUN VERB") for i in range(20)]
    assert problems(examine(train, {})) == []
    foreign = [*(tagged(i, "O B-x") for i in range(20)), tagged(21, "O PER")]
    assert about(examine(foreign, {}), "tag `PER` stands beside `O`").severity == "error"


def test_choices_whose_answer_is_always_the_first() -> None:
    train = [ChoiceExample(str(i), f"t{i}", ("a", "b"), 0, f"x:{i}") for i in range(9)]
    finding = about(examine(train, {}), "number 0 in all examples")
    assert finding.severity == "error"
    shuffled = [replace(example, label=i % 2) for i, example in enumerate(train)]
    assert problems(examine(shuffled, {})) == []


def test_reading_is_examined_too(
    write: Callable[[str, bytes | str], Path], read: Callable[..., tuple[list[Any], Rejects]]
) -> None:
    path = write("a.tsv", "gold_label\tsentence\n1\ta\n-\tb\n1\n")
    _, rejects = read(read_texts, path)
    first, second = examine_reading("train", rejects, 0.001)
    assert (first.severity, second.severity) == ("warning", "note")
    assert first.what == (
        f"train: 1 of 3 records cannot be read (missing column; first {path}:4: missing column: "
        "1 fields, expected 2 as in line 1)"
    )
    assert second.what == "train: 1 examples left out, without a label"


def test_every_kind_of_reject_names_its_first_place(
    write: Callable[[str, bytes | str], Path], read: Callable[..., tuple[list[Any], Rejects]]
) -> None:
    path = write("a.tsv", "text\tlabel\na\t1\n" + "b\n" * 4 + "c\t\n")
    _, rejects = read(read_texts, path)
    first, second = examine_reading("train", rejects, 0.001)
    assert f"first {path}:3: missing column" in first.what
    assert f"first {path}:7: no label" in second.what


def test_half_a_million_examples_take_seconds(tokenizer: Tokenizer) -> None:
    some = good(1000)
    train = [replace(some[i % 1000], text=f"{some[i % 1000].text} {i}") for i in range(200_000)]
    start = time.process_time()
    findings = examine(train, {"test": train[:2000]}, tokenizer, 32)
    assert time.process_time() - start < 20  # about 1.5 s alone on a core
    assert "(of 10,000 looked at)" in about(findings, "train: the longest").what
    assert "2,000 of 2,000 examples (100.0%) stand in train too" in str(findings)


def test_a_text_of_a_million_characters_is_measured(tokenizer: Tokenizer) -> None:
    train = [*good(), text(300, "a", "cat " * 250_000)]
    findings = examine(train, {}, tokenizer, 32)
    assert "the longest has 250,002" in about(findings, "longer than").what
