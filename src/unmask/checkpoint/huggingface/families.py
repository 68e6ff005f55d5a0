"""The families that can be read, by Hugging Face's `model_type`."""

from __future__ import annotations

from unmask.checkpoint.huggingface import (
    albert,
    bert,
    deberta,
    distilbert,
    electra,
    left_to_right,
    modernbert,
    mpnet,
    roberta,
)
from unmask.checkpoint.huggingface.family import Family
from unmask.models.config import EncoderConfig, FamilyName, family_name

FAMILIES: dict[FamilyName, Family] = {
    "bert": bert.FAMILY,
    "roberta": roberta.FAMILY,
    "xlm-roberta": roberta.XLM_FAMILY,
    "albert": albert.FAMILY,
    "electra": electra.FAMILY,
    "distilbert": distilbert.FAMILY,
    "mpnet": mpnet.FAMILY,
    "deberta": deberta.FAMILY,
    "deberta-v2": deberta.V2_FAMILY,
    "left-to-right": left_to_right.FAMILY,
    "modernbert": modernbert.FAMILY,
}


def family_of(config: EncoderConfig) -> Family:
    """The family that a config belongs to."""
    return FAMILIES[family_name(config)]
