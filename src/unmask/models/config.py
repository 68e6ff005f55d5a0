"""Sizes of the families; imports no tensors, so that a command line can read them fast."""

from __future__ import annotations

from typing import Literal, get_args

from unmask.models.sizes.albert import AlbertConfig as AlbertConfig
from unmask.models.sizes.bert import BertConfig as BertConfig
from unmask.models.sizes.deberta import DebertaConfig as DebertaConfig
from unmask.models.sizes.deberta import DebertaV2Config as DebertaV2Config
from unmask.models.sizes.distilbert import DistilBertConfig as DistilBertConfig
from unmask.models.sizes.electra import ElectraConfig as ElectraConfig
from unmask.models.sizes.encoder import Activation as Activation
from unmask.models.sizes.encoder import EncoderConfig as EncoderConfig
from unmask.models.sizes.left_to_right import LeftToRightConfig as LeftToRightConfig
from unmask.models.sizes.modernbert import ModernBertConfig as ModernBertConfig
from unmask.models.sizes.mpnet import MPNET_PADDING as MPNET_PADDING
from unmask.models.sizes.mpnet import MpnetConfig as MpnetConfig
from unmask.models.sizes.presets import PRESETS as PRESETS
from unmask.models.sizes.presets import Preset as Preset
from unmask.models.sizes.roberta import RobertaConfig as RobertaConfig
from unmask.models.sizes.roberta import XlmRobertaConfig as XlmRobertaConfig

FamilyName = Literal[
    "bert",
    "roberta",
    "xlm-roberta",
    "albert",
    "electra",
    "distilbert",
    "mpnet",
    "deberta",
    "deberta-v2",
    "modernbert",
    "left-to-right",
]
"""Hugging Face's `model_type`."""

CONFIGS: dict[FamilyName, type[EncoderConfig]] = {
    "bert": BertConfig,
    "roberta": RobertaConfig,
    "xlm-roberta": XlmRobertaConfig,
    "albert": AlbertConfig,
    "electra": ElectraConfig,
    "distilbert": DistilBertConfig,
    "mpnet": MpnetConfig,
    "deberta": DebertaConfig,
    "deberta-v2": DebertaV2Config,
    "modernbert": ModernBertConfig,
    "left-to-right": LeftToRightConfig,
}
"""The config of each family."""
assert tuple(CONFIGS) == get_args(FamilyName)


def family_name(config: EncoderConfig) -> FamilyName:
    """The family that a config belongs to."""
    return next(name for name, kind in CONFIGS.items() if type(config) is kind)
