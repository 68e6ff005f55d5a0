"""A tiny model with a tokenizer."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path

import pytest
import torch

from unmask.checkpoint.assemble import assemble, task_of
from unmask.checkpoint.bundle import Bundle
from unmask.models.config import BertConfig
from unmask.nn.init import initialise
from unmask.text.tokenizer import Tokenizer

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "whale", "sea", "##s", "."]


@pytest.fixture
def tokenizer(tmp_path: Path) -> Tokenizer:
    folder = tmp_path / "tokenizer"
    folder.mkdir()
    (folder / "vocab.txt").write_text("\n".join(WORDS) + "\n")
    return Tokenizer.load(folder)


@pytest.fixture
def make_bundle(tokenizer: Tokenizer) -> Callable[..., Bundle]:
    """A bundle with the given heads; another seed gives other weights."""

    def make(
        heads: Collection[str] = ("mlm",),
        seed: int = 0,
        tokenizer: Tokenizer | None = tokenizer,
        vocab_size: int = 12,
    ) -> Bundle:
        config = BertConfig(
            vocab_size=vocab_size,
            hidden_size=8,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=16,
            max_position_embeddings=16,
        )
        model = assemble(config, heads)
        initialise(model, config.initializer_range, torch.Generator().manual_seed(seed))
        model.encoder.embedding.norm.bias.data.fill_(0.5)
        return Bundle(model, task_of(heads), tokenizer, config, None)

    return make
