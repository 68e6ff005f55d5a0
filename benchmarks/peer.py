"""The peer's side of a benchmark: transformers, used as its own examples use it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from unmask.data.shards import Shards
from unmask.models.config import PRESETS, Preset

os.environ.setdefault("HF_HUB_OFFLINE", "1")

from transformers import (
    AutoTokenizer,
    BertConfig,
    BertForMaskedLM,
    DataCollatorForLanguageModeling,
    PreTrainedTokenizerBase,
)

Example = dict[str, list[int]]


def model(preset: Preset, vocab_size: int, dropout_rate: float, seed: int = 0) -> BertForMaskedLM:
    """BertForMaskedLM with its default attention, which is SDPA."""
    torch.manual_seed(seed)
    sizes: dict[str, Any] = dict(PRESETS[preset])
    return BertForMaskedLM(
        BertConfig(
            vocab_size=vocab_size,
            hidden_dropout_prob=dropout_rate,
            attention_probs_dropout_prob=dropout_rate,
            **sizes,
        )
    )


def tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """The tokenizer as transformers reads it."""
    return AutoTokenizer.from_pretrained(folder)


def grouped(shards: Shards, sequence_length: int) -> np.ndarray:
    """(S, T) ids as run_mlm's group_texts lays them out: documents joined, then cut.

    Every document stands between [CLS] and [SEP], as the tokenizer leaves it; blocks then cross
    documents, and the remainder is dropped.
    """
    folder = shards.tokenizer_folder
    special = tokenizer(folder)
    parts: list[np.ndarray] = []
    bounds = shards.document_offsets()
    for start, stop in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
        parts += [
            np.array([special.cls_token_id]),
            shards.tokens(start, stop),
            np.array([special.sep_token_id]),
        ]
    joined = np.concatenate(parts).astype(np.int32)
    whole = len(joined) // sequence_length * sequence_length
    return joined[:whole].reshape(-1, sequence_length)


def example(ids: np.ndarray, special: np.ndarray) -> Example:
    """One record as a datasets.Dataset of run_mlm gives it: lists of Python integers."""
    return {
        "input_ids": ids.tolist(),
        "token_type_ids": [0] * len(ids),
        "attention_mask": [1] * len(ids),
        "special_tokens_mask": np.isin(ids, special).astype(int).tolist(),
    }


def special_ids(fast: PreTrainedTokenizerBase) -> np.ndarray:
    """Ids that the collator must not mask."""
    return np.array(fast.all_special_ids)


def batches(
    blocks: np.ndarray, folder: Path, batch_size: int, seed: int
) -> Iterator[dict[str, torch.Tensor]]:
    """Collated batches without end, shuffled anew each epoch.

    The records are made from arrays in memory; reading them from Arrow files would cost more.
    """
    fast = tokenizer(folder)
    special = special_ids(fast)
    collate = DataCollatorForLanguageModeling(fast, mlm_probability=0.15)
    order = np.random.default_rng(seed)
    while True:
        shuffled = order.permutation(len(blocks))
        for first in range(0, len(shuffled) - batch_size + 1, batch_size):
            chosen = blocks[shuffled[first : first + batch_size]]
            yield dict(collate([example(ids, special) for ids in chosen]))


class Step:
    """One optimizer step after another, as run_mlm's Trainer takes it without accumulation."""

    def __init__(
        self,
        built: BertForMaskedLM,
        learning_rate: float,
        incoming: Iterator[dict[str, torch.Tensor]],
        weight_decay: float = 0.01,
    ) -> None:
        self.model: Any = built.train()
        self.parameters = list(built.parameters())
        self.optimizer = torch.optim.AdamW(
            self.parameters, lr=learning_rate, weight_decay=weight_decay, fused=True
        )
        self.incoming = incoming

    def __call__(self) -> int:
        """Takes a step and returns how many tokens it saw, specials included."""
        batch = next(self.incoming)
        loss = self.model(**batch).loss
        loss.backward()
        loss.item()
        nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return batch["input_ids"].numel()
