from __future__ import annotations

import os
from pathlib import Path

import pytest

from unmask.text.config import TokenizerConfig
from unmask.text.special import SpecialTokens
from unmask.text.tokenizer import Tokenizer
from unmask.text.wordpiece import build

TEXT = """
[PAD] [UNK] [CLS] [SEP] [MASK] the cat sat un ##believ ##able ##s caf ##e ##é é a b c d e f g
##a ##b ##c ##d ##2 . , ! ? ' ’ “ ” — … - [ ] ( ) # ## mask sep cls pad unk ##k cl 中 文 가 각
π Π i ##i n ##n Ä ä ss ß ##ß 1 ##2 € ½ ² 😀 The Cat
"""
PIECES = TEXT.split()


@pytest.fixture(scope="session")
def tokenizer() -> Tokenizer:
    return small_tokenizer(lowercase=True)


def small_tokenizer(*, lowercase: bool) -> Tokenizer:
    vocabulary = {piece: i for i, piece in enumerate(dict.fromkeys(PIECES))}
    special = SpecialTokens()
    return Tokenizer(build(vocabulary, TokenizerConfig(lowercase=lowercase), special), special)


@pytest.fixture(scope="session")
def bert_vocabulary() -> Path:
    file = Path(os.environ.get("UNMASK_DATA", "")) / "bert-assets" / "bert-base-uncased-vocab.txt"
    if not os.environ.get("UNMASK_DATA") or not file.is_file():
        pytest.skip("UNMASK_DATA names no folder with bert-assets/bert-base-uncased-vocab.txt")
    return file


@pytest.fixture(scope="session")
def gpt2_vocabulary() -> Path:
    folder = Path(os.environ.get("UNMASK_DATA", "")) / "gpt2-bpe"
    if not os.environ.get("UNMASK_DATA") or not (folder / "encoder.json").is_file():
        pytest.skip("UNMASK_DATA names no folder with gpt2-bpe/encoder.json")
    return folder
