"""Arrays on disk, looked at in place."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from unmask.errors import DataError


def write_array(path: Path, array: NDArray[Any]) -> None:
    """Writes it in numpy's format."""
    write_parts(path, array.dtype, array.shape, [array])


def write_parts(
    path: Path, dtype: np.dtype[Any], shape: tuple[int, ...], parts: Iterable[NDArray[Any]]
) -> None:
    """Writes parts, one after another, as one array.

    Not through a map: where the disk is full, a page of it that has no place kills the process.

    Raises:
        OSError: The disk is full.
    """
    header = {
        "descr": np.lib.format.dtype_to_descr(dtype),
        "fortran_order": False,
        "shape": shape,
    }
    with path.open("xb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for part in parts:
            file.write(np.ascontiguousarray(part, dtype).data.cast("B") if part.size else b"")


def open_array(path: Path, dtype: DTypeLike, shape: tuple[int | None, ...]) -> NDArray[Any]:
    """The array in a file, memory-mapped; None in `shape` allows any number.

    What is written into it, which nobody does, would not come into the file.

    Raises:
        DataError: No array, or of another type or shape.
    """
    try:
        try:
            found: NDArray[Any] = np.lib.format.open_memmap(
                path, mode="c"
            )  # torch takes none that may not be written
        except ValueError:  # a file of no entries may not be mapped
            with path.open("rb") as file:
                found = np.lib.format.read_array(file, allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise DataError(f"{path}: is no array that can be read ({error}).") from error
    fits = len(found.shape) == len(shape) and all(
        wanted in (None, there) for wanted, there in zip(shape, found.shape, strict=True)
    )
    if found.dtype != np.dtype(dtype) or not fits or not found.flags.c_contiguous:
        raise DataError(
            f"{path}: holds {found.dtype} of shape {found.shape}, expected {np.dtype(dtype)} of "
            f"{tuple('any' if n is None else n for n in shape)}. Do not trust this index."
        )
    return found
