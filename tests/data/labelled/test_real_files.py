"""The published files are read whole, by their documented number of examples."""

from __future__ import annotations

import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from unmask.data.labelled.reading import read_questions, read_tagged, read_texts

Real = Callable[[str], Path]
Read = Callable[..., tuple[list[Any], Any]]

STSB = {
    "labels": "number",
    "label_range": (0, 5),
    "columns": {"text": 0, "text_pair": 1, "label": 2},
}
TEXTS: list[tuple[str, int, dict[str, int] | None, dict[str, Any]]] = [
    ("sst2/sentences/train.tsv", 6920, {"1": 3610, "0": 3310}, {}),
    ("sst2/sentences/dev.tsv", 872, {"1": 444, "0": 428}, {}),
    ("sst2/sentences/test.tsv", 1821, {"0": 912, "1": 909}, {}),
    ("sst2/phrases-glue/train.tsv.gz", 60614, {"1": 33828, "0": 26786}, {}),
    ("sst2/phrases-glue/dev.tsv", 6735, {"1": 3741, "0": 2994}, {}),
    ("sst2/phrases-glue/test.tsv", 872, {"1": 444, "0": 428}, {}),
    ("mrpc/msr_paraphrase_train.txt", 4076, {"1": 2753, "0": 1323}, {}),
    ("mrpc/msr_paraphrase_test.txt", 1725, {"1": 1147, "0": 578}, {}),
    ("rte/train.tsv", 2490, {"entailment": 1249, "not_entailment": 1241}, {}),
    ("rte/dev.tsv", 277, {"entailment": 146, "not_entailment": 131}, {}),
    ("rte/test.tsv", 3000, None, {"labels": "none"}),
    ("snli/validation.tsv.gz", 9842, {"0": 3329, "2": 3278, "1": 3235}, {}),
    ("snli/test.tsv.gz", 9824, {"0": 3368, "2": 3237, "1": 3219}, {}),
    ("stsb/stsb-en-train.csv", 5749, None, STSB),
    ("stsb/stsb-en-dev.csv", 1500, None, STSB),
    ("stsb/stsb-en-test.csv", 1379, None, STSB),
    # The documents say 10,000; the file has one more line, as good as the others.
    (
        "agnews/dev.tsv.gz",
        10001,
        {"Sci/Tech": 2538, "World": 2509, "Business": 2496, "Sports": 2458},
        {},
    ),
    (
        "agnews/test.tsv.gz",
        7600,
        {"Business": 1900, "Sci/Tech": 1900, "Sports": 1900, "World": 1900},
        {},
    ),
    (
        "agnews/official_test.csv.gz",
        7600,
        {"1": 1900, "2": 1900, "3": 1900, "4": 1900},
        {"columns": {"text": (1, 2), "label": 0}},
    ),
]
PAIRED = ("mrpc", "rte", "snli", "stsb")


@pytest.mark.parametrize(("name", "number", "labels", "settings"), TEXTS)
def test_every_text_is_read_with_its_label(
    real: Real,
    read: Read,
    name: str,
    number: int,
    labels: dict[str, int] | None,
    settings: dict[str, Any],
) -> None:
    examples, rejects = read(read_texts, real(name), **settings)
    assert len(examples) == rejects.num_records == number
    assert len(rejects) == 0
    assert len({example.id for example in examples}) == number
    is_paired = name.split("/")[0] in PAIRED
    assert {example.text_pair is not None for example in examples} == {is_paired}
    if labels is not None:
        assert Counter(example.label for example in examples) == labels
    elif settings.get("labels") == "number":
        assert {type(example.label) for example in examples} == {float}
        assert min(example.label for example in examples) == 0.0
        assert max(example.label for example in examples) == 5.0
    else:
        assert {example.label for example in examples} == {None}


def test_quotes_in_glue_files_are_text(real: Real, read: Read) -> None:
    examples, _ = read(read_texts, real("mrpc/msr_paraphrase_train.txt"))
    assert examples[0].text.endswith(
        'accused his brother, whom he called "the witness", of '
        "deliberately distorting his evidence."
    )
    assert examples[0].place.endswith("msr_paraphrase_train.txt:2")
    assert sum(example.text.startswith('"') for example in examples) > 300


@pytest.mark.parametrize(
    ("name", "number", "acceptable"),
    [("in_domain_train", 8551, 6023), ("in_domain_dev", 527, 365), ("out_of_domain_dev", 516, 354)],
)
@pytest.mark.parametrize("folder", ["raw", "tokenized"])
def test_cola_is_recognised_without_a_header(
    real: Real, read: Read, tmp_path: Path, folder: str, name: str, number: int, acceptable: int
) -> None:
    with zipfile.ZipFile(real("cola/cola_public.zip")) as archive:
        path = Path(archive.extract(f"cola_public/{folder}/{name}.tsv", tmp_path))
    examples, rejects = read(read_texts, path)
    assert (len(examples), len(rejects)) == (number, 0)
    assert Counter(example.label for example in examples)["1"] == acceptable
    grouped, _ = read(read_texts, path, columns={"text": 3, "label": 1, "group": 0})
    assert [example.text for example in grouped] == [example.text for example in examples]
    assert len({example.group for example in grouped}) > 3


@pytest.mark.parametrize(
    ("name", "number", "num_words", "classes"),
    [
        ("ud-ewt/en_ewt-ud-train.conllu.gz", 12544, 204577, {"NOUN": 34751, "X": 400}),
        ("ud-ewt/en_ewt-ud-dev.conllu.gz", 2001, 25147, {"NOUN": 4210, "X": 59}),
        ("ud-ewt/en_ewt-ud-test.conllu.gz", 2077, 25094, {"NOUN": 4123, "X": 42}),
        ("wnut17/wnut17train.conll", 3394, 62730, {"B-person": 660, "I-corporation": 46}),
        ("wnut17/emerging.dev.conll", 1009, 15733, {"B-person": 470, "I-corporation": 12}),
        ("wnut17/emerging.test.annotated", 1287, 23394, {"B-person": 429, "I-corporation": 22}),
        ("ncbi-disease/train.tsv", 5424, 135701, {"B-Disease": 5134, "I-Disease": 6115}),
        ("ncbi-disease/devel.tsv", 923, 23969, {"B-Disease": 787, "I-Disease": 1090}),
        ("ncbi-disease/test.tsv", 940, 24497, {"B-Disease": 960, "I-Disease": 1087}),
    ],
)
def test_every_sentence_is_read_with_its_tags(
    real: Real, read: Read, name: str, number: int, num_words: int, classes: dict[str, int]
) -> None:
    examples, rejects = read(read_tagged, real(name))
    assert len(examples) == rejects.num_records == number
    assert (len(rejects), rejects.notes) == (0, Counter())
    assert sum(len(example.words) for example in examples) == num_words
    counts = Counter(tag for example in examples for tag in example.tags)
    assert counts.total() == num_words
    assert {label: counts[label] for label in classes} == classes
    for example in examples:
        end = 0
        for start, stop in example.words:
            assert end <= start < stop
            assert example.text[end:start].strip() == ""
            end = stop
        assert example.text[end:].strip() == ""


def test_hashtags_are_words(real: Real, read: Read) -> None:
    examples, _ = read(read_tagged, real("wnut17/wnut17train.conll"))
    words = [e.text[a:b] for e in examples for a, b in e.words]
    assert sum(word.startswith("#") for word in words) == 828


@pytest.mark.parametrize(
    ("name", "number", "impossible", "answered", "titles"),
    [("dev-v2.0.json", 6078, 3168, 2910, 16), ("test-v2.0.json", 5915, 0, 0, 20)],
)
def test_every_question_is_read_with_its_answers(
    real: Real, read: Read, name: str, number: int, impossible: int, answered: int, titles: int
) -> None:
    examples, rejects = read(read_questions, real(f"squad2-cs224n/{name}"))
    assert (len(examples), len(rejects), rejects.notes) == (number, 0, Counter())
    assert sum(example.is_impossible for example in examples) == impossible
    assert sum(bool(example.answers) for example in examples) == answered
    assert len({example.title for example in examples}) == titles
    for example in examples:
        for answer in example.answers:
            assert example.context[answer.start :].startswith(answer.text)
