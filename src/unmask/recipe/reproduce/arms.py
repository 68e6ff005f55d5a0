"""The arms of the comparison of objectives: one recipe, and what each changes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from unmask.recipe.config import Pretrain

STEPS = 1000
"""Optimizer steps of an arm: 32 sequences of up to 128 tokens each, 4.1 million tokens."""
EXAMPLES = 1000
"""That each arm is fine-tuned on, of either data set."""
_BASE: dict[str, Any] = {
    "preset": "tiny",
    "dropout": 0.0,
    "initial_attention": "neighbours",
    "train": {
        "steps": STEPS,
        "batch_size": 32,
        "sequence_length": 128,
        "evaluate_every": 250,
        "save_every": 250,
        "keep_checkpoints": 1,
        "validation_sequences": 512,
    },
    "optim": {
        "name": "muon",
        "learning_rate": 1e-3,
        "muon_learning_rate": 5e-3,
        "schedule": "wsd",
        "warmup_rate": 0.02,
        "decay_rate": 0.4,
    },
}
"""As recipes/mini-fast.toml, but 15 % masked: what a tiny encoder learns by in a few minutes. With
BERT's own start it stays at the unigram entropy in all arms, which tells nothing (docs/log.md)."""


@dataclass(frozen=True)
class Arm:
    """One way to pretrain, and what it is held against."""

    name: str
    """Of its folder and for --only."""
    title: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    """Settings of `Pretrain` that differ from the common ones; tables are merged."""
    seeds: int = 1
    beside: str = "mlm"
    """The arm that it differs from by one thing."""
    compares: bool = True
    """Whether its held-out masked language model loss is of the same kind as the others'."""
    expected: str = ""
    """What the paper behind it found, and which."""

    def recipe(self, seed: int, steps: int) -> Pretrain:
        """The pretraining run with this seed."""
        tables = {
            name: {**_BASE.get(name, {}), **self.changes.get(name, {})}
            for name in ("train", "optim", "masking")
        }
        tables["train"] |= {"seed": seed, "steps": steps}
        given = {**_BASE, **self.changes, **tables}
        if self.changes.get("objective") == "left-to-right":
            del given["masking"]
        return Pretrain.model_validate(given)


ARMS: tuple[Arm, ...] = (
    Arm("mlm", "masked language modelling, 15 %", seeds=2),
    Arm(
        "nsp",
        "with next sentence prediction",
        {"next_sentence": True},
        seeds=2,
        expected="BERT: helps pairs; RoBERTa: does nothing or harm",
    ),
    Arm(
        "sop",
        "with sentence order prediction",
        {"sentence_order": True},
        expected="ALBERT: helps pairs, more than next sentence prediction",
    ),
    Arm(
        "rate-30",
        "30 % masked",
        {"masking": {"rate": 0.3}},
        expected="Wettig et al. 2023: better than 15 % for large models",
    ),
    Arm(
        "rate-40",
        "40 % masked",
        {"masking": {"rate": 0.4}},
        seeds=2,
        expected="Wettig et al. 2023: best for large models, 20 % for small ones",
    ),
    Arm(
        "words",
        "whole words masked",
        {"masking": {"unit": "word"}},
        expected="Devlin et al., 2019 update: better fine-tuned",
    ),
    Arm(
        "spans",
        "spans masked",
        {"masking": {"unit": "span"}},
        expected="SpanBERT: better for questions, little elsewhere",
    ),
    Arm(
        "all-masks",
        "100 % of the picked become [MASK], none random, none kept",
        {"masking": {"mask_share": 1.0, "random_share": 0.0}},
        expected="BERT, appendix C.2: little difference fine-tuned",
    ),
    Arm("few-books", "two books, read about ten times", {"validation_rate": 0.98}),
    Arm(
        "static",
        "the same, with the same masks each time",
        {"validation_rate": 0.98, "masking": {"dynamic": False}},
        beside="few-books",
        expected="RoBERTa, table 1: dynamic is as good or slightly better",
    ),
    Arm(
        "rtd",
        "replaced token detection",
        {"objective": "replaced-token", "family": "electra"},
        compares=False,
        expected="ELECTRA: much better at equal compute",
    ),
    Arm(
        "left-to-right",
        "left-to-right: the next token, by a causal mask",
        {"objective": "left-to-right", "family": "left-to-right"},
        seeds=2,
        compares=False,
        expected="BERT, table 5: worse, most of all on words",
    ),
    Arm(
        "bert-of-alberts-size",
        "BERT, 72 wide: as many parameters as the next",
        {
            "model": {
                "hidden_size": 72,
                "num_attention_heads": 2,
                "intermediate_size": 288,
            }
        },
    ),
    Arm(
        "albert",
        "ALBERT, 128 wide: embeddings of 64, one block for both layers",
        {"family": "albert"},
        beside="bert-of-alberts-size",
        expected="ALBERT: better at equal parameters, for it is wider",
    ),
)
