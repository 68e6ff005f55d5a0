"""Files to answer about are read as in training; where there are only texts, these are split."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from unmask.checkpoint.bundle import Bundle
from unmask.data.labelled.config import LabelledConfig
from unmask.data.labelled.files import BLANK
from unmask.data.rejects import Rejects
from unmask.errors import DataError, UsageError
from unmask.infer.engine import Engine
from unmask.infer.files import examples_of, texts_in
from unmask.tasks.classification import Classification
from unmask.tasks.tagging import Tagging

CONLL = "the\tX\tO\ncat-like\tX\tB-x\n\nParis\tX\tB-x\n"
LISTS = '["the", "cat-like"]'
Read = Callable[..., list[tuple[str, Any]]]


@pytest.fixture
def rejects() -> Rejects:
    return Rejects(0.001)


@pytest.fixture
def tagger(engine: Engine) -> Bundle:
    return replace(engine.bundle, task=Tagging.foreign(("O", "B-x", "I-x")))


@pytest.fixture
def classifier(engine: Engine) -> Bundle:
    return replace(engine.bundle, task=Classification.foreign(("no", "yes"), None))


@pytest.fixture
def read(tmp_path: Path, rejects: Rejects) -> Read:
    """What is asked about a file of this name and content, by these settings."""

    def read(bundle: Bundle, name: str, content: str, **settings: Any) -> list[tuple[str, Any]]:
        path = tmp_path / name
        path.write_text(content, encoding="utf-8")
        config = LabelledConfig.model_validate(settings)
        return list(examples_of(bundle, path, config, rejects))

    return read


def words(example: Any) -> list[str]:
    return [example.text[start:end] for start, end in example.words]


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("a.conll", {}),
        ("a.tsv", {}),
        ("a.annotated", {}),
        ("a", {}),
        ("a.txt", {"format": "conll"}),
        ("a.tsv", {"columns": {"words": 0, "tags": 1}}),
    ],
)
def test_what_training_reads_as_a_word_a_line_has_its_words(
    name: str, settings: dict[str, Any], tagger: Bundle, read: Read
) -> None:
    first, second = read(tagger, name, CONLL, **settings)

    assert (first[0], words(first[1]), first[1].tags) == ("1", ["the", "cat-like"], None)
    assert (second[0], words(second[1])) == ("4", ["Paris"])


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", 'tokens\n"[""the"", ""cat-like""]"\n'),
        ("a.tsv", f"id\ttokens\n1\t{LISTS}\n"),
        ("a.jsonl", f'{{"tokens": {LISTS}}}\n'),
        ("a.json", f'[{{"words": {LISTS}, "tags": ["O", "O"]}}]'),
    ],
)
def test_tables_of_words_have_their_words(
    name: str, content: str, tagger: Bundle, read: Read
) -> None:
    ((_, example),) = read(tagger, name, content)

    assert words(example) == ["the", "cat-like"]


@pytest.mark.parametrize(
    ("name", "content", "settings"),
    [
        ("a.txt", "the cat-like\n", {}),
        ("a.csv", "text\nthe cat-like\n", {}),
        ("a.tsv", "id\ttext\n1\tthe cat-like\n", {}),
        ("a.tsv", "id\tbody\n1\tthe cat-like\n", {"columns": {"text": "body"}}),
        ("a.jsonl", f'{{"text": "the cat-like", "tokens": {LISTS}}}\n', {}),
    ],
)
def test_texts_are_split_into_words_by_the_tokenizer(
    name: str, content: str, settings: dict[str, Any], tagger: Bundle, read: Read
) -> None:
    ((_, example),) = read(tagger, name, content, **settings)

    assert words(example) == ["the", "cat", "-", "like"]


def test_words_in_parquet(tagger: Bundle, tmp_path: Path, rejects: Rejects) -> None:
    path = tmp_path / "a.parquet"
    parquet.write_table(pa.table({"tokens": [["the", "cat-like"]]}), path)

    ((_, example),) = examples_of(tagger, path, LabelledConfig(), rejects)

    assert words(example) == ["the", "cat-like"]


def test_lines_of_text_are_named_by_their_numbers_and_blank_ones_counted(
    classifier: Bundle, read: Read, rejects: Rejects, caplog: pytest.LogCaptureFixture
) -> None:
    found = read(classifier, "a.txt", "one\n\n  \r\ntwo\tmore\r\n")

    assert [(name, example.text) for name, example in found] == [("1", "one"), ("4", "two\tmore")]
    assert (rejects.notes, rejects.num_records, len(rejects)) == ({BLANK: 2}, 4, 0)
    assert "a.txt: 2 examples left out, being blank lines" in caplog.text


def test_the_last_ending_says_what_a_file_is(
    classifier: Bundle, tmp_path: Path, rejects: Rejects
) -> None:
    path = tmp_path / "a.txt.jsonl"
    path.write_text('{"text": "the cat"}\n')

    ((_, example),) = examples_of(classifier, path, LabelledConfig(), rejects)
    (text,) = texts_in(path, LabelledConfig(), rejects)

    assert example.text == text.text == "the cat"


def test_a_text_file_is_a_table_if_that_is_said(classifier: Bundle, read: Read) -> None:
    content = "n\ttext\n7\tone\n"
    assert len(read(classifier, "a.txt", content)) == 2
    ((name, example),) = read(classifier, "a.txt", content, format="tsv", columns={"id": "n"})
    assert (name, example.text) == ("7", "one")


def test_columns_of_lines_of_text_are_refused(classifier: Bundle, read: Read) -> None:
    with pytest.raises(UsageError, match=r"a\.txt: is read as one text per line.* --data\.format"):
        read(classifier, "a.txt", "n\ttext\n", columns={"text": "text"})


def test_a_file_of_blank_lines_holds_no_examples(classifier: Bundle, read: Read) -> None:
    with pytest.raises(DataError, match="holds no examples; 2 left out, being blank lines"):
        read(classifier, "a.txt", "\n\n")
