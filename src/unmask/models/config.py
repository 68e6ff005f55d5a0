"""Sizes of the families; imports no tensors, so that a command line can read them fast."""

from __future__ import annotations

from typing import Literal, get_args

from unmask.models.sizes.bert import BertConfig as BertConfig
from unmask.models.sizes.encoder import Activation as Activation
from unmask.models.sizes.encoder import EncoderConfig as EncoderConfig
from unmask.models.sizes.modernbert import ModernBertConfig as ModernBertConfig
from unmask.models.sizes.presets import PRESETS as PRESETS
from unmask.models.sizes.presets import Preset as Preset
from unmask.models.sizes.roberta import RobertaConfig as RobertaConfig
from unmask.models.sizes.roberta import XlmRobertaConfig as XlmRobertaConfig

FamilyName = Literal["bert", "roberta", "xlm-roberta", "modernbert"]
"""Hugging Face's `model_type`."""

CONFIGS: dict[FamilyName, type[EncoderConfig]] = {
    "bert": BertConfig,
    "roberta": RobertaConfig,
    "xlm-roberta": XlmRobertaConfig,
    "modernbert": ModernBertConfig,
}
"""The config of each family."""
assert tuple(CONFIGS) == get_args(FamilyName)


def family_name(config: EncoderConfig) -> FamilyName:
    """The family that a config belongs to."""
    return next(name for name, kind in CONFIGS.items() if type(config) is kind)
