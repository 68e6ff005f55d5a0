"""Our side of a benchmark, put together from bricks so that nothing but the step is measured."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import nn

from unmask.batch import Batch
from unmask.data.config import MaskingConfig
from unmask.data.loader import Cursor, Source, step_batches
from unmask.data.masking import Masker
from unmask.models.bert import build, build_mlm_head
from unmask.models.config import PRESETS, BertConfig, Preset
from unmask.nn.init import initialise
from unmask.tasks.masked_lm import MaskedLM
from unmask.tasks.task import Model
from unmask.text.tokenizer import Tokenizer


def config(preset: Preset, vocab_size: int, dropout_rate: float) -> BertConfig:
    """A preset with the given vocabulary, and one rate for all dropout."""
    return BertConfig(
        vocab_size=vocab_size,
        hidden_dropout_prob=dropout_rate,
        attention_probs_dropout_prob=dropout_rate,
        **PRESETS[preset],
    )


def model(sizes: BertConfig, seed: int = 0) -> Model:
    """A freshly initialised masked language model."""
    encoder = build(sizes)
    built = Model(encoder, {"mlm": build_mlm_head(sizes, encoder)})
    initialise(built, sizes.initializer_range, torch.Generator().manual_seed(seed))
    return built


def batches(
    source: Source, tokenizer: Tokenizer, batch_size: int, micro_batch_tokens: int, seed: int
) -> Iterator[list[Batch]]:
    """The masked micro-batches of one step after another, made as they are asked for."""
    masker = Masker(tokenizer, MaskingConfig(), seed)
    cursor = Cursor()
    while True:
        made, cursor = step_batches(
            source,
            cursor,
            batch_size=batch_size,
            micro_batch_tokens=micro_batch_tokens,
            seed=seed,
            transform=masker,
        )
        yield made


class Step:
    """One optimizer step after another on batches of `source`."""

    def __init__(self, built: Model, learning_rate: float, incoming: Iterator[list[Batch]]) -> None:
        self.model = built.train()
        self.task = MaskedLM()
        self.parameters = list(built.parameters())
        self.optimizer = torch.optim.AdamW(
            self.parameters, lr=learning_rate, weight_decay=0.01, fused=True
        )
        self.incoming = incoming

    def __call__(self) -> int:
        """Takes a step and returns how many tokens it saw, specials included."""
        micro_batches = next(self.incoming)
        backward(self.model, self.task, micro_batches)
        nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return sum(batch.num_tokens for batch in micro_batches)


def backward(built: Model, task: MaskedLM, micro_batches: list[Batch]) -> float:
    """Gradients of one optimizer step, and its loss: every sum over the step's own count."""
    count = sum(task.counts(batch)["mlm"] for batch in micro_batches)
    total = 0.0
    for batch in micro_batches:
        (term,) = task.loss(built(batch, task), batch)
        loss = term.total * (term.weight / count)
        loss.backward()
        total += loss.item()
    return total
