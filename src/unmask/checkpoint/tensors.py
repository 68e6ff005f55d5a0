"""Tensors to and from safetensors files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from unmask.checkpoint.safe import Entry, read_header
from unmask.errors import DataError


def read_tensor(entry: Entry) -> Tensor:
    """A copy of one tensor, on the CPU, in the file's dtype.

    The library maps the file; a copy keeps the model alive when the file is overwritten.
    """
    try:
        with safe_open(entry.file, framework="pt") as handle:
            tensor: Tensor = handle.get_tensor(entry.name)
            return tensor.clone()
    except (SafetensorError, OSError) as error:
        raise DataError(f"{entry.file}: `{entry.name}` cannot be read ({error}).") from error


def read_tensors(file: Path) -> dict[str, Tensor]:
    """Every tensor of a file.

    Raises:
        DataError: See `read_header`.
    """
    names = read_header(file)
    try:
        with safe_open(file, framework="pt") as handle:
            return {name: handle.get_tensor(name).clone() for name in names}
    except (SafetensorError, OSError) as error:
        raise DataError(f"{file}: cannot be read ({error}).") from error


def write_tensors(file: Path, tensors: Mapping[str, Tensor]) -> None:
    """Writes one file, with the metadata by which transformers knows torch's layout.

    Raises:
        OSError: As any write; a full disk has its usual number.
    """
    whole = {name: _own_storage(tensor) for name, tensor in tensors.items()}
    file.touch()
    mode = file.stat().st_mode & 0o777  # as the umask has it: the library makes files private
    try:
        save_file(whole, file, metadata={"format": "pt"})
        file.chmod(mode)
    except SafetensorError as error:
        number = re.search(r"os error (\d+)", str(error))
        if number is None:
            raise
        raise OSError(int(number[1]), str(error), str(file)) from error


def _own_storage(tensor: Tensor) -> Tensor:
    """Contiguous on the CPU, sharing nothing: the library refuses views of one storage."""
    tensor = tensor.detach().to("cpu")
    is_whole = tensor.untyped_storage().nbytes() == tensor.nbytes
    return (
        tensor
        if is_whole and tensor.is_contiguous()
        else tensor.clone(memory_format=torch.contiguous_format)
    )
