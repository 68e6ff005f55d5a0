"""A tiny sentence encoder in training, with examples for every loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
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
from unmask.tasks.embedding_losses.registry import LOSSES
from unmask.tasks.sentence import HEAD, build
from unmask.tasks.siamese import Siamese
from unmask.text.config import TokenizerConfig
from unmask.text.tokenizer import Tokenizer
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
TEACHER_DIMENSION = 5
COUPLED = tuple(name for name, kind in LOSSES.items() if kind.scope == "batch")
MIXES = (("softmax", "cosent"), ("embedding-mse", "softmax", "multiple-negatives-ranking"))
"""Losses with weights of their own, and such as have none and couple the batch."""
_SETTINGS: dict[str, dict[str, Any]] = {"embedding-mse": {"teacher_dimension": TEACHER_DIMENSION}}
"""Without which a loss would have no weights."""
_NUM_TEXTS = {"multiple-negatives-ranking": 3, "embedding-mse": 2}
"""Where more than the least number shows more."""


def examples(loss: str, number: int = 24, data_set: int = 0) -> list[EmbeddingExample]:
    """Texts of uneven length with labels that the loss takes."""
    kind = LOSSES[loss]
    draw = np.random.default_rng(0)
    num_texts = _NUM_TEXTS.get(loss, kind.texts[0] // kind.passes)

    def text() -> str:
        return " ".join(draw.choice(WORDS, size=int(draw.integers(1, 12))).tolist())

    def label() -> Any:
        if kind.labels == "class":
            return str(draw.choice(["entailment", "neutral", "contradiction"]))
        if kind.labels == "score":
            is_binary = loss in ("contrastive", "online-contrastive")
            return str(draw.integers(0, 2)) if is_binary else f"{draw.random():.3f}"
        scores = num_texts - (2 if loss == "margin-mse" else 1)
        sizes = {"none": 0, "scores": scores, "vectors": TEACHER_DIMENSION}
        return tuple(draw.normal(size=sizes[kind.labels]).tolist()) or None

    return [
        EmbeddingExample(
            f"{data_set}-{i}",
            tuple(f"{i} {text()}" for _ in range(num_texts)),
            label(),
            f"x:{i}",
            None,
            data_set,
        )
        for i in range(number)
    ]


def words_tokenizer() -> Tokenizer:
    """Knows the words, and digits."""
    text = [" ".join(WORDS), " ".join("0123456789")] * 4
    return train_wordpiece(text, TokenizerConfig(vocab_size=70, min_frequency=1))


def parts(
    *losses: str, batch_size: int = 8, dropout: float = 0.0, **settings: Any
) -> dict[str, Any]:
    """What `rehearse` takes, for a data set of each loss."""
    some = [one for number, loss in enumerate(losses) for one in examples(loss, 24, number)]
    choices = [{"loss": loss, "loss_settings": _SETTINGS.get(loss, {})} for loss in losses]
    mix = [{**choice, "path": "x"} for choice in choices[1:]]
    tokenizer = words_tokenizer()
    config = BertConfig.model_validate({**SIZES, "vocab_size": tokenizer.vocab_size})
    config = config.with_dropout(dropout)
    wanted = EmbeddingConfig.model_validate({**choices[0], "mix": mix, **settings})
    task = Embedding.begin(wanted, some)
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


def trained(rehearse: Any, losses: Sequence[str], train: dict[str, Any], **more: Any) -> Any:
    """Weights and losses after an epoch of the loop with its optimizer, in fp64."""
    given = parts(*losses, batch_size=6)
    given["model"].double()
    steps = len(given["source"]) // 6
    assert steps > 6
    rehearsal = rehearse(train={"steps": steps, "batch_size": 6, **train}, **given, **more)
    rehearsal.go()
    told = [(replace(state).global_step, numbers) for state, _, numbers in rehearsal.log.steps]
    return rehearsal.model.state_dict(), told
