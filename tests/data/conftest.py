"""A tiny tokenizer and texts for the tests of the data room."""

from __future__ import annotations

import string
from collections.abc import Callable
from pathlib import Path

import pytest

from unmask.data.config import CorpusConfig, ReaderConfig
from unmask.data.corpus import read
from unmask.data.rejects import Reject, Rejects
from unmask.text.tokenizer import Tokenizer

SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
PIECES = [*string.ascii_lowercase, *string.digits, *string.punctuation]
WORDS = ["the", "cat", "sat", "on", "mat", "dog", "ran", "away", "##s", "##ing", "and", "so"]


def write_vocabulary(path: Path, tokens: list[str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{token}\n" for token in tokens), encoding="utf-8")
    return path


@pytest.fixture
def tokenizer(tmp_path: Path) -> Tokenizer:
    continued = [f"##{letter}" for letter in string.ascii_lowercase if letter != "s"]
    tokens = [*SPECIALS, *PIECES, *continued, *WORDS]
    return Tokenizer.load(write_vocabulary(tmp_path / "tokenizer" / "vocab.txt", tokens))


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, bytes | str], Path]:
    """Writes a file under a folder of texts, and gives that folder."""

    def write(name: str, content: bytes | str) -> Path:
        path = tmp_path / "texts" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return tmp_path / "texts"

    return write


Reading = Callable[..., tuple[list[str], list[Reject]]]


@pytest.fixture
def reading() -> Reading:
    """Reads paths as texts, and gives the (first three) rejects."""

    def reading(*paths: Path | str, **settings: object) -> tuple[list[str], list[Reject]]:
        rejects = Rejects(0.001)
        config = ReaderConfig.model_validate(settings)
        documents = list(read(paths, config, rejects))
        assert rejects.num_records == len(rejects) + len(documents) or config.documents == "file"
        return documents, rejects.first

    return reading


@pytest.fixture
def config() -> CorpusConfig:
    return CorpusConfig()
