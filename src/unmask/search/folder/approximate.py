"""Faiss indexes over a segment's vectors, with the recall that they were measured at.

What such an index proposes is scored again by the vectors themselves, so that scores of all
segments compare, and 8 bits a number cost recall alone, never a wrong score. Where it finds fewer
than there are, everything is looked at.
"""

from __future__ import annotations

import logging
import math
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmask.errors import DataError, MachineError
from unmask.search.config import GRAPH_FROM, IndexConfig
from unmask.search.embedder import Vectors
from unmask.search.extras import faiss
from unmask.search.folder.manifest import ApproximateEntry
from unmask.search.folder.nearest import Found, best, exact

logger = logging.getLogger(__name__)

WORTH_FROM = 1_000
"""Fewer passages are always looked at one by one, which is quicker."""
NEIGHBOURS = 10
"""Nearest vectors that recall is measured on: as many as a search shows by itself."""
SAMPLE = 200
"""Questions that it is measured by: 2,000 neighbours, so that at a recall of 0.98 the figure is
right to about 0.003 (one standard error)."""
_LINKS = 32
"""Of a node in a graph, as faiss advises: 256 bytes beside the 1,536 of a vector of 384 numbers."""
_EFFORTS = (16, 32, 64, 128, 256, 512, 1024)
"""Tried in turn, each twice as slow as the one before."""
_SMALL_EFFORTS = (1, 2, 4)
"""Before those for cells, one of which is a far greater share than one node of a graph."""
_CELLS_BY_ROOT = 4
_VECTORS_OF_CELL = 39
"""As faiss advises: 4 sqrt(N) cells, each with at least 39 vectors to learn it from."""
_LEARNED_OF_CELL = 64
_LEARNED_LEAST = 10_000
"""Vectors that cells are learned from, each, and that ranges of 8 bits are learned from."""
_OVERFETCH = 4
"""Candidates for each result, where codes are coarser than vectors."""
_SEED = 20_240_101
"""Draws what is learned from and what is measured by, so that the same vectors give one index."""
_ADDED = 65_536
"""Vectors handed to faiss at once: 100 MB of 384 dimensions."""
_GATHERED = 65_536
"""Vectors copied out at once to be scored again: as much."""
_ROUNDING = 1e-5
"""Between two scores of the same vectors, multiplied in another order."""
_LEAST_SHARE = 0.02
"""Of the rows, that may be found, up to which these alone are looked at, which is quicker; and of
those that may be found, that are wanted, beyond which all are."""
_FOURCC = {"HNSW": {b"IHNf", b"IHNs"}, "IVF": {b"IwFl", b"IwSq"}, "SQ8": {b"IxSQ"}}


def factory_for(config: IndexConfig, num_passages: int) -> str | None:
    """What faiss is to build over so many vectors; None to look at all of them."""
    kind = config.kind
    if kind == "auto":
        kind = "hnsw" if num_passages > GRAPH_FROM else "exact"
    coarse = config.quantise == "sq8"
    if num_passages < WORTH_FROM or (kind == "exact" and not coarse):
        return None
    if kind == "exact":
        return "SQ8"
    if kind == "hnsw":
        return f"HNSW{_LINKS}_SQ8" if coarse else f"HNSW{_LINKS}"
    wanted = round(_CELLS_BY_ROOT * math.sqrt(num_passages))
    cells = max(1, min(wanted, num_passages // _VECTORS_OF_CELL))
    return f"IVF{cells},{'SQ8' if coarse else 'Flat'}"


def build(vectors: Vectors, factory: str, recall: float, path: Path) -> ApproximateEntry:
    """Builds the index into a file, and finds the least effort that reaches the recall.

    Raises:
        MachineError: The extra `search` is not installed, or the file cannot be written.
    """
    library = faiss()
    index = library.index_factory(vectors.shape[1], factory, library.METRIC_INNER_PRODUCT)
    chance = np.random.default_rng(_SEED)
    num_cells = index.nlist if factory.startswith("IVF") else 0
    rows = _drawn(chance, len(vectors), max(_LEARNED_LEAST, _LEARNED_OF_CELL * num_cells))
    index.train(np.ascontiguousarray(vectors[rows]))
    for start in range(0, len(vectors), _ADDED):
        index.add(np.ascontiguousarray(vectors[start : start + _ADDED]))
    try:
        library.write_index(index, str(path))
    except RuntimeError as error:
        free = shutil.disk_usage(path.parent).free
        raise MachineError(
            f"{path}: faiss cannot write it ({str(error).splitlines()[-1][:200]}; "
            f"{free / 2**20:.0f} MiB free). Make room; the documents are kept, and the same "
            "command goes on."
        ) from error
    asked = questions(vectors, chance)
    effort, found = _tuned(Approximate(index, factory, 0), vectors, asked, recall)
    if found < recall:
        logger.warning(
            "%s finds a share of %.4f of the %d nearest, and --recall is %g: it looks as long as "
            "it may. An index by --kind exact without --quantise finds all.",
            factory,
            found,
            NEIGHBOURS,
            recall,
        )
    return ApproximateEntry(
        file=path.name,
        factory=factory,
        effort=effort,
        recall=found,
        neighbours=NEIGHBOURS,
        sample=len(asked),
    )


def load(path: Path, entry: ApproximateEntry, shape: tuple[int, int]) -> Approximate:
    """The index in a file whose hash was compared before, memory-mapped as far as faiss can.

    Faiss reads binary without much doubt, so what can be checked is before: kind, width, number.

    Raises:
        DataError: It is another index than the manifest says.
        MachineError: The extra `search` is not installed.
    """
    with path.open("rb") as file:
        head = file.read(16)
    kind = next((kind for kind in _FOURCC if entry.factory.startswith(kind)), "")
    found = (int.from_bytes(head[8:16], "little"), int.from_bytes(head[4:8], "little"))
    if head[:4] not in _FOURCC.get(kind, ()) or found != shape:
        raise DataError(
            f"{path}: is not the {entry.factory} index over {shape[0]} vectors of {shape[1]} "
            "dimensions that the manifest names. Do not trust this index."
        )
    library = faiss()
    try:
        index = library.read_index(str(path), library.IO_FLAG_MMAP_IFC)
    except RuntimeError as error:
        raise DataError(
            f"{path}: faiss cannot read it ({str(error).splitlines()[-1][:200]}). Take another "
            "copy of the index."
        ) from error
    if (index.ntotal, index.d) != shape or not index.is_trained:
        raise DataError(f"{path}: does not hold what its head says. Do not trust this index.")
    return Approximate(index, entry.factory, entry.effort)


@dataclass(frozen=True)
class Approximate:
    """A faiss index and how long it looks."""

    index: Any
    factory: str
    effort: int

    def search(
        self, vectors: Vectors, queries: Vectors, top_k: int, mask: NDArray[np.bool_] | None
    ) -> Found:
        """As `nearest.exact`, but some of the nearest may be missing, never any of the number."""
        allowed = len(vectors) if mask is None else int(mask.sum())
        if allowed <= _LEAST_SHARE * len(vectors) or top_k > _LEAST_SHARE * allowed:
            return exact(vectors, queries, top_k, mask)
        size = max(1, _GATHERED // self._wanted(len(vectors), top_k))
        parts = [
            self._search(vectors, queries[start : start + size], top_k, mask)
            for start in range(0, len(queries), size)
        ]
        if not parts:
            return exact(vectors, queries, top_k, mask)
        return np.concatenate([rows for rows, _ in parts]), np.concatenate([s for _, s in parts])

    def _search(
        self, vectors: Vectors, queries: Vectors, top_k: int, mask: NDArray[np.bool_] | None
    ) -> Found:
        """The best of what faiss finds, scored again; everything where it finds too few."""
        wanted = self._wanted(len(vectors), top_k)
        _, rows = self.index.search(queries, wanted, params=self._parameters(wanted, mask))
        near = vectors[np.maximum(rows, 0)]  # (Q, wanted, D)
        scores = np.einsum("qkd,qd->qk", near, queries)
        rows, scores = best(rows.astype(np.int64), np.where(rows < 0, -np.inf, scores), top_k)
        short = np.flatnonzero((rows < 0).any(axis=1))
        if len(short):
            rows[short], scores[short] = exact(vectors, queries[short], top_k, mask)
        return rows, scores

    def _wanted(self, num_vectors: int, top_k: int) -> int:
        """Candidates to ask faiss for."""
        return min(num_vectors, _OVERFETCH * top_k if "SQ8" in self.factory else top_k)

    def _parameters(self, wanted: int, mask: NDArray[np.bool_] | None) -> Any:
        library = faiss()
        chosen, share = None, 1.0
        if mask is not None:
            chosen = library.IDSelectorBitmap(np.packbits(mask, bitorder="little"))
            share = float(mask.mean())
        # What may not be found takes places among what is kept in view.
        effort = max(1, round(self.effort / share))
        if self.factory.startswith("HNSW"):
            effort = max(effort, round(wanted / share))
            return library.SearchParametersHNSW(sel=chosen, efSearch=effort)
        if self.factory.startswith("IVF"):
            return library.SearchParametersIVF(sel=chosen, nprobe=min(effort, self.index.nlist))
        return library.SearchParameters(sel=chosen)


def questions(vectors: Vectors, chance: np.random.Generator) -> Vectors:
    """(Q, D) vectors such as questions have, each midway between two that are stored.

    What is asked lies between what is stored, where graphs and cells miss more than around a stored
    vector (docs/log.md, 2026-11-25).
    """
    number = min(SAMPLE, len(vectors))
    ones, others = (np.sort(chance.choice(len(vectors), number, replace=False)) for _ in range(2))
    middle: Vectors = (vectors[ones] + chance.permutation(vectors[others])) / 2
    return middle


def _tuned(
    index: Approximate, vectors: Vectors, queries: Vectors, wanted: float
) -> tuple[int, float]:
    """The least effort that finds the share wanted, or the greatest, and what it finds."""
    top_k = min(NEIGHBOURS, len(vectors))
    truth = exact(vectors, queries, top_k, None)
    efforts: tuple[int, ...] = (0,)
    if index.factory.startswith("HNSW"):
        efforts = _EFFORTS
    elif index.factory.startswith("IVF"):
        cells = index.index.nlist
        efforts = (*(effort for effort in (*_SMALL_EFFORTS, *_EFFORTS) if effort < cells), cells)
    reached = 0.0
    for effort in efforts:
        trial = Approximate(index.index, index.factory, effort)
        reached = recall_of(truth, trial.search(vectors, queries, top_k, None))
        if reached >= wanted:
            return effort, reached
    return efforts[-1], reached


def recall_of(truth: Found, found: Found) -> float:
    """Share of the nearest of each query that were found, by scores: of equal vectors any will do.

    Both are of (Q, k) rows, as many for each query.
    """
    least = truth[1].min(axis=1, keepdims=True) - _ROUNDING
    return float((found[1] >= least).mean())


def _drawn(chance: np.random.Generator, total: int, size: int) -> NDArray[np.int64]:
    """So many rows, ascending; all where there are no more."""
    if size >= total:
        return np.arange(total)
    return np.sort(chance.choice(total, size, replace=False))
