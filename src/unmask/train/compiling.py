"""Handing the blocks to torch.compile."""

from __future__ import annotations

import os
import shutil

import torch

from unmask.errors import MachineError
from unmask.nn.encoder import Encoder

_COMPILERS = ("g++", "clang++", "c++")


def compile_blocks(encoder: Encoder, device: torch.device) -> None:
    """Compiles each block on its own, for any number of tokens, at its first use.

    Raises:
        MachineError: A CPU needs a C++ compiler, and there is none.
    """
    named = os.environ.get("CXX")
    if device.type == "cpu" and not any(map(shutil.which, (named,) if named else _COMPILERS)):
        raise MachineError(
            f"train.compile needs a C++ compiler, but {named or ', '.join(_COMPILERS)} is not "
            "there: install g++, or leave train.compile out"
        )
    for block in encoder.blocks:
        block.compile(dynamic=True)
