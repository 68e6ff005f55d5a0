"""ModernBERT's names at Hugging Face (transformers, `models/modernbert/modeling_modernbert.py`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from unmask.checkpoint.huggingface import bert
from unmask.checkpoint.huggingface.family import Family
from unmask.checkpoint.huggingface.keys import KeyTable, Rule, linear
from unmask.checkpoint.huggingface.labels import short
from unmask.errors import DataError
from unmask.models.config import ModernBertConfig

_LAYER = "model.layers.{layer}"
_BLOCK = "encoder.blocks.{layer}"


def _transform(ours: str) -> tuple[Rule, ...]:
    """What lies before every head, by the same names in all."""
    return (*linear(f"{ours}.dense", "head.dense"), *linear(f"{ours}.norm", "head.norm"))


KEYS = KeyTable(
    encoder=(
        Rule("encoder.embedding.tokens.weight", ("model.embeddings.tok_embeddings.weight",)),
        *linear("encoder.embedding.norm", "model.embeddings.norm"),
        *linear(f"{_BLOCK}.attention_norm", f"{_LAYER}.attn_norm"),
        *linear(f"{_BLOCK}.attention.qkv", f"{_LAYER}.attn.Wqkv"),
        *linear(f"{_BLOCK}.attention.output", f"{_LAYER}.attn.Wo"),
        *linear(f"{_BLOCK}.feedforward_norm", f"{_LAYER}.mlp_norm"),
        *linear(f"{_BLOCK}.feedforward.widen", f"{_LAYER}.mlp.Wi"),
        *linear(f"{_BLOCK}.feedforward.narrow", f"{_LAYER}.mlp.Wo"),
        *linear("encoder.final_norm", "model.final_norm"),
    ),
    heads={
        "mlm": (
            *linear("heads.mlm.transform", "head.dense"),
            *linear("heads.mlm.norm", "head.norm"),
            Rule("heads.mlm.decoder.bias", ("decoder.bias",)),
        ),
        "pooled_classifier": (
            *_transform("heads.pooled_classifier.pooler"),
            *linear("heads.pooled_classifier.classifier", "classifier"),
        ),
    },
    signs={
        "pooled_classifier": ("classifier.weight", "head.dense.weight"),
        "mlm": ("head.dense.weight", "head.norm.weight"),
    },
    unless={"mlm": ("pooled_classifier",)},
    sized={"pooled_classifier": "classifier.weight", "classifier": "classifier.weight"},
    prefix="model.",
    outside=("head.", "decoder.", "classifier."),
    endings={},
    tied=bert.KEYS.tied,
    copies={"decoder.weight": "model.embeddings.tok_embeddings.weight"},
    ignored={},
    unused={},
)
_TOKENS = replace(
    KEYS,
    heads={
        "classifier": (
            *_transform("heads.classifier.transform"),
            *linear("heads.classifier.classifier", "classifier"),
        )
    },
    signs={"classifier": KEYS.signs["pooled_classifier"]},
    unless={},
)
_SPANS = replace(
    KEYS,
    heads={
        "span": (
            *_transform("heads.span.transform"),
            *linear("heads.span.outputs", "classifier"),
        )
    },
    signs={"span": KEYS.signs["pooled_classifier"]},
    unless={},
)
"""All heads have the same names there; the architecture tells which it is."""

_ARCHITECTURES: dict[frozenset[str], str] = {
    frozenset(): "ModernBertModel",
    frozenset({"mlm"}): "ModernBertForMaskedLM",
    frozenset({"pooled_classifier"}): "ModernBertForSequenceClassification",
    frozenset({"classifier"}): "ModernBertForTokenClassification",
    frozenset({"span"}): "ModernBertForQuestionAnswering",
}

_FINE_TUNED: dict[str, str] = {
    "MeanSequenceClassification": "ModernBertForSequenceClassification",
    "SequenceClassification": "ModernBertForSequenceClassification",
    "TokenClassification": "ModernBertForTokenClassification",
    "QuestionAnswering": "ModernBertForQuestionAnswering",
    "MultipleChoice": "ModernBertForMultipleChoice",
}

_OTHER_NAMES = {
    "hidden_act": "hidden_activation",
    "hidden_dropout_prob": "mlp_dropout",
    "attention_probs_dropout_prob": "attention_dropout",
    "layer_norm_eps": "norm_eps",
}
_THETAS = {
    "full_attention": "global_rope_theta",
    "sliding_attention": "local_rope_theta",
}


def _read(given: Mapping[str, Any], place: str) -> dict[str, Any]:
    """Newer spellings of reaches and angles as the older ones, which ours follow."""
    read = dict(given)
    every = read.pop("global_attn_every_n_layers", None)
    layers = read.get("num_hidden_layers", ModernBertConfig().num_hidden_layers)
    types = read.get("layer_types")
    if types is None and isinstance(every, int) and isinstance(layers, int) and every > 0:
        types = ["sliding_attention" if i % every else "full_attention" for i in range(layers)]
    if isinstance(types, list):
        read["layer_types"] = tuple(types)
    ropes = read.pop("rope_parameters", None) or {}
    for reach, name in _THETAS.items():
        rope = ropes.get(reach) or {} if isinstance(ropes, dict) else {}
        kind = rope.get("rope_type", "default")
        if kind != "default":
            raise DataError(
                f"{place}: `rope_parameters` of {reach} have the rope_type {short(kind)}, which "
                'changes what is computed; only "default" is built here.'
            )
        if "rope_theta" in rope:
            read[name] = rope["rope_theta"]
        if isinstance(read.get(name), int):
            read[name] = float(read[name])
    return read


def _write(config: ModernBertConfig) -> dict[str, Any]:
    """Reaches and angles as transformers has them today."""
    thetas = {reach: getattr(config, name) for reach, name in _THETAS.items()}
    return {
        "layer_types": list(config.reaches),
        "rope_parameters": {
            reach: {"rope_type": "default", "rope_theta": theta} for reach, theta in thetas.items()
        },
    }


def _kind(kind: str | None, given: Mapping[str, Any], place: str) -> str | None:
    """What a classifier reads depends on a setting."""
    if given.get("classifier_pooling", "cls") != "mean":
        return kind
    if kind == "MultipleChoice":
        raise DataError(
            f"{place}: `classifier_pooling` is mean, which is not built for multiple choice here."
        )
    return "MeanSequenceClassification" if kind == "SequenceClassification" else kind


FAMILY = Family(
    config=ModernBertConfig,
    fields={name: _OTHER_NAMES.get(name, name) for name in ModernBertConfig.model_fields},
    fixed={"tie_word_embeddings": True},
    keys=KEYS,
    architectures=_ARCHITECTURES,
    fine_tuned=_FINE_TUNED,
    keys_by_kind={
        "TokenClassification": _TOKENS,
        "MeanSequenceClassification": _TOKENS,
        "QuestionAnswering": _SPANS,
    },
    read=_read,
    write=_write,
    kind_as_set=_kind,
    set_by_kind={
        "SequenceClassification": {"classifier_pooling": "cls"},
        "MultipleChoice": {"classifier_pooling": "cls"},
        "MeanSequenceClassification": {"classifier_pooling": "mean"},
    },
)
