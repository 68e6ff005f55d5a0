"""ModernBERT's names at Hugging Face (transformers, `models/modernbert`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from unmask.checkpoint.huggingface.family import Family, Spelling, architectures, fine_tuned
from unmask.checkpoint.huggingface.keys import KeyTable, Rule, linear
from unmask.checkpoint.huggingface.labels import short
from unmask.errors import DataError
from unmask.models.config import ModernBertConfig

_LAYER = "model.layers.{layer}"
_BLOCK = "encoder.blocks.{layer}"

_MLM = {"mlm": ("head.dense.weight",)}
_UNLESS_OTHERS = {"mlm": ("pooled_classifier", "classifier", "span")}

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
            *linear("heads.mlm.head.dense", "head.dense"),
            *linear("heads.mlm.head.norm", "head.norm"),
            Rule("heads.mlm.decoder.bias", ("decoder.bias",)),
        ),
        "pooled_classifier": (
            *linear("heads.pooled_classifier.pooler.dense", "head.dense"),
            *linear("heads.pooled_classifier.pooler.norm", "head.norm"),
            *linear("heads.pooled_classifier.classifier", "classifier"),
        ),
        "classifier": (
            *linear("heads.classifier.transform.dense", "head.dense"),
            *linear("heads.classifier.transform.norm", "head.norm"),
            *linear("heads.classifier.classifier", "classifier"),
        ),
        "span": (
            *linear("heads.span.transform.dense", "head.dense"),
            *linear("heads.span.transform.norm", "head.norm"),
            *linear("heads.span.outputs", "classifier"),
        ),
    },
    signs={"pooled_classifier": ("classifier.weight",), **_MLM},
    unless=_UNLESS_OTHERS,
    sized={"pooled_classifier": "classifier.weight", "classifier": "classifier.weight"},
    prefix="model.",
    outside=("head.", "decoder.", "classifier."),
    endings={},
    tied={"heads.mlm.decoder.weight": "encoder.embedding.tokens.weight"},
    copies={"decoder.weight": "model.embeddings.tok_embeddings.weight"},
    ignored={},
    unused={},
)
_HEADS = {
    "TokenClassification": "classifier",
    "QuestionAnswering": "span",
    "MeanSequenceClassification": "classifier",
    "MeanMultipleChoice": "classifier",
}
"""All heads have the same tensors, so that the class alone tells which one it is."""

_OTHER_NAMES = {
    "hidden_act": "hidden_activation",
    "hidden_dropout_prob": "mlp_dropout",
    "attention_probs_dropout_prob": "attention_dropout",
    "layer_norm_eps": "norm_eps",
}
_THETAS = {
    "full_attention": ("global_rope_theta", "global_rope_theta"),
    "sliding_attention": ("local_rope_theta", "local_rope_theta"),
}
"""By kind of layer, our field and their older setting."""
_FOR_OTHERS = {
    "cls_token_id": 50281,
    "sep_token_id": 50282,
    "bos_token_id": 50281,
    "eos_token_id": 50282,
}
"""Settings that other tools read, and the published model's, which a missing one means there; null
means none."""
_SPELLED = (
    "layer_types",
    "global_attn_every_n_layers",
    "global_rope_theta",
    "local_rope_theta",
    *_FOR_OTHERS,
)


def _read(given: Mapping[str, Any], place: str) -> dict[str, Any]:
    """Kinds of layers and rotary angles, in transformers' spelling of version 5 or of 4."""
    fields: dict[str, Any] = {name: given[name] for name in _FOR_OTHERS if name in given}
    if given.get("layer_types") is not None:
        fields["layer_types"] = given["layer_types"]
    elif given.get("global_attn_every_n_layers") is not None:
        fields["global_attn_every_n_layers"] = given["global_attn_every_n_layers"]
    for name in ("rope_parameters", "rope_scaling"):
        if not isinstance(given.get(name), dict | None):
            raise DataError(f"{place}: `{name}` is {short(given[name])}; expected an object.")
    _require_default(given.get("rope_scaling") or {}, "rope_scaling", place)
    parameters = given.get("rope_parameters") or {}
    if parameters.keys() - _THETAS.keys():
        raise DataError(
            f"{place}: `rope_parameters` has {short(sorted(parameters))}; expected settings of "
            "`full_attention` and of `sliding_attention`."
        )
    for kind, (field, older) in _THETAS.items():
        found = parameters.get(kind) or {}
        _require_default(found, f"rope_parameters.{kind}", place)
        theta = found.get("rope_theta", given.get(older))
        if theta is not None:
            fields[field] = theta
    if given.get("local_rope_theta", 0) is None and "rope_parameters" not in given:
        # transformers 4 took the global one then.
        fields["local_rope_theta"] = fields.get("global_rope_theta", 160_000.0)
    return fields


def _require_default(found: object, name: str, place: str) -> None:
    """Refuses angles that are stretched, and settings that nobody here knows."""
    if not isinstance(found, dict):
        raise DataError(f"{place}: `{name}` is {short(found)}; expected an object.")
    kind = found.get("rope_type", found.get("type", "default"))
    if kind != "default":
        raise DataError(
            f"{place}: `{name}` is of type {short(kind)}, which changes every angle; only "
            '"default" is built here. Take the model as it was before its context was stretched.'
        )
    if unknown := sorted(found.keys() - {"rope_type", "type", "rope_theta"}):
        raise DataError(
            f"{place}: `{name}` has {short(unknown)}, which is not built here; expected "
            "`rope_type` and `rope_theta` alone."
        )


def _write(config: Any) -> dict[str, Any]:
    """As transformers 5 has it."""
    assert isinstance(config, ModernBertConfig)
    values = config.model_dump()
    tokens = {name: values[name] for name in _FOR_OTHERS}
    return {
        # Numbers outside the vocabulary would be of the published one, and make other tools warn.
        **{name: i if i is None or i < config.vocab_size else None for name, i in tokens.items()},
        "layer_types": list(config.kinds),
        "rope_parameters": {
            kind: {"rope_type": "default", "rope_theta": values[field]}
            for kind, (field, _) in _THETAS.items()
        },
    }


FAMILY = Family(
    config=ModernBertConfig,
    fields={
        name: _OTHER_NAMES.get(name, name)
        for name in ModernBertConfig.model_fields
        if name not in _SPELLED
    },
    fixed={"tie_word_embeddings": True},
    keys=KEYS,
    architectures=architectures("ModernBert"),
    fine_tuned=fine_tuned("ModernBert"),
    defaults=_FOR_OTHERS,
    spelling=Spelling(frozenset({*_SPELLED, "rope_parameters", "rope_scaling"}), _read, _write),
    pooling_field="classifier_pooling",
    keys_by_kind={
        kind: replace(KEYS, signs={head: ("classifier.weight",), **_MLM})
        for kind, head in _HEADS.items()
    },
)
