"""Tokens written are the tokens read, and damage is named."""

from __future__ import annotations

import json
import os
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from unmask.data.config import CorpusConfig
from unmask.data.prepare import prepare
from unmask.data.shard_writer import ShardWriter
from unmask.data.shards import Shards
from unmask.errors import DataError
from unmask.text.tokenizer import Tokenizer

DOCUMENTS = [
    "The cat sat on the mat. The dog ran away.",
    "So the dog sat.",
    "And the cats ran on and on! Cats! Dogs? Sat.",
]


@pytest.fixture(params=[1, 12, 10_000])
def folder(request: pytest.FixtureRequest, tmp_path: Path, tokenizer: Tokenizer) -> Path:
    """A corpus of one shard a document, of two shards, and of one."""
    text = tmp_path / "texts.jsonl"
    text.write_text("".join(json.dumps({"text": document}) + "\n" for document in DOCUMENTS))
    config = CorpusConfig(shard_tokens=request.param)
    prepare([text], tokenizer, tmp_path / "corpus", config)
    return tmp_path / "corpus"


def test_documents_come_back_whatever_the_shards(folder: Path, tokenizer: Tokenizer) -> None:
    shards = Shards.open(folder)
    offsets = shards.document_offsets()
    assert shards.num_documents == 3
    assert offsets.dtype == np.int64
    for i, document in enumerate(DOCUMENTS):
        ids = shards.tokens(int(offsets[i]), int(offsets[i + 1]))
        assert ids.dtype == np.uint16
        assert ids.tolist() == tokenizer.encode(document)
    assert shards.num_tokens == offsets[-1]


def test_sentences_come_back_whatever_the_shards(folder: Path, tokenizer: Tokenizer) -> None:
    shards = Shards.open(folder)
    offsets = shards.sentence_offsets()
    assert shards.num_sentences == len(offsets) - 1 == 7
    assert np.isin(shards.document_offsets(), offsets).all()
    ids = shards.tokens(int(offsets[1]), int(offsets[2])).tolist()
    assert ids == tokenizer.encode("The dog ran away.")


def test_a_shard_holds_whole_documents_up_to_its_limit(folder: Path) -> None:
    manifest = Shards.open(folder).manifest
    limit = manifest.settings["shard_tokens"]
    assert all(shard.num_tokens <= limit or shard.num_documents == 1 for shard in manifest.shards)
    assert len(manifest.shards) == {1: 3, 12: 3, 10_000: 1}[limit]


def test_the_copy_of_the_tokenizer_is_the_tokenizer(folder: Path, tokenizer: Tokenizer) -> None:
    shards = Shards.open(folder)
    assert Tokenizer.load(shards.tokenizer_folder).sha256 == tokenizer.sha256
    assert shards.tokenizer_sha256 == tokenizer.sha256
    assert shards.vocab_size == tokenizer.vocab_size


def test_unigram_counts_count_every_token(folder: Path) -> None:
    shards = Shards.open(folder)
    counts = np.zeros(shards.vocab_size, dtype=np.int64)
    offsets = shards.document_offsets().tolist()
    for start, stop in pairwise(offsets):
        counts += np.bincount(shards.tokens(start, stop), minlength=shards.vocab_size)
    assert shards.unigram_counts().tolist() == counts.tolist()


def test_tokens_outside_a_shard_are_refused(folder: Path) -> None:
    shards = Shards.open(folder)
    for start, stop in [(shards.num_tokens - 1, shards.num_tokens + 1), (-2, 1)]:
        with pytest.raises(IndexError):
            shards.tokens(start, stop)


def test_offsets_cannot_be_written_to(folder: Path) -> None:
    with pytest.raises(ValueError, match="read-only"):
        Shards.open(folder).document_offsets()[0] = 1


def test_verify_accepts_what_was_written(folder: Path) -> None:
    Shards.open(folder).verify()


@pytest.mark.parametrize("kind", ["tokens", "documents", "sentences"])
def test_a_truncated_shard_is_named_at_once(folder: Path, kind: str) -> None:
    path = folder / f"shard-00000.{kind}"
    path.write_bytes(path.read_bytes()[:-2])
    with pytest.raises(DataError, match=rf"shard-00000\.{kind}: \d+ bytes, expected \d+"):
        Shards.open(folder)


@pytest.mark.parametrize("name", ["shard-00000.tokens", "unigram.counts", "tokenizer/vocab.txt"])
def test_a_missing_file_is_named_at_once(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(DataError, match=f"{name}: not there"):
        Shards.open(folder)


@pytest.mark.parametrize("name", ["shard-00000.tokens", "shard-00000.sentences", "unigram.counts"])
def test_a_flipped_bit_is_found_by_verify(folder: Path, name: str) -> None:
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(content)
    shards = Shards.open(folder)
    with pytest.raises(DataError, match=rf"{name}: damaged, its sha256"):
        shards.verify()


@pytest.mark.parametrize("kind", ["folder", "pipe"])
def test_what_is_no_plain_file_is_named_and_not_read(folder: Path, kind: str) -> None:
    path = folder / "shard-00000.tokens"
    path.unlink()
    if kind == "folder":
        path.mkdir()
    else:
        os.mkfifo(path)
    with pytest.raises(DataError, match=r"shard-00000\.tokens: no plain file"):
        Shards.open(folder)


def test_a_file_that_cannot_be_read_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: object, **__: object) -> None:
        raise OSError(5, "Input/output error")

    shards = Shards.open(folder)
    said = r"cannot be read \(Input/output error\)"
    monkeypatch.setattr(np, "memmap", failing)
    with pytest.raises(DataError, match=rf"shard-00000\.tokens: {said}"):
        Shards.open(folder)
    with pytest.raises(DataError, match=rf"shard-00000\.sentences: {said}"):
        shards.sentence_offsets()
    monkeypatch.setattr(np, "fromfile", failing)
    with pytest.raises(DataError, match=rf"unigram\.counts: {said}"):
        shards.unigram_counts()
    monkeypatch.setattr("unmask.data.shards.describe", failing)
    with pytest.raises(DataError, match=said):
        shards.verify()


@pytest.mark.parametrize("name", ["/etc/passwd", "../secret", "a/../../b", "", "a\0b"])
def test_a_manifest_that_names_files_outside_is_refused(folder: Path, name: str) -> None:
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["files"][name] = {"bytes": 1, "sha256": "0" * 64}
    path.write_text(json.dumps(manifest))
    with pytest.raises(DataError, match=r"damaged, files.*expected the path of a file in the"):
        Shards.open(folder)


def test_boundaries_out_of_range_are_found_when_they_are_read(folder: Path) -> None:
    path = folder / "shard-00000.documents"
    offsets = np.fromfile(path, dtype="<u8")
    offsets[-1] += 10
    path.write_bytes(offsets.tobytes())
    with pytest.raises(DataError, match="expected boundaries ascending from 0"):
        Shards.open(folder).document_offsets()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text[:100], "damaged"),
        (lambda _: "", "damaged"),
        (lambda text: text.replace('"version": 1', '"version": 2'), "version: Input should be 1"),
        (lambda text: text.replace('"num_tokens": ', '"num_tokens": 1'), "its counts say that"),
        (lambda text: text.replace('"vocab_size": ', '"vocab_size": -'), "vocab_size"),
        (lambda text: text.replace('"shard-00000"', '"../../etc"'), "shards.0.name"),
    ],
)
def test_a_damaged_manifest_says_what_is_wrong(folder: Path, change, message: str) -> None:  # type: ignore[no-untyped-def]
    path = folder / "manifest.json"
    path.write_text(change(path.read_text()))
    with pytest.raises(
        DataError, match=f"manifest.json: damaged.*{message}" if message != "damaged" else message
    ):
        Shards.open(folder)


def test_a_folder_that_is_no_corpus_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"not a corpus.*unmask corpus"):
        Shards.open(tmp_path)


def test_the_hash_of_a_corpus_is_that_of_its_tokens(folder: Path) -> None:
    before = Shards.open(folder).sha256
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["files"]["sources.jsonl"]["sha256"] = "0" * 64
    path.write_text(json.dumps(manifest))
    assert Shards.open(folder).sha256 == before
    manifest["files"]["shard-00000.tokens"]["sha256"] = "0" * 64
    path.write_text(json.dumps(manifest))
    assert Shards.open(folder).sha256 != before


def ends(*lengths: int) -> npt.NDArray[np.int64]:
    return np.cumsum(lengths).astype(np.int64)


def test_a_large_vocabulary_is_written_in_32_bits(tmp_path: Path) -> None:
    with ShardWriter(tmp_path, "uint32", 100) as writer:
        writer.add(np.array([70_000, 1, 2], np.uint32), ends(1, 2), ends(1, 1, 1))
    assert (tmp_path / "shard-00000.tokens").read_bytes() == np.array(
        [70_000, 1, 2], "<u4"
    ).tobytes()
    assert np.fromfile(tmp_path / "shard-00000.documents", "<u8").tolist() == [0, 1, 3]
    assert np.fromfile(tmp_path / "shard-00000.sentences", "<u8").tolist() == [0, 1, 2, 3]


def test_shards_do_not_depend_on_how_documents_are_handed_over(tmp_path: Path) -> None:
    lengths = np.random.default_rng(0).integers(1, 30, 200)
    tokens = np.arange(lengths.sum(), dtype=np.uint32) % 1000
    for name, step in (("all", 200), ("each", 1), ("some", 7)):
        (tmp_path / name).mkdir()
        with ShardWriter(tmp_path / name, "uint16", 100) as writer:
            for first in range(0, 200, step):
                start, stop = lengths[:first].sum(), lengths[: first + step].sum()
                stops = np.cumsum(lengths[first : first + step])
                writer.add(tokens[start:stop], stops, stops)
    files = [
        {p.name: p.read_bytes() for p in (tmp_path / n).iterdir()} for n in ("all", "each", "some")
    ]
    assert files[0] == files[1] == files[2]
    assert len(files[0]) > 60
