"""From files of text to a corpus folder, once, before training."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from unmask.data import duplicates
from unmask.data.config import CorpusConfig, FilterConfig
from unmask.data.corpus import read_sources
from unmask.data.filters import Filters
from unmask.data.manifest import Manifest, describe, is_corpus
from unmask.data.rejects import Rejects
from unmask.data.repeats import RepeatedLines
from unmask.data.report import Report, left_out, ordinary_counts, unigram_entropy
from unmask.data.shard_writer import ShardWriter
from unmask.data.shards import (
    COUNTS_FILE,
    REJECTS_FILE,
    REPORT_FILE,
    SOURCES_FILE,
    TOKENIZER_FOLDER,
)
from unmask.data.sources import Source, find
from unmask.data.staging import staged
from unmask.data.units import Encoded, encode_all
from unmask.errors import DataError
from unmask.text.tokenizer import Tokenizer

_UINT16_VOCABULARY = 2**16


@dataclass(frozen=True)
class Progress:
    """How far preparation has come."""

    bytes_read: int
    """Of the files on disk."""
    bytes_total: int
    num_documents: int
    num_tokens: int


@dataclass
class _Totals:
    counts: npt.NDArray[np.int64]
    num_documents: int = 0
    num_sentences: int = 0
    num_characters: int = 0
    filtered: Counter[str] = field(default_factory=Counter)
    lines: RepeatedLines = field(default_factory=RepeatedLines)

    def add(self, unit: Encoded) -> None:
        self.counts += np.bincount(unit.tokens, minlength=len(self.counts))
        self.num_documents += len(unit.document_ends)
        self.num_sentences += len(unit.sentence_ends)
        if unit.num_empty:
            self.filtered["empty"] += unit.num_empty

    def kept(
        self, documents: Iterable[str], filters: Filters, seen: duplicates.Duplicates
    ) -> Iterator[str]:
        """The texts to encode; in one thread, so that of duplicates the first always stays."""
        for text in documents:
            name = filters.failed_by(text) or seen.seen(text)
            if name is None:
                self.num_characters += len(text)
                self.lines.add(text)
                yield text
            else:
                self.filtered[name] += 1


def prepare(
    paths: Sequence[Path | str],
    tokenizer: Tokenizer,
    output: Path | str,
    config: CorpusConfig,
    progress: Callable[[Progress], None] | None = None,
) -> Report:
    """Reads, filters, encodes and writes a corpus folder, which `Shards.open` opens.

    The folder appears whole or not at all, and does not depend on the number of workers. `paths`
    are those of `corpus.read`; `progress` is called about once a megabyte.

    Raises:
        DataError: Nothing to read, too many rejects, or nothing left after the filters.
        UsageError: The output is there already, or is being written.
        MachineError: The disk is full, or near duplicates need a package.
    """
    started = time.monotonic()
    output = Path(output)
    sources, ignored = find(paths)
    totals = _Totals(np.zeros(tokenizer.vocab_size, dtype=np.int64))
    with staged(output, overwrite=config.overwrite, is_ours=is_corpus) as folder:
        with Rejects(config.reader.max_reject_rate, folder / REJECTS_FILE) as rejects:
            try:
                documents = read_sources(sources, config.reader, rejects)
                writer = _write_shards(
                    folder,
                    documents,
                    totals,
                    tokenizer,
                    config,
                    _reporting(progress, sources, rejects),
                )
                if totals.num_documents == 0:
                    raise _nothing_left(sources, rejects, totals.filtered)
            except DataError as error:
                raise rejects.explain(error, output) from error
        _finish(folder, tokenizer, sources, totals.counts, writer, config)
        seconds = time.monotonic() - started
        report = _report(totals, rejects, len(sources), len(ignored), tokenizer, seconds)
        report.write(folder / REPORT_FILE)
    rejects.warn(output / REJECTS_FILE)
    return report


def _write_shards(
    folder: Path,
    documents: Iterator[str],
    totals: _Totals,
    tokenizer: Tokenizer,
    config: CorpusConfig,
    report: Callable[[_Totals], None],
) -> ShardWriter:
    filters = Filters(config.filters)
    seen = duplicates.build(config.duplicates, config.near_similarity)
    texts = totals.kept(documents, filters, seen)
    with (
        ShardWriter(folder, _token_type(tokenizer), config.shard_tokens) as writer,
        closing(encode_all(texts, tokenizer, config.workers)) as units,
    ):
        for unit in units:
            writer.add(unit.tokens, unit.document_ends, unit.sentence_ends)
            totals.add(unit)
            report(totals)
    return writer


def _token_type(tokenizer: Tokenizer) -> Literal["uint16", "uint32"]:
    return "uint16" if tokenizer.vocab_size <= _UINT16_VOCABULARY else "uint32"


def _reporting(
    progress: Callable[[Progress], None] | None, sources: list[Source], rejects: Rejects
) -> Callable[[_Totals], None]:
    bytes_total = sum(source.num_bytes for source in sources)

    def report(totals: _Totals) -> None:
        if progress is not None:
            num_tokens = int(totals.counts.sum())
            progress(Progress(rejects.bytes_read, bytes_total, totals.num_documents, num_tokens))

    return report


def _finish(
    folder: Path,
    tokenizer: Tokenizer,
    sources: list[Source],
    counts: npt.NDArray[np.int64],
    writer: ShardWriter,
    config: CorpusConfig,
) -> None:
    """Writes what stands beside the shards, the manifest last."""
    tokenizer.save(folder / TOKENIZER_FOLDER)
    # Not numpy's own `tofile`, whose error on a full disk does not say that it is full.
    (folder / COUNTS_FILE).write_bytes(counts.astype("<i8").tobytes())
    with (folder / SOURCES_FILE).open("w", encoding="utf-8", newline="\n") as file:
        for source in sources:
            line = {"path": str(source), "bytes": source.num_bytes}
            # A file's name may be no valid UTF-8, which Python then holds as surrogates.
            file.write(json.dumps(line) + "\n")
    files = dict(writer.files)
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and name not in files:
            files[name] = describe(path)
    Manifest(
        vocab_size=tokenizer.vocab_size,
        tokenizer_sha256=tokenizer.sha256,
        token_type=_token_type(tokenizer),
        shards=writer.shards,
        files=files,
        settings=config.model_dump(mode="json", exclude={"workers", "overwrite"}),
    ).write(folder)


def _report(
    totals: _Totals,
    rejects: Rejects,
    num_sources: int,
    num_ignored: int,
    tokenizer: Tokenizer,
    seconds: float,
) -> Report:
    num_tokens = int(totals.counts.sum())
    num_words = num_tokens - int(totals.counts[tokenizer.is_continuation].sum())
    return Report(
        num_sources=num_sources,
        num_ignored_files=num_ignored,
        num_records=rejects.num_records,
        num_rejects=len(rejects),
        rejects=dict(rejects.reasons),
        num_cut_documents=rejects.num_cut_documents,
        filtered=dict(sorted(totals.filtered.items())),
        num_documents=totals.num_documents,
        num_sentences=totals.num_sentences,
        num_characters=totals.num_characters,
        num_tokens=num_tokens,
        unknown_rate=int(totals.counts[tokenizer.special.unk]) / num_tokens,
        tokens_per_word=num_tokens / max(1, num_words),
        unigram_entropy=unigram_entropy(ordinary_counts(totals.counts, tokenizer.is_special)),
        repeated_line_rate=totals.lines.rate(),
        repeated_lines=totals.lines.most_frequent(),
        num_used_tokens=int((totals.counts > 0).sum()),
        vocab_size=tokenizer.vocab_size,
        seconds=seconds,
    )


def _nothing_left(sources: list[Source], rejects: Rejects, filtered: Counter[str]) -> DataError:
    lost = ", ".join(f"{count} {left_out(name)}" for name, count in filtered.most_common())
    unread = ", ".join(f"{count} {reason}" for reason, count in rejects.reasons.most_common())
    shown = ", ".join(str(source) for source in sources[:3]) + (", ..." * (len(sources) > 3))
    # Of duplicates the first stays, so that they never leave nothing by themselves.
    is_filtered = not filtered.keys().isdisjoint(FilterConfig.model_fields)
    return DataError(
        f"{shown}: no document is left of {rejects.num_records} records "
        f"(left out: {lost or 'none'}; could not be read: {unread or 'none'}). "
        f"Give text{', or loosen the filters (--filters.*)' if is_filtered else ''}."
    )
