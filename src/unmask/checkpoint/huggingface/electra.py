"""ELECTRA's names at Hugging Face (transformers, `models/electra/modeling_electra.py`)."""

from __future__ import annotations

from unmask.checkpoint.huggingface import bert
from unmask.checkpoint.huggingface.family import Family, architectures, fine_tuned
from unmask.checkpoint.huggingface.keys import KeyTable, Rule, linear
from unmask.models.config import ElectraConfig

KEYS = KeyTable(
    encoder=(
        *(rule.renamed("bert.", "electra.") for rule in bert.KEYS.encoder),
        *linear("encoder.embedding.projection", "electra.embeddings_project"),
    ),
    heads={
        "mlm": (
            *linear("heads.mlm.transform", "generator_predictions.dense"),
            *linear("heads.mlm.norm", "generator_predictions.LayerNorm"),
            Rule("heads.mlm.decoder.bias", ("generator_lm_head.bias",)),
        ),
        "rtd": (
            *linear("heads.rtd.dense", "discriminator_predictions.dense"),
            *linear("heads.rtd.output", "discriminator_predictions.dense_prediction"),
        ),
        "span": linear("heads.span.outputs", "qa_outputs"),
        "pooled_classifier": (
            *linear("heads.pooled_classifier.pooler.dense", "classifier.dense"),
            *linear("heads.pooled_classifier.classifier", "classifier.out_proj"),
        ),
        "classifier": linear("heads.classifier.classifier", "classifier"),
    },
    signs={
        "mlm": ("generator_predictions.dense.weight",),
        "rtd": ("discriminator_predictions.dense.weight",),
        "span": ("qa_outputs.weight",),
        "pooled_classifier": ("classifier.out_proj.weight",),
        "classifier": ("classifier.weight",),
    },
    unless={
        "rtd": ("mlm",),
        "span": ("mlm", "rtd"),
        "pooled_classifier": ("mlm", "rtd", "span"),
        "classifier": ("mlm", "rtd", "span", "pooled_classifier"),
    },
    sized={
        "pooled_classifier": "classifier.out_proj.weight",
        "classifier": "classifier.weight",
    },
    prefix="electra.",
    outside=(
        "generator_predictions.",
        "generator_lm_head.",
        "discriminator_predictions.",
        "classifier.",
        "qa_outputs.",
        "sequence_summary.",
    ),
    endings={},
    tied=bert.KEYS.tied,
    copies={"generator_lm_head.weight": "electra.embeddings.word_embeddings.weight"},
    ignored={"electra.embeddings.position_ids": "the numbers 0, 1, 2, ..."},
    unused={},
)

FAMILY = Family(
    config=ElectraConfig,
    fields={name: name for name in ElectraConfig.model_fields},
    fixed={
        **{name: value for name, value in bert.FIXED.items() if name != "pruned_heads"},
        "summary_type": "first",
        "summary_use_proj": True,
        "summary_activation": "gelu",
    },
    keys=KEYS,
    architectures=architectures("Electra", {frozenset({"rtd"}): "ForPreTraining"}),
    fine_tuned=fine_tuned("Electra"),
    keys_by_kind={"MultipleChoice": KEYS.standing_on("sequence_summary.summary")},
)
