"""A tiny sentence encoder in training, with examples for every loss."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from unmask.checkpoint.assemble import assemble
from unmask.data.labelled.examples import EmbeddingExample
from unmask.data.planned import PlannedSource
from unmask.models.config import BertConfig
from unmask.nn.init import initialise
from unmask.tasks.embedding import Embedding
from unmask.tasks.embedding_config import EmbeddingConfig
from unmask.tasks.sentence import HEAD, build
from unmask.tasks.siamese import Siamese
from unmask.text.config import TokenizerConfig
from unmask.text.train import train_wordpiece

WORDS = ["river", "forest", "tower", "market", "garden", "house", "animal", "winter", "paper"]
SIZES = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 40,
    "initializer_range": 0.3,
}
TEXTS = {"triplet": 3, "margin-mse": 3, "kl-divergence": 3, "multiple-negatives-ranking": 3,
         "simcse": 1}  # fmt: skip
LOSSES = (
    "softmax",
    "cosine-similarity",
    "contrastive",
    "online-contrastive",
    "triplet",
    "multiple-negatives-ranking",
    "simcse",
    "cosent",
    "angle",
    "margin-mse",
    "kl-divergence",
)


def examples(loss: str, number: int = 24) -> list[EmbeddingExample]:
    """Texts of uneven length with labels that the loss takes."""
    draw = np.random.default_rng(0)

    def text() -> str:
        return " ".join(draw.choice(WORDS, size=int(draw.integers(1, 12))).tolist())

    def label() -> Any:
        if loss in ("contrastive", "online-contrastive"):
            return str(draw.integers(0, 2))
        if loss == "softmax":
            return str(draw.choice(["entailment", "neutral", "contradiction"]))
        if loss in ("cosine-similarity", "cosent", "angle"):
            return f"{draw.random():.3f}"
        if loss == "margin-mse":
            return (float(draw.normal()),)
        return (float(draw.normal()), float(draw.normal())) if loss == "kl-divergence" else None

    return [
        EmbeddingExample(
            str(i), tuple(f"{i} {text()}" for _ in range(TEXTS.get(loss, 2))), label(), f"x:{i}"
        )
        for i in range(number)
    ]


def parts(loss: str, batch_size: int = 8, dropout: float = 0.0, **settings: Any) -> dict[str, Any]:
    """What `rehearse` takes."""
    some = examples(loss)
    text = [" ".join(WORDS), " ".join("0123456789")] * 4
    tokenizer = train_wordpiece(text, TokenizerConfig(vocab_size=70, min_frequency=1))
    config = BertConfig.model_validate({**SIZES, "vocab_size": tokenizer.vocab_size})
    config = config.with_dropout(dropout)
    task = Embedding.begin(EmbeddingConfig.model_validate({"loss": loss, **settings}), some)
    torch.manual_seed(0)
    task = task.standing_on(None, config.hidden_size)
    model = assemble(config, ())
    initialise(model, config.initializer_range, torch.Generator().manual_seed(1))
    model.heads[HEAD] = build(task.config, config.hidden_size)
    source = PlannedSource(task.groups(some, tokenizer, 40), batch_size)
    return {
        "model": Siamese(model, task.losses),
        "task": task,
        "source": source,
        "transform": lambda batch, *_: batch,
        "measure": lambda _: {},
    }
