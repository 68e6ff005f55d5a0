"""A tiny encoder that was never trained, with a tokenizer for a few words."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from unmask.checkpoint.bundle import Bundle
from unmask.models.config import BertConfig
from unmask.tasks.task import Model
from unmask.text.config import TokenizerConfig
from unmask.text.train import train_wordpiece

LONGEST = 48
WORDS = "the film was good bad fine poor seen Paris rain river Nile flows north asks which ."


@pytest.fixture
def base(make_model: Callable[..., Model]) -> Bundle:
    """Reads at most `LONGEST` tokens."""
    tokenizer = train_wordpiece([WORDS] * 4, TokenizerConfig(vocab_size=64, min_frequency=1))
    config = BertConfig(
        vocab_size=64,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=LONGEST,
    )
    model = make_model(max_position_embeddings=LONGEST, noise=0.2).eval()
    return Bundle(model, None, tokenizer, config, None)
