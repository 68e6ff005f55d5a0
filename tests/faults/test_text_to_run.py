"""Pretraining straight from text, with a vocabulary."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

Make = Callable[..., Any]


def test_text_with_a_vocabulary_gives_the_run_of_its_corpus(
    pretraining: Make, command: Any, material: Any, tmp_path: Path
) -> None:
    ended = command(
        *("corpus", material.texts, "--tokenizer", material.tokenizer),
        *("--output", tmp_path / "corpus"),
    )
    assert ended.exit_code == 0, ended.stderr
    by_corpus = pretraining("by-corpus", corpus=tmp_path / "corpus", train__steps=4)
    by_text = pretraining(
        "by-text", corpus=material.texts, tokenizer=material.tokenizer, train__steps=4
    )

    assert by_corpus().exit_code == 0
    assert by_text().exit_code == 0

    assert by_text.hashes() == by_corpus.hashes()


def test_a_run_from_text_resumes_without_the_text(
    pretraining: Make, material: Any, tmp_path: Path
) -> None:
    texts = tmp_path / "texts"
    shutil.copytree(material.texts, texts)
    flags = {"corpus": texts, "tokenizer": material.tokenizer}
    run = pretraining(**flags, train__steps=4)
    assert run().exit_code == 0
    shutil.rmtree(texts)

    assert run(resume=True).exit_code == 0


def test_text_without_a_vocabulary_says_what_is_missing(pretraining: Make, material: Any) -> None:
    run = pretraining(corpus=material.texts)

    ended = run()

    assert ended.exit_code == 3
    assert "--tokenizer" in ended.message()
    assert not run.folder.exists()


def test_a_corpus_with_a_second_vocabulary_is_refused(pretraining: Make, material: Any) -> None:
    ended = pretraining(tokenizer=material.tokenizer)()

    assert ended.exit_code == 2
    assert "leave out --tokenizer" in ended.message()


def test_text_prepared_with_another_vocabulary_is_refused(
    pretraining: Make, command: Any, material: Any, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    ended = command("tokenizer", material.texts, "--vocab-size", 250, "--output", other)
    assert ended.exit_code == 0, ended.stderr
    run = pretraining(corpus=material.texts, tokenizer=material.tokenizer, train__steps=4)
    assert run().exit_code == 0

    ended = run(tokenizer=other, resume=True)

    assert ended.exit_code == 2
    assert "another tokenizer" in ended.message()
