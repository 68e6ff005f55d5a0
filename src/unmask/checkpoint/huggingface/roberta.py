"""RoBERTa's names at Hugging Face (transformers, `models/roberta/modeling_roberta.py`)."""

from __future__ import annotations

from dataclasses import replace

from unmask.checkpoint.huggingface import bert
from unmask.checkpoint.huggingface.family import (
    WITH_POOLER,
    Family,
    architectures,
    fine_tuned,
)
from unmask.checkpoint.huggingface.keys import KeyTable, Rule, linear
from unmask.models.config import RobertaConfig, XlmRobertaConfig

KEYS = KeyTable(
    encoder=tuple(rule.renamed("bert.", "roberta.") for rule in bert.KEYS.encoder),
    heads={
        "mlm": (
            *linear("heads.mlm.transform", "lm_head.dense"),
            *linear("heads.mlm.norm", "lm_head.layer_norm"),
            Rule("heads.mlm.decoder.bias", ("lm_head.bias",)),
        ),
        "span": linear("heads.span.outputs", "qa_outputs"),
        "pooled_classifier": (
            *linear("heads.pooled_classifier.pooler.dense", "classifier.dense"),
            *linear("heads.pooled_classifier.classifier", "classifier.out_proj"),
        ),
        "classifier": linear("heads.classifier.classifier", "classifier"),
        "pooler": linear("heads.pooler.dense", "roberta.pooler.dense"),
    },
    signs={
        "mlm": ("lm_head.dense.weight",),
        "span": ("qa_outputs.weight",),
        "pooled_classifier": ("classifier.out_proj.weight",),
        "classifier": ("classifier.weight",),
        "pooler": ("roberta.pooler.dense.weight",),
    },
    unless={
        "span": ("mlm",),
        "pooled_classifier": ("mlm", "span"),
        "classifier": ("mlm", "span", "pooled_classifier"),
    },
    sized={
        "pooled_classifier": "classifier.out_proj.weight",
        "classifier": "classifier.weight",
    },
    prefix="roberta.",
    outside=("lm_head.", "classifier.", "qa_outputs."),
    endings={},
    tied=bert.KEYS.tied,
    copies={
        "lm_head.decoder.weight": "roberta.embeddings.word_embeddings.weight",
        "lm_head.decoder.bias": "lm_head.bias",
    },
    ignored={"roberta.embeddings.position_ids": "the numbers 0, 1, 2, ..."},
    unused=dict.fromkeys(
        ("SequenceClassification", "TokenClassification", "QuestionAnswering"),
        ("roberta.pooler.dense.weight", "roberta.pooler.dense.bias"),
    ),
)


def choices_on_pooler(keys: KeyTable) -> dict[str, KeyTable]:
    """Multiple choice stands on the encoder's own pooler, other classifiers on one of theirs."""
    unless = {**keys.unless, "pooler": ("pooled_classifier",)}
    return {
        "MultipleChoice": replace(keys.standing_on(f"{keys.prefix}pooler.dense"), unless=unless)
    }


FAMILY = Family(
    config=RobertaConfig,
    fields={name: name for name in RobertaConfig.model_fields},
    fixed=bert.FIXED,
    keys=KEYS,
    architectures=architectures("Roberta", WITH_POOLER),
    fine_tuned=fine_tuned("Roberta"),
    defaults={"max_position_embeddings": 512, "type_vocab_size": 2, "layer_norm_eps": 1e-12},
    keys_by_kind=choices_on_pooler(KEYS),
)
XLM_FAMILY = FAMILY.spelled("Roberta", "XLMRoberta", XlmRobertaConfig)
