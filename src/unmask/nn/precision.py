"""Which arithmetic a forward pass uses, in training and in answering."""

from __future__ import annotations

import torch

_FAST_ON_CPU = ("avx512_bf16", "amx_bf16")
"""Instructions that multiply bfloat16; without them a CPU emulates it, slower than float32."""


def uses_bf16(precision: str, device: torch.device) -> bool:
    """Whether to compute in bfloat16: as asked, or for "auto" where the device multiplies it."""
    if precision != "auto":
        return precision == "bf16"
    if device.type == "cuda":
        with torch.cuda.device(device):
            return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    capabilities = torch.cpu.get_capabilities()
    return any(capabilities.get(name, False) for name in _FAST_ON_CPU)
