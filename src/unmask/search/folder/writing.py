"""Segments onto the disk: of new documents, or of several segments with what is gone left out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from unmask.data.manifest import describe
from unmask.data.staging import staged
from unmask.search import names
from unmask.search.chunking import with_title
from unmask.search.config import WordsConfig
from unmask.search.documents import Chunked
from unmask.search.embedder import Vectors
from unmask.search.folder import postings, texts
from unmask.search.folder.arrays import write_array, write_parts
from unmask.search.folder.manifest import SegmentEntry
from unmask.search.folder.segment import VECTORS, Mask, Segment
from unmask.search.words import stopwords_of

_ROWS = 16_384
"""Vectors copied at once."""


def write_segment(
    folder: Path, documents: Sequence[Chunked], vectors: Vectors, config: WordsConfig
) -> SegmentEntry:
    """Makes the segment's folder of new documents, whole or not at all.

    Raises:
        MachineError: The disk is full, or the folder cannot be written.
    """
    num_passages = sum(len(one.spans) for one in documents)
    assert len(vectors) == num_passages
    read = (with_title(one.document.title, text) for one in documents for text in one.texts())
    with staged(folder, overwrite=False, is_ours=lambda _: False) as temporary:
        texts.write_documents(temporary, documents)
        write_array(temporary / VECTORS, vectors)
        write_array(temporary / names.FILE, names.hashes_of(one.document.id for one in documents))
        postings.write(temporary, postings.count_words(read, stopwords_of(config.stopwords)))
    return described(folder, len(documents), num_passages)


def merge_segments(folder: Path, segments: Sequence[Segment]) -> SegmentEntry | None:
    """Makes the segment's folder of what is there in several; None where all of it is gone.

    Raises:
        MachineError: The disk is full, or the folder cannot be written.
    """
    kept_documents = [segment.alive_documents for segment in segments]
    kept = [
        np.ones(len(segment.owners), dtype=bool) if segment.alive is None else segment.alive
        for segment in segments
    ]
    num_documents = sum(int(mask.sum()) for mask in kept_documents)
    num_passages = sum(int(mask.sum()) for mask in kept)
    if num_documents == 0:
        return None
    with staged(folder, overwrite=False, is_ours=lambda _: False) as temporary:
        _merge_vectors(temporary / VECTORS, segments, kept, num_passages)
        _merge_documents(temporary, segments, kept_documents)
        _merge_passages(temporary, segments, kept_documents, kept)
        _merge_fields(temporary, segments, kept_documents)
        merged = postings.merge([segment.postings for segment in segments], kept)
        postings.write(temporary, merged)
        hashes = (
            segment.name_hashes[mask]
            for segment, mask in zip(segments, kept_documents, strict=True)
        )
        write_array(temporary / names.FILE, np.concatenate(list(hashes)))
    return described(folder, num_documents, num_passages)


def described(folder: Path, num_documents: int, num_passages: int) -> SegmentEntry:
    """The entry of a folder that is there, with the sizes and hashes of its files."""
    files = {path.name: describe(path) for path in sorted(folder.iterdir())}
    return SegmentEntry(
        name=folder.name, num_documents=num_documents, num_passages=num_passages, files=files
    )


def _merge_vectors(
    path: Path, segments: Sequence[Segment], kept: Sequence[Mask], num_passages: int
) -> None:
    parts = (
        segment.vectors[start : start + _ROWS][mask[start : start + _ROWS]]
        for segment, mask in zip(segments, kept, strict=True)
        for start in range(0, len(mask), _ROWS)
    )
    shape = (num_passages, segments[0].vectors.shape[1])
    write_parts(path, np.dtype(np.float32), shape, parts)


def _merge_documents(folder: Path, segments: Sequence[Segment], kept: Sequence[Mask]) -> None:
    with texts.write_tables(folder / texts.DOCUMENTS, texts.DOCUMENT_SCHEMA) as writer:
        for segment, mask in zip(segments, kept, strict=True):
            for table in texts.batches(segment.documents, mask):
                writer.write_table(table)


def _merge_passages(
    folder: Path,
    segments: Sequence[Segment],
    kept_documents: Sequence[Mask],
    kept: Sequence[Mask],
) -> None:
    before = 0
    with texts.write_tables(folder / texts.PASSAGES, texts.PASSAGE_SCHEMA) as writer:
        for segment, documents, mask in zip(segments, kept_documents, kept, strict=True):
            rows = np.cumsum(documents) - 1 + before
            before += int(documents.sum())
            for table in texts.batches(segment.passages, mask):
                owners = rows[table["document"].to_numpy()]
                writer.write_table(_replaced(table, "document", owners))


def _merge_fields(folder: Path, segments: Sequence[Segment], kept: Sequence[Mask]) -> None:
    tables = [
        segment.fields.filter(pa.array(mask)) for segment, mask in zip(segments, kept, strict=True)
    ]
    merged = pa.concat_tables(tables, promote_options="default")  # a column that lacks is null
    merged = _replaced(merged, "row", np.arange(merged.num_rows))
    used = [
        name for name in merged.schema.names if merged[name].null_count < max(1, merged.num_rows)
    ]
    texts.write_table(folder / texts.FIELDS, merged.select(used))


def _replaced(table: pa.Table, name: str, values: np.ndarray) -> pa.Table:
    number = table.schema.get_field_index(name)
    return table.set_column(number, name, pa.array(values.astype(np.int64)))
