"""DistilBERT's names at Hugging Face (transformers, `models/distilbert/modeling_distilbert.py`)."""

from __future__ import annotations

from unmask.checkpoint.huggingface import bert
from unmask.checkpoint.huggingface.family import Family, architectures, fine_tuned
from unmask.checkpoint.huggingface.keys import KeyTable, Rule, linear
from unmask.models.config import DistilBertConfig

_LAYER = "distilbert.transformer.layer.{layer}"
_BLOCK = "encoder.blocks.{layer}"

KEYS = KeyTable(
    encoder=(
        Rule("encoder.embedding.tokens.weight", ("distilbert.embeddings.word_embeddings.weight",)),
        Rule(
            "encoder.embedding.positions.weight",
            ("distilbert.embeddings.position_embeddings.weight",),
        ),
        *linear("encoder.embedding.norm", "distilbert.embeddings.LayerNorm"),
        *linear(
            f"{_BLOCK}.attention.qkv",
            f"{_LAYER}.attention.q_lin",
            f"{_LAYER}.attention.k_lin",
            f"{_LAYER}.attention.v_lin",
        ),
        *linear(f"{_BLOCK}.attention.output", f"{_LAYER}.attention.out_lin"),
        *linear(f"{_BLOCK}.attention_norm", f"{_LAYER}.sa_layer_norm"),
        *linear(f"{_BLOCK}.feedforward.widen", f"{_LAYER}.ffn.lin1"),
        *linear(f"{_BLOCK}.feedforward.narrow", f"{_LAYER}.ffn.lin2"),
        *linear(f"{_BLOCK}.feedforward_norm", f"{_LAYER}.output_layer_norm"),
    ),
    heads={
        "mlm": (
            *linear("heads.mlm.transform", "vocab_transform"),
            *linear("heads.mlm.norm", "vocab_layer_norm"),
            Rule("heads.mlm.decoder.bias", ("vocab_projector.bias",)),
        ),
        "span": linear("heads.span.outputs", "qa_outputs"),
        "pooled_classifier": (
            *linear("heads.pooled_classifier.pooler.dense", "pre_classifier"),
            *linear("heads.pooled_classifier.classifier", "classifier"),
        ),
        "classifier": linear("heads.classifier.classifier", "classifier"),
    },
    signs={
        "mlm": ("vocab_transform.weight",),
        "span": ("qa_outputs.weight",),
        "pooled_classifier": ("classifier.weight", "pre_classifier.weight"),
        "classifier": ("classifier.weight",),
    },
    unless={
        "span": ("mlm",),
        "pooled_classifier": ("mlm", "span"),
        "classifier": ("mlm", "span", "pooled_classifier"),
    },
    sized=bert.KEYS.sized,
    prefix="distilbert.",
    outside=(
        "vocab_transform.",
        "vocab_layer_norm.",
        "vocab_projector.",
        "pre_classifier.",
        "classifier.",
        "qa_outputs.",
    ),
    endings={},
    tied=bert.KEYS.tied,
    copies={"vocab_projector.weight": "distilbert.embeddings.word_embeddings.weight"},
    ignored={"distilbert.embeddings.position_ids": "the numbers 0, 1, 2, ..."},
    unused={},
)

_OTHER_NAMES = {
    "hidden_size": "dim",
    "num_hidden_layers": "n_layers",
    "num_attention_heads": "n_heads",
    "intermediate_size": "hidden_dim",
    "hidden_act": "activation",
    "hidden_dropout_prob": "dropout",
    "attention_probs_dropout_prob": "attention_dropout",
    "classifier_dropout": "seq_classif_dropout",
}
_NOT_THEIRS = {"layer_norm_eps"}
"""Which is written into their code."""

FAMILY = Family(
    config=DistilBertConfig,
    fields={
        name: _OTHER_NAMES.get(name, name)
        for name in DistilBertConfig.model_fields
        if name not in _NOT_THEIRS
    },
    fixed={"tie_word_embeddings": True},
    keys=KEYS,
    architectures=architectures("DistilBert"),
    fine_tuned=fine_tuned("DistilBert"),
)
