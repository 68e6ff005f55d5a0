"""Token ids into shards, one document after another."""

from __future__ import annotations

import hashlib
from pathlib import Path
from types import TracebackType

import numpy as np
import numpy.typing as npt

from unmask.data.manifest import FileEntry, ShardEntry


class _HashedFile:
    """A file whose hash is taken while it is written."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("xb", buffering=0)
        self._digest = hashlib.sha256()
        self._size = 0

    def write(self, values: npt.NDArray[np.generic]) -> None:
        rest = values.view(np.uint8).data
        self._digest.update(rest)
        self._size += len(rest)
        while rest:  # one call may write less than it was given
            rest = rest[self._file.write(rest) :]

    def close(self) -> FileEntry:
        self._file.close()
        return FileEntry(bytes=self._size, sha256=self._digest.hexdigest())

    def abandon(self) -> None:
        self._file.close()


class _OpenShard:
    def __init__(self, folder: Path, number: int) -> None:
        self.name = f"shard-{number:05}"
        self.num_tokens = 0
        self.num_documents = 0
        self.num_sentences = 0
        self.files = {
            part: _HashedFile(folder / f"{self.name}.{part}")
            for part in ("tokens", "documents", "sentences")
        }
        for part in ("documents", "sentences"):
            self.files[part].write(np.zeros(1, dtype="<u8"))

    def add(
        self,
        tokens: npt.NDArray[np.generic],
        document_ends: npt.NDArray[np.int64],
        sentence_ends: npt.NDArray[np.int64],
    ) -> None:
        self.files["tokens"].write(tokens)
        self.files["documents"].write((document_ends + self.num_tokens).astype("<u8"))
        self.files["sentences"].write((sentence_ends + self.num_tokens).astype("<u8"))
        self.num_tokens += len(tokens)
        self.num_documents += len(document_ends)
        self.num_sentences += len(sentence_ends)


class ShardWriter:
    """Writes documents into `shard-00000.*`, `shard-00001.*`, ... of a folder.

    A shard is full when the next document would take it past `shard_tokens`; a document that is
    longer by itself gets a shard of its own. As a context manager it closes its files in any case.
    """

    def __init__(self, folder: Path, token_type: str, shard_tokens: int) -> None:
        """Writes ids as `token_type`, "uint16" or "uint32", little-endian."""
        self.shards: list[ShardEntry] = []
        self.files: dict[str, FileEntry] = {}
        self._folder = folder
        self._kind = np.dtype(token_type).newbyteorder("<")
        self._limit = shard_tokens
        self._open: _OpenShard | None = None

    def __enter__(self) -> ShardWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is None:
            self._finish_shard()
        elif self._open is not None:
            for file in self._open.files.values():
                file.abandon()

    def add(
        self,
        tokens: npt.NDArray[np.unsignedinteger],
        document_ends: npt.NDArray[np.int64],
        sentence_ends: npt.NDArray[np.int64],
    ) -> None:
        """Adds documents: ids (N,), and where each document and each sentence ends in them.

        None of them is empty, and the last of both is N.
        """
        tokens = tokens.astype(self._kind, copy=False)
        start = first = first_sentence = 0
        while first < len(document_ends):
            room = self._limit - (self._open.num_tokens if self._open else 0)
            last = int(np.searchsorted(document_ends, start + room, side="right"))
            if last <= first:  # the next document does not fit
                if self._open is not None:
                    self._finish_shard()
                    continue
                last = first + 1
            if self._open is None:
                self._open = _OpenShard(self._folder, len(self.shards))
            stop = int(document_ends[last - 1])
            last_sentence = int(np.searchsorted(sentence_ends, stop, side="right"))
            self._open.add(
                tokens[start:stop],
                document_ends[first:last] - start,
                sentence_ends[first_sentence:last_sentence] - start,
            )
            start, first, first_sentence = stop, last, last_sentence

    def _finish_shard(self) -> None:
        shard, self._open = self._open, None
        if shard is None:
            return
        for file in shard.files.values():
            self.files[file.path.name] = file.close()
        self.shards.append(
            ShardEntry(
                name=shard.name,
                num_tokens=shard.num_tokens,
                num_documents=shard.num_documents,
                num_sentences=shard.num_sentences,
            )
        )
