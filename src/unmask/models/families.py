"""Every family by its name."""

from __future__ import annotations

from collections.abc import Mapping

from unmask.models import (
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
from unmask.models.config import EncoderConfig, FamilyName, family_name
from unmask.models.family import Family

FAMILIES: Mapping[FamilyName, Family] = {
    "bert": bert.FAMILY,
    "roberta": roberta.FAMILY,
    "xlm-roberta": roberta.FAMILY,
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
    """The builders for a config."""
    return FAMILIES[family_name(config)]
