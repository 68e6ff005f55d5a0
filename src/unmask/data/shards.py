"""A prepared corpus: token ids on disk, with the boundaries of documents and sentences."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from unmask.data.manifest import Manifest, ShardEntry, describe
from unmask.errors import DataError

TOKENIZER_FOLDER = "tokenizer"
REPORT_FILE = "report.json"
REJECTS_FILE = "rejects.jsonl"
SOURCES_FILE = "sources.jsonl"
COUNTS_FILE = "unigram.counts"
"""(V,) little-endian int64: how often each token stands in the corpus."""


class Shards:
    """A corpus folder, memory-mapped; positions count tokens over all shards, without specials.

    Boundaries are offsets of tokens: document i is `document_offsets()[i : i + 2]`, and every
    document boundary is a sentence boundary too. No document crosses shards.
    """

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        """Takes a manifest already read; see `open`."""
        self.folder = folder
        self.manifest = manifest
        self.tokenizer_folder = folder / TOKENIZER_FOLDER
        self.vocab_size = manifest.vocab_size
        self.tokenizer_sha256 = manifest.tokenizer_sha256
        self.sha256 = manifest.sha256
        self.num_tokens = sum(shard.num_tokens for shard in manifest.shards)
        self.num_documents = sum(shard.num_documents for shard in manifest.shards)
        self.num_sentences = sum(shard.num_sentences for shard in manifest.shards)
        self._starts = np.cumsum([0, *(shard.num_tokens for shard in manifest.shards)])
        self._tokens = [self._map(shard, "tokens") for shard in manifest.shards]

    @classmethod
    def open(cls, folder: Path | str) -> Shards:
        """Opens a corpus and compares its files' sizes with the manifest, which takes no reading.

        Raises:
            DataError: Not a corpus, or a file is missing, no plain file or of another size.
        """
        folder = Path(folder)
        manifest = Manifest.read(folder)
        for name, entry in manifest.files.items():
            found = _found(folder / name)
            if found != f"{entry.bytes} bytes":
                raise DataError(
                    f"{folder / name}: {found}, expected {entry.bytes} bytes. Copy the corpus "
                    "again, or prepare it again."
                )
        itemsize = np.dtype(manifest.token_type).itemsize
        for shard in manifest.shards:
            expected = {
                "tokens": shard.num_tokens * itemsize,
                "documents": (shard.num_documents + 1) * 8,
                "sentences": (shard.num_sentences + 1) * 8,
            }
            for part, size in expected.items():
                name = f"{shard.name}.{part}"
                if name not in manifest.files or manifest.files[name].bytes != size:
                    raise DataError(
                        f"{folder / 'manifest.json'}: damaged, its counts say that {name} has "
                        f"{size} bytes. Prepare the corpus again."
                    )
        return cls(folder, manifest)

    def document_offsets(self) -> npt.NDArray[np.int64]:
        """(num_documents + 1,) int64, ascending, from 0 to num_tokens; read-only."""
        return self._document_offsets

    def sentence_offsets(self) -> npt.NDArray[np.int64]:
        """(num_sentences + 1,) int64, ascending, from 0 to num_tokens; read-only."""
        return self._sentence_offsets

    def tokens(self, start: int, stop: int) -> npt.NDArray[np.integer]:
        """The token ids (stop - start,), uint16 or uint32, of a range inside one document.

        Raises:
            IndexError: The range leaves the shard.
        """
        shard = 0
        if len(self._tokens) > 1:
            shard = int(np.searchsorted(self._starts, start, side="right")) - 1
        base = int(self._starts[shard])
        ids = self._tokens[shard][start - base : stop - base]
        if start < 0 or len(ids) != stop - start:
            raise IndexError(f"tokens {start}..{stop} do not lie inside one shard")
        return ids

    def unigram_counts(self) -> npt.NDArray[np.int64]:
        """(V,) int64: how often each token stands in the corpus.

        Raises:
            DataError: They cannot be read, or do not belong to these tokens.
        """
        path = self.folder / COUNTS_FILE
        with _reading(path):
            counts = np.fromfile(path, dtype="<i8").astype(np.int64, copy=False)
        if len(counts) != self.vocab_size or counts.sum() != self.num_tokens:
            raise DataError(f"{path}: damaged. Prepare the corpus again.")
        return counts

    def verify(self) -> None:
        """Reads every file and compares its hash with the manifest.

        Raises:
            DataError: Names the first file that differs or cannot be read.
        """
        for name, entry in self.manifest.files.items():
            with _reading(self.folder / name):
                found = describe(self.folder / name)
            if found != entry:
                raise DataError(
                    f"{self.folder / name}: damaged, its sha256 is {found.sha256[:12]}..., "
                    f"expected {entry.sha256[:12]}... Copy the corpus again, or prepare it again."
                )

    @cached_property
    def _document_offsets(self) -> npt.NDArray[np.int64]:
        return self._offsets("documents")

    @cached_property
    def _sentence_offsets(self) -> npt.NDArray[np.int64]:
        return self._offsets("sentences")

    def _offsets(self, part: str) -> npt.NDArray[np.int64]:
        """One shard's boundaries stay on disk; those of several are put together in memory."""
        parts = []
        for shard, base in zip(self.manifest.shards, self._starts.tolist(), strict=False):
            # int64 and uint64 agree below 2^63, which no corpus reaches.
            offsets = self._map(shard, part).view("<i8")
            if offsets[0] != 0 or offsets[-1] != shard.num_tokens or (np.diff(offsets) <= 0).any():
                raise DataError(
                    f"{self.folder / f'{shard.name}.{part}'}: damaged, expected boundaries "
                    f"ascending from 0 to {shard.num_tokens}. Prepare the corpus again."
                )
            parts.append(offsets + base if base else offsets)
        joined = parts[0] if len(parts) == 1 else np.concatenate([parts[0], *_tails(parts[1:])])
        joined.flags.writeable = False
        return joined

    def _map(self, shard: ShardEntry, part: str) -> npt.NDArray[np.integer]:
        kind = np.dtype(self.manifest.token_type if part == "tokens" else "uint64")
        path = self.folder / f"{shard.name}.{part}"
        # A plain array over the map: slicing np.memmap itself costs several times as much.
        with _reading(path):
            return np.memmap(path, dtype=kind.newbyteorder("<"), mode="r").view(np.ndarray)


def _tails(parts: list[npt.NDArray[np.int64]]) -> list[npt.NDArray[np.int64]]:
    return [part[1:] for part in parts]


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DataError(
            f"{path}: cannot be read ({error.strerror or error}). Copy the corpus again."
        ) from error


def _found(path: Path) -> str:
    """The size of a file, or why it has none."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return "not there"
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    # Reading a pipe would wait for ever.
    return f"{status.st_size} bytes" if stat.S_ISREG(status.st_mode) else "no plain file"
