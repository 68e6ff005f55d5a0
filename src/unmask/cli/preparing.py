"""Verbs that turn text into something to train on."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from unmask.cli.flags import AsJson
from unmask.data.config import CorpusConfig, ReaderConfig
from unmask.text.config import TokenizerConfig


def tokenizer(
    *text: Annotated[Path, Parameter(required=True)],
    output: Path,
    settings: Annotated[TokenizerConfig, Parameter(name="*")] = TokenizerConfig(),
    reader: ReaderConfig = ReaderConfig(),
    overwrite: bool = False,
    json: AsJson = False,
) -> None:
    """Learns a vocabulary from text: WordPiece, byte-level BPE or Unigram.

    Parameters
    ----------
    text
        Files, folders or globs of .txt, .md, .jsonl, .csv, .tsv, .parquet, each also .gz or .zst.
    output
        Folder for the tokenizer's files.
    overwrite
        Replaces a tokenizer that is already there.
    """
    from unmask.data.vocabulary import learn
    from unmask.terminal import counted, show

    learned, num_rejects = learn(list(text), output, settings, reader, overwrite=overwrite)
    if json:
        found = {"kind": learned.kind, "vocab_size": learned.vocab_size, "num_rejects": num_rejects}
        show({"tokenizer": str(output), **found}, [], as_json=True)
        return
    rejected = counted(num_rejects, "record", "records")
    print(f"{output}: a vocabulary of {learned.vocab_size:,}; {rejected} rejected", file=sys.stderr)


def corpus(
    *text: Annotated[Path, Parameter(required=True)],
    tokenizer: Path,
    output: Path,
    settings: Annotated[CorpusConfig, Parameter(name="*")] = CorpusConfig(),
    json: AsJson = False,
) -> None:
    """Turns text into packed shards of token ids, ready to train on.

    Parameters
    ----------
    text
        Files, folders or globs of .txt, .md, .jsonl, .csv, .tsv, .parquet, each also .gz or .zst.
    tokenizer
        Folder of a tokenizer.
    output
        Folder for the corpus.
    """
    from unmask.data.prepare import prepare
    from unmask.terminal import progress, show
    from unmask.text.tokenizer import Tokenizer

    with progress("reading") as tell:
        report = prepare(
            list(text),
            Tokenizer.load(tokenizer),
            output,
            settings,
            lambda now: tell(now.bytes_read, now.bytes_total, f"{now.num_tokens:,} tokens"),
        )
    show(report.as_dict(), report.rows(), as_json=json)


def corpus_verify(folder: Path, /, *, json: AsJson = False) -> None:
    """Compares every file of a corpus with its manifest.

    Parameters
    ----------
    folder
        A corpus folder.
    """
    from unmask.data.shards import Shards
    from unmask.terminal import show

    shards = Shards.open(folder)
    shards.verify()
    found = {"documents": shards.num_documents, "tokens": shards.num_tokens}
    rows = [("corpus", str(folder)), *((name, f"{number:,}") for name, number in found.items())]
    rows.append(("files", "whole, as the manifest says"))
    show({"folder": str(folder), "whole": True, **found}, rows, as_json=json)
