"""The vectors of texts: made by a model, or read from where they were kept."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from unmask.errors import DataError
from unmask.search.embedder import Embedder, Vectors


def encoded(texts: Sequence[str], embedder: Embedder) -> Vectors:
    """(N, D) of texts as documents; equal ones are encoded once, and get equal vectors."""
    places = {text: place for place, text in enumerate(dict.fromkeys(texts))}
    made = embedder.encode_document(list(places))
    if len(places) == len(texts):
        return made
    return made[[places[text] for text in texts]]


def loaded(path: Path, num_texts: int, source: Path) -> NDArray[np.generic]:
    """(N, D) of a `.npy` file, mapped into memory, one row for each text of `source`.

    Raises:
        DataError: No such file, not such a file, or not so many rows.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file; expected vectors as `unmask embed` writes them.")
    try:
        found: NDArray[np.generic] = np.lib.format.open_memmap(path, mode="r")
    except (ValueError, EOFError, OSError) as error:
        raise DataError(
            f"{path}: cannot be read as .npy ({error}); expected an array of numbers, as `unmask "
            "embed --output vectors.npy` or numpy.save writes it."
        ) from error
    if found.ndim != 2 or len(found) != num_texts:
        raise DataError(
            f"{path}: has the shape {found.shape}, but {source} has {num_texts} texts; expected a "
            "row for each, in their order. Records that cannot be read, and blank lines, have none."
        )
    return found
