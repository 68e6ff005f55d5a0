"""The text, vocabularies and corpora that both sides of a benchmark are given."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import zstandard

from unmask.data.config import CorpusConfig
from unmask.data.corpus import read
from unmask.data.packing import Chunks
from unmask.data.prepare import prepare
from unmask.data.rejects import Rejects
from unmask.data.shards import Shards
from unmask.text.config import TokenizerConfig
from unmask.text.tokenizer import Tokenizer
from unmask.text.train import train_wordpiece

ROOT = Path(__file__).resolve().parents[1]
WORK = ROOT / "build" / "benchmarks"
"""Where unpacked text, corpora and models go; kept, so that the next run is quick."""
ARCHIVES = ("text-100-english-novels/novels.tar.zst", "text-classic-books/books.tar.zst")
BERT_VOCABULARY = "bert-assets/bert-base-uncased-vocab.txt"
VOCABULARY_MEGABYTES = 40.0
"""Text that a vocabulary of a benchmark is learned from."""


def data_folder() -> Path | None:
    """The folder of real data that UNMASK_DATA names, if it is there."""
    folder = os.environ.get("UNMASK_DATA")
    return Path(folder) if folder and Path(folder).is_dir() else None


def books() -> list[Path]:
    """All the text: the archives under UNMASK_DATA unpacked, otherwise the bundled books."""
    data = data_folder()
    archives = [data / name for name in ARCHIVES if (data / name).is_file()] if data else []
    if not archives:
        return sorted((ROOT / "examples" / "books").rglob("*.txt"))
    folder = WORK / "text"
    for archive in archives:
        _unpack(archive, folder / archive.parent.name)
    return sorted(path for path in folder.rglob("*") if path.suffix in (".txt", ".md"))


def _unpack(archive: Path, folder: Path) -> None:
    done = folder / ".complete"
    if done.is_file():
        return
    folder.mkdir(parents=True, exist_ok=True)
    with (
        archive.open("rb") as file,
        zstandard.ZstdDecompressor().stream_reader(file) as stream,
        tarfile.open(fileobj=stream, mode="r|") as members,
    ):
        members.extractall(folder, filter="data")
    for readme in folder.rglob("README.md"):
        readme.unlink()
    done.touch()


def split_books() -> tuple[list[Path], list[Path]]:
    """Books to train on, and every twentieth to hold out whole."""
    everything = books()
    held_out = everything[7::20]
    return [path for path in everything if path not in held_out], held_out


def cut(paths: Sequence[Path], megabytes: float, folder: Path) -> list[Path]:
    """Copies of files, in order, whose sizes add up to `megabytes`, the last one cut off."""
    left = round(megabytes * 1e6)
    folder.mkdir(parents=True, exist_ok=True)
    copies: list[Path] = []
    for path in paths:
        if left <= 0:
            break
        text = path.read_bytes()[:left].decode("utf-8-sig", errors="ignore")
        copy = folder / f"{path.stem}.txt"
        copy.write_text(text, encoding="utf-8", newline="\n")
        copies.append(copy)
        left -= copy.stat().st_size
    return copies


def tokenizer_folder(vocab_size: int) -> Path:
    """BERT's own vocabulary where it has that size and is at hand, otherwise one learned here."""
    folder = WORK / f"tokenizer-{vocab_size}"
    if (folder / "tokenizer.json").is_file():
        return folder
    data = data_folder()
    if vocab_size == 30522 and data is not None and (data / BERT_VOCABULARY).is_file():
        tokenizer = Tokenizer.load(data / BERT_VOCABULARY)
    else:
        tokenizer = train_wordpiece(_some_text(), TokenizerConfig(vocab_size=vocab_size))
    tokenizer.save(folder)
    return folder


def _some_text() -> Iterator[str]:
    left = VOCABULARY_MEGABYTES * 1e6
    for text in read(split_books()[0], CorpusConfig().reader, Rejects(1.0)):
        if left <= 0:
            return
        left -= len(text)
        yield text


def corpus(vocab_size: int, part: str, paths: Sequence[Path]) -> Shards:
    """The packed tokens of a set of books, prepared once."""
    folder = WORK / f"corpus-{part}-{vocab_size}"
    if not (folder / "manifest.json").is_file():
        tokenizer = Tokenizer.load(tokenizer_folder(vocab_size))
        prepare(paths, tokenizer, folder, CorpusConfig(workers=2))
    return Shards.open(folder)


def chunks(shards: Shards, sequence_length: int) -> Chunks:
    """Our samples: pieces of single documents between [CLS] and [SEP]."""
    layout = Tokenizer.load(shards.tokenizer_folder).layout
    documents = np.arange(shards.num_documents)
    return Chunks(shards, documents, sequence_length, layout)
