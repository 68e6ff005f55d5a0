"""DeBERTa's names at Hugging Face (transformers, `models/deberta` and `models/deberta_v2`)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

from unmask.checkpoint.huggingface.family import KINDS, Family, architectures, fine_tuned
from unmask.checkpoint.huggingface.keys import KeyTable, Rule, linear
from unmask.models.config import DebertaConfig, DebertaV2Config

_LAYER = "deberta.encoder.layer.{layer}"
_BLOCK = "encoder.blocks.{layer}"
_SELF = f"{_LAYER}.attention.self"
_POSITIONS = "deberta.embeddings.position_embeddings.weight"

_AROUND = (
    Rule("encoder.embedding.tokens.weight", ("deberta.embeddings.word_embeddings.weight",)),
    Rule("encoder.embedding.positions.weight", (_POSITIONS,)),
    Rule("decoder.positions.weight", (_POSITIONS,)),  # never both, see the config
    Rule("encoder.embedding.segments.weight", ("deberta.embeddings.token_type_embeddings.weight",)),
    Rule("encoder.embedding.projection.weight", ("deberta.embeddings.embed_proj.weight",)),
    *linear("encoder.embedding.norm", "deberta.embeddings.LayerNorm"),
    Rule("encoder.context.table.weight", ("deberta.encoder.rel_embeddings.weight",)),
    *linear(f"{_BLOCK}.attention.output", f"{_LAYER}.attention.output.dense"),
    *linear(f"{_BLOCK}.attention_norm", f"{_LAYER}.attention.output.LayerNorm"),
    *linear(f"{_BLOCK}.feedforward.widen", f"{_LAYER}.intermediate.dense"),
    *linear(f"{_BLOCK}.feedforward.narrow", f"{_LAYER}.output.dense"),
    *linear(f"{_BLOCK}.feedforward_norm", f"{_LAYER}.output.LayerNorm"),
)
_V1 = (
    Rule(f"{_BLOCK}.attention.qkv.interleaved.weight", (f"{_SELF}.in_proj.weight",)),
    Rule(f"{_BLOCK}.attention.qkv.query_bias", (f"{_SELF}.q_bias",)),
    Rule(f"{_BLOCK}.attention.qkv.value_bias", (f"{_SELF}.v_bias",)),
    Rule(f"{_BLOCK}.attention.distances.keys.weight", (f"{_SELF}.pos_proj.weight",)),
    *linear(f"{_BLOCK}.attention.distances.queries", f"{_SELF}.pos_q_proj"),
)
_V2 = (
    *linear(
        f"{_BLOCK}.attention.qkv",
        f"{_SELF}.query_proj",
        f"{_SELF}.key_proj",
        f"{_SELF}.value_proj",
    ),
    *linear(f"{_BLOCK}.attention.distances.keys", f"{_SELF}.pos_key_proj"),
    *linear(f"{_BLOCK}.attention.distances.queries", f"{_SELF}.pos_query_proj"),
    *linear("encoder.context.norm", "deberta.encoder.LayerNorm"),
    *linear("encoder.blocks.0.convolution.neighbours", "deberta.encoder.conv.conv"),
    *linear("encoder.blocks.0.convolution.norm", "deberta.encoder.conv.LayerNorm"),
)

_LEGACY_HEAD = (
    *linear("heads.mlm.transform", "cls.predictions.transform.dense"),
    *linear("heads.mlm.norm", "cls.predictions.transform.LayerNorm"),
    Rule("heads.mlm.decoder.bias", ("cls.predictions.bias",)),
)
_HEAD = (
    *linear("heads.mlm.transform", "lm_predictions.lm_head.dense"),
    *linear("heads.mlm.norm", "lm_predictions.lm_head.LayerNorm"),
    Rule("heads.mlm.decoder.bias", ("lm_predictions.lm_head.bias",)),
)
_LEGACY_SIGN = "cls.predictions.transform.dense.weight"
_SIGN = "lm_predictions.lm_head.dense.weight"

KEYS = KeyTable(
    encoder=(*_AROUND, *_V1),
    heads={
        "mlm": _HEAD,
        "rtd": (
            *linear("heads.rtd.dense", "mask_predictions.dense"),
            *linear("heads.rtd.norm", "mask_predictions.LayerNorm"),
            *linear("heads.rtd.output", "mask_predictions.classifier"),
        ),
        "span": linear("heads.span.outputs", "qa_outputs"),
        "pooled_classifier": (
            *linear("heads.pooled_classifier.pooler.dense", "pooler.dense"),
            *linear("heads.pooled_classifier.classifier", "classifier"),
        ),
        "classifier": linear("heads.classifier.classifier", "classifier"),
    },
    signs={
        "mlm": (_SIGN,),
        "rtd": ("mask_predictions.dense.weight",),
        "span": ("qa_outputs.weight",),
        "pooled_classifier": ("classifier.weight", "pooler.dense.weight"),
        "classifier": ("classifier.weight",),
    },
    unless={
        "span": ("mlm", "rtd"),
        "pooled_classifier": ("mlm", "rtd", "span"),
        "classifier": ("mlm", "rtd", "span", "pooled_classifier"),
    },
    sized={"pooled_classifier": "classifier.weight", "classifier": "classifier.weight"},
    prefix="deberta.",
    outside=(
        "cls.",
        "lm_predictions.",
        "mask_predictions.",
        "pooler.",
        "classifier.",
        "qa_outputs.",
    ),
    endings={"gamma": "weight", "beta": "bias"},
    tied={"heads.mlm.decoder.weight": "encoder.embedding.tokens.weight"},
    copies={
        "cls.predictions.decoder.weight": "deberta.embeddings.word_embeddings.weight",
        "cls.predictions.decoder.bias": "cls.predictions.bias",
    },
    ignored={"deberta.embeddings.position_ids": "the numbers 0, 1, 2, ..."},
    unused={},
)


def _as_written(config: DebertaConfig, keys: KeyTable) -> KeyTable:
    if not config.legacy:
        return keys
    return replace(
        keys,
        heads={**keys.heads, "mlm": _LEGACY_HEAD},
        signs={**keys.signs, "mlm": (_LEGACY_SIGN,)},
    )


def _as_found(config: DebertaConfig, names: Collection[str]) -> DebertaConfig:
    """The masked language model's names and decoder are what the weights say.

    Published folders say neither in config.json.
    """
    told: dict[str, Any] = {}
    if _SIGN in names or _LEGACY_SIGN in names:
        told["legacy"] = _SIGN not in names
        if _POSITIONS in names and not config.position_biased_input:
            told["enhanced_mask_decoder"] = True
    return config.model_copy(update=told)


def _unread(config: DebertaConfig, names: Collection[str]) -> dict[str, str]:
    is_read = config.position_biased_input or (
        config.reads_positions_late and (_SIGN in names or _LEGACY_SIGN in names)
    )
    reason = "only a masked language model looks at absolute positions, and there is none"
    return {} if is_read else {_POSITIONS: reason}


_WITH_JUDGE = {
    frozenset({"rtd"}): "Model",  # transformers has no class with this head
    frozenset({"mlm", "rtd"}): "ForMaskedLM",
}
_MISSING: dict[str, object] = {
    "relative_attention": False,
    "pos_att_type": (),
    "position_biased_input": True,
    "enhanced_mask_decoder": False,
    "legacy": True,
}
_FIXED: dict[str, object] = {
    "z_steps": 0,
    "talking_head": False,
    "is_decoder": False,
    "add_cross_attention": False,
    "tie_word_embeddings": True,
    "pruned_heads": {},
}

FAMILY = Family(
    config=DebertaConfig,
    fields={name: name for name in DebertaConfig.model_fields}
    | {"classifier_dropout": "cls_dropout"},
    fixed=_FIXED,
    keys=KEYS,
    architectures=architectures("Deberta", _WITH_JUDGE),
    fine_tuned=fine_tuned("Deberta", [kind for kind in KINDS if kind != "MultipleChoice"]),
    defaults=_MISSING,
    as_found=_as_found,
    as_written=_as_written,
    unread=_unread,
)
V2_FAMILY = replace(
    FAMILY.spelled("Deberta", "DebertaV2", DebertaV2Config),
    fields={name: name for name in DebertaV2Config.model_fields}
    | {"classifier_dropout": "cls_dropout"},
    keys=replace(KEYS, encoder=(*_AROUND, *_V2)),
    fine_tuned=fine_tuned("DebertaV2"),
    defaults={
        **_MISSING,
        "hidden_size": 1536,
        "num_hidden_layers": 24,
        "num_attention_heads": 24,
        "intermediate_size": 6144,
        "position_buckets": -1,
        "share_att_key": False,
        "norm_rel_ebd": "none",
    },
)
