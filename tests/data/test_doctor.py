"""The doctor names what will hurt, with figures and a fix, and is silent about a good corpus."""

from __future__ import annotations

import json
import random
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from unmask.data import doctor
from unmask.data.config import CorpusConfig, ReaderConfig
from unmask.data.doctor import examine_corpus
from unmask.data.finding import Finding
from unmask.data.prepare import prepare
from unmask.errors import DataError
from unmask.text.tokenizer import Tokenizer

Write = Callable[[str, bytes | str], Path]


def sentence(rng: random.Random, num_words: int = 12) -> str:
    return "".join(rng.choices("abcdefgh ", k=num_words * 4)).strip().capitalize() + ". "


def good_text(num_sentences: int = 400) -> str:
    rng = random.Random(3)
    return "".join(sentence(rng) for _ in range(num_sentences))


@pytest.fixture
def examine(write: Write, tmp_path: Path, tokenizer: Tokenizer) -> Callable[..., list[Finding]]:
    def examine(text: str, config: CorpusConfig | None = None) -> list[Finding]:
        folder = write("a.txt", text)
        prepare([folder], tokenizer, tmp_path / "out", config or CorpusConfig())
        return examine_corpus(tmp_path / "out")

    return examine


def about(findings: list[Finding], words: str) -> Finding:
    (finding,) = (finding for finding in findings if words in finding.what)
    return finding


def test_a_good_corpus_gives_only_its_entropy(examine: Callable[..., list[Finding]]) -> None:
    (finding,) = examine(good_text())
    assert finding.severity == "note"
    assert finding.what.startswith("the unigram entropy is 2.")
    assert "too few steps, no warm-up, or labels" in finding.why


def test_repeated_sentences_are_named(examine: Callable[..., list[Finding]]) -> None:
    finding = about(examine(good_text() + "All rights of the owner kept. " * 90), "repeat")
    assert finding.severity == "warning"
    assert '90 times "all rights of the owner kept."' in finding.what
    assert "--filters.max-repeated-lines" in finding.fix
    assert " 1 times" not in finding.what


def test_repeats_are_found_across_pieces_and_shards(
    examine: Callable[..., list[Finding]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "_PIECE_TOKENS", 50)
    config = CorpusConfig(reader=ReaderConfig(documents="block"), shard_tokens=300)
    blocks = [good_text(20), "A footer with some words in it. ", "x" * 90] * 40
    finding = about(examine("\n\n".join(blocks), config), "sentences that repeat")
    assert "40 times" in finding.what


def test_repeated_lines_are_named_however_short_and_without_a_full_stop(
    examine: Callable[..., list[Finding]],
) -> None:
    pages = [f"{good_text()[i * 100 : i * 100 + 100]}\nPage of a book\n" for i in range(60)]
    finding = about(examine("".join(pages)), "lines that repeat")
    assert finding.severity == "warning"
    assert finding.what.startswith("11.") or finding.what.startswith("12.")
    assert '60 times "Page of a book"' in finding.what
    assert " 1 times" not in finding.what


@pytest.mark.parametrize("report", [None, "{}", "[]", '{"repeated_line_rate": "x"}', "\xff"])
def test_a_report_that_tells_nothing_about_lines_is_a_note(
    examine: Callable[..., list[Finding]], tmp_path: Path, report: str | None
) -> None:
    examine(good_text())
    path = tmp_path / "out" / "report.json"
    path.unlink()
    if report is not None:
        path.write_text(report, encoding="latin-1")
    finding = about(examine_corpus(tmp_path / "out"), "does not tell how many lines repeat")
    assert finding.severity == "note"


def test_a_tokenizer_that_cannot_be_read_is_an_error_and_the_rest_is_examined(
    examine: Callable[..., list[Finding]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    examine("The cat sat. " + "All rights of the owner kept. " * 90)

    def broken(path: Path) -> Tokenizer:
        raise DataError(f"{path}: broken")

    monkeypatch.setattr(doctor.Tokenizer, "load", broken)
    first, second = examine_corpus(tmp_path / "out")
    assert first.severity == "error"
    assert "the tokenizer cannot be read" in first.what
    assert "for a vocabulary of" in second.what


def test_short_sentences_may_repeat(examine: Callable[..., list[Finding]]) -> None:
    assert len(examine(good_text() + "The dog ran. " * 200)) == 1


def test_many_unknown_tokens_are_a_warning(examine: Callable[..., list[Finding]]) -> None:
    finding = about(examine(good_text() + "字 " * 400), "unknown")
    assert finding.severity == "warning"
    assert "[UNK]" in finding.what


def test_little_text_for_the_vocabulary_is_a_warning(examine: Callable[..., list[Finding]]) -> None:
    assert "for a vocabulary of" in about(examine("The cat sat."), "vocabulary").what


def test_short_documents_are_a_warning(examine: Callable[..., list[Finding]]) -> None:
    config = CorpusConfig(reader=ReaderConfig(documents="line"))
    text = good_text().replace(". ", ".\n")
    finding = about(examine(text.replace(" ", "\n"), config), "half of the")
    assert "--reader.documents file" in finding.fix


def test_a_damaged_shard_is_an_error_and_nothing_else_is_said(
    examine: Callable[..., list[Finding]], tmp_path: Path
) -> None:
    examine(good_text())
    path = tmp_path / "out" / "shard-00000.tokens"
    content = bytearray(path.read_bytes())
    content[100] ^= 4
    path.write_bytes(content)
    (finding,) = examine_corpus(tmp_path / "out")
    assert finding.severity == "error"
    assert "shard-00000.tokens: damaged" in finding.what
    assert re.fullmatch(
        r"\S+shard-00000\.tokens: damaged, its sha256 is \S+ expected \S+", finding.what
    )
    assert finding.fix == "copy the corpus again, or prepare it again"


def test_a_folder_that_is_no_corpus_is_an_error(tmp_path: Path) -> None:
    (finding,) = examine_corpus(tmp_path)
    assert "not a corpus" in finding.what


def rewrite_tokenizer(folder: Path, tokenizer: Tokenizer, *, claim: bool) -> None:
    """Puts another tokenizer into a corpus, with a manifest that fits its files."""
    from unmask.data.manifest import describe

    shutil.rmtree(folder / "tokenizer")
    tokenizer.save(folder / "tokenizer")
    manifest = json.loads((folder / "manifest.json").read_text())
    for path in (folder / "tokenizer").iterdir():
        manifest["files"][f"tokenizer/{path.name}"] = describe(path).model_dump()
    if claim:
        manifest["tokenizer_sha256"] = tokenizer.sha256
    (folder / "manifest.json").write_text(json.dumps(manifest))


@pytest.mark.parametrize("claim", [False, True])
def test_the_tokenizer_must_be_the_one_and_have_a_mask(
    examine: Callable[..., list[Finding]], tmp_path: Path, tokenizer: Tokenizer, claim: bool
) -> None:
    examine(good_text())
    tokens = [token.replace("[MASK]", "maskless") for token in tokenizer.vocabulary()]
    (tmp_path / "vocab.txt").write_text("".join(f"{token}\n" for token in tokens))
    other = Tokenizer.load(tmp_path / "vocab.txt")
    rewrite_tokenizer(tmp_path / "out", other, claim=claim)
    first = examine_corpus(tmp_path / "out")[0]
    assert first.severity == "error"
    assert ("no mask token" if claim else "not the one that made the ids") in first.what
