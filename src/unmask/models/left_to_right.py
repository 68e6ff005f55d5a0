"""BERT's encoder with a causal mask: the control of one experiment (docs/objectives.md)."""

from __future__ import annotations

from unmask.models import bert
from unmask.models.config import LeftToRightConfig
from unmask.models.family import Family, no_transform
from unmask.nn.causal import CausalContext
from unmask.nn.encoder import Encoder


def build(config: LeftToRightConfig) -> Encoder:
    """BERT's bricks, and a context in which no token sees what follows it."""
    encoder = bert.build(config)
    encoder.context = CausalContext()
    return encoder


FAMILY = Family(build, bert.build_mlm_head, bert.build_pooler, no_transform)
