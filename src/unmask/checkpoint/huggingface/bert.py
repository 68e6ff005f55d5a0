"""BERT's names at Hugging Face (transformers, `models/bert/modeling_bert.py`)."""

from __future__ import annotations

from unmask.checkpoint.huggingface.family import (
    WITH_POOLER,
    Family,
    architectures,
    fine_tuned,
)
from unmask.checkpoint.huggingface.keys import KeyTable, Rule, linear
from unmask.models.config import BertConfig

_LAYER = "bert.encoder.layer.{layer}"
_BLOCK = "encoder.blocks.{layer}"

KEYS = KeyTable(
    encoder=(
        Rule("encoder.embedding.tokens.weight", ("bert.embeddings.word_embeddings.weight",)),
        Rule("encoder.embedding.positions.weight", ("bert.embeddings.position_embeddings.weight",)),
        Rule(
            "encoder.embedding.segments.weight", ("bert.embeddings.token_type_embeddings.weight",)
        ),
        *linear("encoder.embedding.norm", "bert.embeddings.LayerNorm"),
        *linear(
            f"{_BLOCK}.attention.qkv",
            f"{_LAYER}.attention.self.query",
            f"{_LAYER}.attention.self.key",
            f"{_LAYER}.attention.self.value",
        ),
        *linear(f"{_BLOCK}.attention.output", f"{_LAYER}.attention.output.dense"),
        *linear(f"{_BLOCK}.attention_norm", f"{_LAYER}.attention.output.LayerNorm"),
        *linear(f"{_BLOCK}.feedforward.widen", f"{_LAYER}.intermediate.dense"),
        *linear(f"{_BLOCK}.feedforward.narrow", f"{_LAYER}.output.dense"),
        *linear(f"{_BLOCK}.feedforward_norm", f"{_LAYER}.output.LayerNorm"),
    ),
    heads={
        "mlm": (
            *linear("heads.mlm.transform", "cls.predictions.transform.dense"),
            *linear("heads.mlm.norm", "cls.predictions.transform.LayerNorm"),
            Rule("heads.mlm.decoder.bias", ("cls.predictions.bias",)),
        ),
        "nsp": (
            *linear("heads.nsp.pooler.dense", "bert.pooler.dense"),
            *linear("heads.nsp.classifier", "cls.seq_relationship"),
        ),
        "span": linear("heads.span.outputs", "qa_outputs"),
        "pooled_classifier": (
            *linear("heads.pooled_classifier.pooler.dense", "bert.pooler.dense"),
            *linear("heads.pooled_classifier.classifier", "classifier"),
        ),
        "classifier": linear("heads.classifier.classifier", "classifier"),
        "pooler": linear("heads.pooler.dense", "bert.pooler.dense"),
    },
    signs={
        "mlm": ("cls.predictions.transform.dense.weight",),
        "nsp": ("cls.seq_relationship.weight",),
        "span": ("qa_outputs.weight",),
        "pooled_classifier": ("classifier.weight", "bert.pooler.dense.weight"),
        "classifier": ("classifier.weight",),
        "pooler": ("bert.pooler.dense.weight",),
    },
    unless={
        "span": ("mlm", "nsp"),
        "pooled_classifier": ("mlm", "nsp", "span"),
        "classifier": ("mlm", "nsp", "span", "pooled_classifier"),
        "pooler": ("nsp", "pooled_classifier"),
    },
    sized={"pooled_classifier": "classifier.weight", "classifier": "classifier.weight"},
    prefix="bert.",
    outside=("cls.", "classifier.", "qa_outputs."),
    endings={"gamma": "weight", "beta": "bias"},
    tied={"heads.mlm.decoder.weight": "encoder.embedding.tokens.weight"},
    copies={
        "cls.predictions.decoder.weight": "bert.embeddings.word_embeddings.weight",
        "cls.predictions.decoder.bias": "cls.predictions.bias",
    },
    ignored={"bert.embeddings.position_ids": "the numbers 0, 1, 2, ..."},
    unused={  # transformers left it out of these classes in version 4
        "TokenClassification": ("bert.pooler.dense.weight", "bert.pooler.dense.bias"),
        "QuestionAnswering": ("bert.pooler.dense.weight", "bert.pooler.dense.bias"),
    },
)

FIXED: dict[str, object] = {
    "position_embedding_type": "absolute",
    "is_decoder": False,
    "add_cross_attention": False,
    "tie_word_embeddings": True,
    "pruned_heads": {},
}
"""Settings that change what is computed, and the one value that is built here."""

FAMILY = Family(
    config=BertConfig,
    fields={name: name for name in BertConfig.model_fields},
    fixed=FIXED,
    keys=KEYS,
    architectures=architectures(
        "Bert",
        {
            **WITH_POOLER,
            frozenset({"nsp"}): "ForNextSentencePrediction",
            frozenset({"mlm", "nsp"}): "ForPreTraining",
        },
    ),
    fine_tuned=fine_tuned("Bert"),
)
