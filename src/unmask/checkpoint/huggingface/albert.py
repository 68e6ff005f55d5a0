"""ALBERT's names at Hugging Face (transformers, `models/albert/modeling_albert.py`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from unmask.checkpoint.huggingface import bert
from unmask.checkpoint.huggingface.family import (
    WITH_POOLER,
    Family,
    architectures,
    fine_tuned,
)
from unmask.checkpoint.huggingface.keys import KeyTable, Rule, linear
from unmask.models.config import AlbertConfig

_LAYER = "albert.encoder.albert_layer_groups.{group}.albert_layers.{inner}"
_BLOCK = "encoder.blocks.{layer}"

KEYS = KeyTable(
    encoder=(
        *(rule.renamed("bert.", "albert.") for rule in bert.KEYS.encoder[:5]),  # the embeddings
        *linear("encoder.embedding.projection", "albert.encoder.embedding_hidden_mapping_in"),
        *linear(
            f"{_BLOCK}.attention.qkv",
            f"{_LAYER}.attention.query",
            f"{_LAYER}.attention.key",
            f"{_LAYER}.attention.value",
        ),
        *linear(f"{_BLOCK}.attention.output", f"{_LAYER}.attention.dense"),
        *linear(f"{_BLOCK}.attention_norm", f"{_LAYER}.attention.LayerNorm"),
        *linear(f"{_BLOCK}.feedforward.widen", f"{_LAYER}.ffn"),
        *linear(f"{_BLOCK}.feedforward.narrow", f"{_LAYER}.ffn_output"),
        *linear(f"{_BLOCK}.feedforward_norm", f"{_LAYER}.full_layer_layer_norm"),
    ),
    heads={
        "mlm": (
            *linear("heads.mlm.transform", "predictions.dense"),
            *linear("heads.mlm.norm", "predictions.LayerNorm"),
            Rule("heads.mlm.decoder.bias", ("predictions.bias",)),
        ),
        # ALBERT trains it by the order of two sentences. transformers drops out its input;
        # google-research/albert, `run_pretraining.py`, does not, and wins here.
        "nsp": (
            *linear("heads.nsp.pooler.dense", "albert.pooler"),
            *linear("heads.nsp.classifier", "sop_classifier.classifier"),
        ),
        "span": linear("heads.span.outputs", "qa_outputs"),
        "pooled_classifier": (
            *linear("heads.pooled_classifier.pooler.dense", "albert.pooler"),
            *linear("heads.pooled_classifier.classifier", "classifier"),
        ),
        "classifier": linear("heads.classifier.classifier", "classifier"),
        "pooler": linear("heads.pooler.dense", "albert.pooler"),
    },
    signs={
        "mlm": ("predictions.dense.weight",),
        "nsp": ("sop_classifier.classifier.weight",),
        "span": ("qa_outputs.weight",),
        "pooled_classifier": ("classifier.weight", "albert.pooler.weight"),
        "classifier": ("classifier.weight",),
        "pooler": ("albert.pooler.weight",),
    },
    unless=bert.KEYS.unless,
    sized=bert.KEYS.sized,
    prefix="albert.",
    outside=("predictions.", "sop_classifier.", "classifier.", "qa_outputs."),
    endings={},
    tied=bert.KEYS.tied,
    copies={
        "predictions.decoder.weight": "albert.embeddings.word_embeddings.weight",
        "predictions.decoder.bias": "predictions.bias",
    },
    ignored={"albert.embeddings.position_ids": "the numbers 0, 1, 2, ..."},
    unused=dict.fromkeys(
        ("TokenClassification", "QuestionAnswering"),
        ("albert.pooler.weight", "albert.pooler.bias"),
    ),
)


def _blocks(config: AlbertConfig) -> Iterator[Mapping[str, int]]:
    for layer in range(config.num_blocks):
        group, inner = divmod(layer, config.inner_group_num)
        yield {"layer": layer, "group": group, "inner": inner}


FAMILY = Family(
    config=AlbertConfig,
    fields={name: name for name in AlbertConfig.model_fields}
    | {"classifier_dropout": "classifier_dropout_prob"},
    fixed={"tie_word_embeddings": True},
    keys=KEYS,
    architectures=architectures(
        "Albert", {**WITH_POOLER, frozenset({"mlm", "nsp"}): "ForPreTraining"}
    ),
    fine_tuned=fine_tuned("Albert"),
    defaults={"hidden_size": 4096, "num_attention_heads": 64, "intermediate_size": 16384},
    blocks=_blocks,
)
