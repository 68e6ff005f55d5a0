"""Sizes by name."""

from __future__ import annotations

from typing import Literal

Preset = Literal["tiny", "mini", "small", "medium", "base", "large"]

_SHAPES: tuple[tuple[Preset, int, int], ...] = (
    ("tiny", 2, 128),
    ("mini", 4, 256),
    ("small", 4, 512),
    ("medium", 8, 512),
    ("base", 12, 768),
    ("large", 24, 1024),
)

PRESETS: dict[Preset, dict[str, int]] = {
    name: {
        "num_hidden_layers": layers,
        "hidden_size": width,
        "num_attention_heads": width // 64,
        "intermediate_size": 4 * width,
    }
    for name, layers, width in _SHAPES
}
"""Layers and widths: base and large of Devlin et al. 2019, the smaller ones of Turc et al. 2019."""
