"""Vectors of a file of texts, written as they are made: `.npy`, or Parquet with ids and texts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from unmask.data.labelled.examples import TextExample
from unmask.data.whole_file import whole_path
from unmask.errors import UsageError

ENDINGS = (".npy", ".parquet")
_AT_ONCE = 4096
"""Texts encoded and written together."""
Encode = Callable[[list[str]], NDArray[np.float32]]


class Sink(Protocol):
    """Takes vectors in order."""

    def add(self, some: tuple[TextExample, ...], vectors: NDArray[np.float32]) -> None:
        """Those of some texts."""

    def finish(self) -> None:
        """After the last one."""

    def close(self) -> None:
        """In the end, whatever happened."""


def write_vectors(
    texts: Iterable[TextExample], encode: Encode, dimension: int, output: Path
) -> int:
    """Encodes the texts and writes (N, D) float32 to `output`, which appears when it is whole.

    `.npy` has the vectors alone, in the order of the texts; `.parquet` has `id`, `text` and
    `embedding`. Memory is for some thousand texts. Returns N.

    Raises:
        UsageError: Another ending.
        MachineError: The file cannot be written.
    """
    if output.suffix not in ENDINGS:
        raise UsageError(f"--output {output}: expected a name that ends in {' or '.join(ENDINGS)}.")
    with whole_path(output) as temporary:
        return _written(texts, encode, dimension, temporary, output.suffix)


def _written(
    texts: Iterable[TextExample], encode: Encode, dimension: int, file: Path, ending: str
) -> int:
    sink: Sink = _Npy(file, dimension) if ending == ".npy" else _Parquet(file, dimension)
    total = 0
    with closing(sink):
        for some in _batches(texts):
            sink.add(some, encode([one.text for one in some]))
            total += len(some)
        sink.finish()
    return total


def _batches(texts: Iterable[TextExample]) -> Iterator[tuple[TextExample, ...]]:
    coming = iter(texts)
    while some := tuple(islice(coming, _AT_ONCE)):
        yield some


class _Npy:
    """Rows one after another under a header that is written last, when their number is known."""

    def __init__(self, file: Path, dimension: int) -> None:
        self._file = file.open("wb")
        self._dimension = dimension
        self._rows = 0
        self._header()

    def add(self, _some: tuple[TextExample, ...], vectors: NDArray[np.float32]) -> None:
        self._file.write(np.ascontiguousarray(vectors, dtype="<f4").tobytes())
        self._rows += len(vectors)

    def finish(self) -> None:
        self._file.seek(0)
        self._header()

    def close(self) -> None:
        self._file.close()

    def _header(self) -> None:
        # The library pads headers so that a longer number of rows fits in the same length.
        np.lib.format.write_array_header_1_0(
            self._file,
            {"descr": "<f4", "fortran_order": False, "shape": (self._rows, self._dimension)},
        )


class _Parquet:
    """Row groups of ids, texts and vectors."""

    def __init__(self, file: Path, dimension: int) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        self._kind = pa.list_(pa.float32(), dimension)
        fields = [("id", pa.string()), ("text", pa.string()), ("embedding", self._kind)]
        self._schema = pa.schema(fields)
        self._writer = pq.ParquetWriter(file, self._schema)

    def add(self, some: tuple[TextExample, ...], vectors: NDArray[np.float32]) -> None:
        import pyarrow as pa

        flat = pa.array(vectors.reshape(-1), type=pa.float32())
        columns = [
            pa.array([one.id for one in some], type=pa.string()),
            pa.array([one.text for one in some], type=pa.string()),
            pa.FixedSizeListArray.from_arrays(flat, type=self._kind),
        ]
        self._writer.write_table(pa.Table.from_arrays(columns, schema=self._schema))

    def finish(self) -> None:
        """Nothing beyond what closing does."""

    def close(self) -> None:
        self._writer.close()
