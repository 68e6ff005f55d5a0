"""MPNet's names at Hugging Face (transformers, `models/mpnet/modeling_mpnet.py`)."""

from __future__ import annotations

from unmask.checkpoint.huggingface import roberta
from unmask.checkpoint.huggingface.family import (
    WITH_POOLER,
    Family,
    architectures,
    fine_tuned,
)
from unmask.checkpoint.huggingface.keys import KeyTable, Rule, linear
from unmask.models.config import MpnetConfig

_LAYER = "mpnet.encoder.layer.{layer}"
_BLOCK = "encoder.blocks.{layer}"
_POOLER = ("mpnet.pooler.dense.weight", "mpnet.pooler.dense.bias")

KEYS = KeyTable(
    encoder=(
        Rule("encoder.embedding.tokens.weight", ("mpnet.embeddings.word_embeddings.weight",)),
        Rule(
            "encoder.embedding.positions.weight", ("mpnet.embeddings.position_embeddings.weight",)
        ),
        *linear("encoder.embedding.norm", "mpnet.embeddings.LayerNorm"),
        Rule("encoder.context.table.weight", ("mpnet.encoder.relative_attention_bias.weight",)),
        *linear(
            f"{_BLOCK}.attention.qkv",
            f"{_LAYER}.attention.attn.q",
            f"{_LAYER}.attention.attn.k",
            f"{_LAYER}.attention.attn.v",
        ),
        *linear(f"{_BLOCK}.attention.output", f"{_LAYER}.attention.attn.o"),
        *linear(f"{_BLOCK}.attention_norm", f"{_LAYER}.attention.LayerNorm"),
        *linear(f"{_BLOCK}.feedforward.widen", f"{_LAYER}.intermediate.dense"),
        *linear(f"{_BLOCK}.feedforward.narrow", f"{_LAYER}.output.dense"),
        *linear(f"{_BLOCK}.feedforward_norm", f"{_LAYER}.output.LayerNorm"),
    ),
    heads={
        **roberta.KEYS.heads,
        "pooler": linear("heads.pooler.dense", "mpnet.pooler.dense"),
    },
    signs={**roberta.KEYS.signs, "pooler": ("mpnet.pooler.dense.weight",)},
    unless=roberta.KEYS.unless,
    sized=roberta.KEYS.sized,
    prefix="mpnet.",
    outside=roberta.KEYS.outside,
    endings={},
    tied=roberta.KEYS.tied,
    copies={
        "lm_head.decoder.weight": "mpnet.embeddings.word_embeddings.weight",
        "lm_head.decoder.bias": "lm_head.bias",
    },
    ignored={"mpnet.embeddings.position_ids": "the numbers 0, 1, 2, ..."},
    unused=dict.fromkeys(
        ("SequenceClassification", "TokenClassification", "QuestionAnswering"), _POOLER
    ),
)

_NOT_THEIRS = {"classifier_dropout"}
"""Their heads drop out as their blocks do."""

FAMILY = Family(
    config=MpnetConfig,
    fields={name: name for name in MpnetConfig.model_fields if name not in _NOT_THEIRS},
    fixed={"relative_attention_num_buckets": 32, "tie_word_embeddings": True},
    keys=KEYS,
    architectures=architectures("MPNet", WITH_POOLER),
    fine_tuned=fine_tuned("MPNet"),
    defaults={"max_position_embeddings": 512, "layer_norm_eps": 1e-12},
    keys_by_kind=roberta.choices_on_pooler(KEYS),
)
