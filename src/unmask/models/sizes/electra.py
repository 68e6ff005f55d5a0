"""ELECTRA's numbers."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from unmask.models.sizes.bert import BertConfig
from unmask.models.sizes.presets import Preset


class ElectraConfig(BertConfig):
    """The defaults are ELECTRA-small; its generator is the same with a quarter of the width."""

    detects_replaced: ClassVar[bool] = True

    hidden_size: int = Field(default=256, ge=1, le=16_384)
    """Width of the hidden states."""
    num_attention_heads: int = Field(default=4, ge=1, le=512)
    """Heads of each block; they share out `hidden_size` evenly."""
    intermediate_size: int = Field(default=1024, ge=1, le=65_536)
    """Width inside the feed-forward network."""
    embedding_size: int = Field(default=128, ge=1, le=16_384)
    """Width of the embeddings; a projection widens them where it is not `hidden_size`."""

    @property
    def embedding_width(self) -> int:
        """Columns of the token embedding."""
        return self.embedding_size

    @property
    def judges_pairs(self) -> bool:
        """ELECTRA reads pairs, and learns nothing of them."""
        return False

    @classmethod
    def preset(cls, name: Preset) -> dict[str, int]:
        """Layers and widths by name; the smaller ones have embeddings of at most 128, as
        ELECTRA-small has (Clark et al. 2020, table 6)."""
        sizes = super().preset(name)
        width = sizes["hidden_size"]
        return {**sizes, "embedding_size": width if name in ("base", "large") else min(128, width)}
