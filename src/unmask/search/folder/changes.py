"""What an index folder goes through: documents deleted, segments put together, indexes built.

Each within `Commits.alone`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from unmask.data.manifest import describe
from unmask.search.folder import approximate
from unmask.search.folder.arrays import write_array
from unmask.search.folder.committing import Commits
from unmask.search.folder.manifest import SegmentEntry
from unmask.search.folder.segment import Segment
from unmask.search.folder.writing import merge_segments

_DEAD_SHARE = 1 / 3
"""Of a segment's passages, beyond which those that are left are copied to free the space."""


def without(commits: Commits, ids: Iterable[str]) -> list[SegmentEntry]:
    """The segments' entries with these documents marked as deleted; nothing is committed."""
    gone: dict[int, set[int]] = {}
    for name in ids:
        if (found := commits.now.find(name)) is not None:
            gone.setdefault(found[0], set()).add(found[1])
    entries = list(commits.now.manifest.segments)
    for number, rows in gone.items():
        segment = commits.now.segments[number]
        together = np.union1d(segment.deleted, np.asarray(sorted(rows), dtype=np.int64))
        entries[number] = _marked(commits, segment, together)
    return entries


def _marked(commits: Commits, segment: Segment, deleted: NDArray[np.int64]) -> SegmentEntry:
    name = f"deleted-{len(deleted):09}.npy"
    files = {n: file for n, file in segment.entry.files.items() if n != segment.entry.deleted}
    with commits.new_file(segment.folder, name) as path:
        write_array(path, deleted)
    changed = {
        "deleted": name,
        "deleted_documents": len(deleted),
        "deleted_passages": int(segment.counts[deleted].sum()),
        "files": {**files, name: describe(segment.folder / name)},
    }
    return segment.entry.model_copy(update=changed)


def put_together(commits: Commits, groups: Sequence[range]) -> None:
    """Replaces each group of neighbouring segments by one, all in one commit."""
    if not groups:
        return
    entries: list[SegmentEntry | None] = list(commits.now.manifest.segments)
    for number, group in enumerate(groups, commits.now.manifest.next_segment):
        members = [commits.now.segments[n] for n in group]
        entries[group.start] = merge_segments(commits.path(number), members)
        entries[group.start + 1 : group.stop] = [None] * (len(group) - 1)
    commits.commit([entry for entry in entries if entry is not None])
    commits.sweep()


def drop_dead(commits: Commits, share: float = _DEAD_SHARE) -> None:
    """Copies what is left of segments of which more than a share is gone."""
    entries = commits.now.manifest.segments
    dead = [entry.deleted_passages > share * entry.num_passages for entry in entries]
    put_together(commits, [range(n, n + 1) for n, is_dead in enumerate(dead) if is_dead])


def build_approximate(commits: Commits) -> None:
    """Builds what finds the nearest in segments that are large enough, one commit each."""
    config = commits.now.manifest.config
    for number, segment in enumerate(commits.now.segments):
        entry = segment.entry
        factory = approximate.factory_for(config, entry.num_passages)
        if factory is None or entry.approximate is not None:
            continue
        name = f"{factory.lower().replace(',', '-').replace('_', '-')}.faiss"
        with commits.new_file(segment.folder, name) as path:
            built = approximate.build(segment.vectors, factory, config.recall, path)
        changed = {
            "approximate": built,
            "files": {**entry.files, name: describe(segment.folder / name)},
        }
        entries = list(commits.now.manifest.segments)
        entries[number] = entry.model_copy(update=changed)
        commits.commit(entries)
