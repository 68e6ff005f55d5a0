"""How pgvector finds the nearest: by looking at all, by a graph, or in cells."""

from __future__ import annotations

from typing import Any

from unmask.search.config import GRAPH_FROM
from unmask.search.store import About

MOST_INDEXED = 2000
"""Dimensions of a vector that pgvector can index."""
_LEAST_EFFORT, _MOST_EFFORT = 100, 1000
"""Nodes that a graph keeps in view, or cells looked into: twice as many as are wanted, at least
2.5 times pgvector's own 40, and as many as it takes at most."""
_MOST_CELLS = 32_768
"""That pgvector takes; it advises sqrt(N) of them."""
_GROWN = 2.0
"""Cells are made anew where there should be so many times as many, or so many times fewer."""


def build(cursor: Any, prefix: str, about: About, size: int, *, again: bool) -> str:
    """Builds the index over so many passages that the settings want, if they want one.

    One that is there stays, unless its cells are by far too few or too many, or all is to be done
    `again`. Returns the kind that it is: exact, hnsw or ivf.
    """
    kind: str = about.config.kind
    if kind == "auto":
        indexed = size > GRAPH_FROM and about.dimension <= MOST_INDEXED
        kind = "hnsw" if indexed else "exact"
    if kind == "exact" or not size:
        return kind
    name, method = f"{prefix}_nearest", "hnsw (vector vector_ip_ops)"
    if kind == "ivf":
        cells = max(1, min(_MOST_CELLS, round(size**0.5)))
        method = f"ivfflat (vector vector_ip_ops) WITH (lists = {cells})"
        again = again or not _cells_fit(cursor, name, cells)
    if again:
        cursor.execute(f"DROP INDEX IF EXISTS {name}")
    cursor.execute(f"CREATE INDEX IF NOT EXISTS {name} ON {prefix}_passages USING {method}")
    return kind


def set_effort(cursor: Any, top_k: int) -> None:
    """How long the index looks, for this transaction."""
    effort = min(_MOST_EFFORT, max(_LEAST_EFFORT, 2 * top_k))
    for setting in (
        f"hnsw.ef_search = {effort}",
        "hnsw.iterative_scan = 'strict_order'",
        f"ivfflat.probes = {effort}",
        "ivfflat.iterative_scan = 'relaxed_order'",
    ):
        cursor.execute(f"SET LOCAL {setting}")


def _cells_fit(cursor: Any, name: str, wanted: int) -> bool:
    """Whether an index has about so many cells; also where there is none."""
    query = "SELECT reloptions FROM pg_class WHERE oid = to_regclass(%s)"
    found = cursor.execute(query, [name]).fetchone()
    options = dict(one.split("=") for one in (found and found[0]) or [])
    there = int(options.get("lists", wanted))
    return max(there, wanted) < _GROWN * min(there, wanted)
