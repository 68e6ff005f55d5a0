"""Files become the documents that stand in them, whatever their kind and compression."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
import zstandard
from pyarrow import parquet

from unmask.data.config import ReaderConfig
from unmask.data.corpus import read
from unmask.data.rejects import Reject, Rejects
from unmask.data.sources import find
from unmask.errors import DataError

Write = Callable[[str, bytes | str], Path]
Reading = Callable[..., tuple[list[str], list[Reject]]]

TEXTS = ["first text", 'second, with "quotes" and\ttabs', "dritter: äöü\nin two lines"]


def parquet_bytes(texts: list[str] | pa.Array, column: str = "text") -> bytes:
    sink = pa.BufferOutputStream()
    parquet.write_table(pa.table({"id": list(range(len(texts))), column: texts}), sink)
    return sink.getvalue().to_pybytes()


def encoded(kind: str) -> bytes:
    if kind == "jsonl":
        return "".join(json.dumps({"text": text, "id": 1}) + "\n" for text in TEXTS).encode()
    if kind == "csv":
        rows = ['"' + text.replace('"', '""') + '",1' for text in TEXTS]
        return ("text,id\n" + "\r\n".join(rows)).encode()
    return parquet_bytes(TEXTS)


@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet"])
@pytest.mark.parametrize("compression", ["", ".gz", ".zst"])
def test_tables_give_one_document_a_record(
    write: Write, reading: Reading, kind: str, compression: str
) -> None:
    content = encoded(kind)
    if compression == ".gz":
        content = gzip.compress(content)
    elif compression == ".zst":
        content = zstandard.compress(content)
    texts, rejects = reading(write(f"records.{kind}{compression}", content))
    assert texts == TEXTS
    assert rejects == []


@pytest.mark.parametrize("name", ["a.txt", "a.md", "a.TXT"])
@pytest.mark.parametrize("compression", ["", ".gz", ".zst"])
def test_a_text_file_is_one_document(
    write: Write, reading: Reading, name: str, compression: str
) -> None:
    content = "One.\n\nTwo.\nthree"
    packed = {"": bytes, ".gz": gzip.compress, ".zst": zstandard.compress}[compression]
    texts, rejects = reading(write(name + compression, packed(content.encode())))
    assert [text.rstrip("\n") for text in texts] == [content]
    assert rejects == []


def test_several_compressed_members_are_read_as_one(write: Write, reading: Reading) -> None:
    write("a.txt.gz", gzip.compress(b"one ") + gzip.compress(b"two"))
    folder = write("b.txt.zst", zstandard.compress(b"three ") + zstandard.compress(b"four"))
    texts, rejects = reading(folder)
    assert texts == ["one two", "three four"]
    assert rejects == []


def test_a_large_zstd_file_comes_out_whole(write: Write, reading: Reading) -> None:
    lines = [f"line {i} of many {i * i}" for i in range(200_000)]
    content = zstandard.compress("\n".join(lines).encode())
    texts, _ = reading(write("a.txt.zst", content), documents="line")
    assert texts == lines


@pytest.mark.parametrize(
    ("documents", "expected"),
    [
        ("file", ["One\ntwo.\n\n  Three\n \t\n\nfour\n"]),
        ("record", ["One\ntwo.\n\n  Three\n \t\n\nfour\n"]),
        ("block", ["One\ntwo.", "Three", "four\n"]),
        ("line", ["One", "two.", "  Three", "four"]),
    ],
)
def test_what_a_document_is_can_be_chosen_for_text(
    write: Write, reading: Reading, documents: str, expected: list[str]
) -> None:
    folder = write("a.txt", "One\ntwo.\n\n  Three\n \t\n\nfour\n")
    assert reading(folder, documents=documents)[0] == expected


@pytest.mark.parametrize(
    ("documents", "expected"),
    [
        ("record", ["a\n\nb", "c\nd"]),
        ("block", ["a", "b", "c\nd"]),
        ("line", ["a", "b", "c", "d"]),
        ("file", ["a\n\nb\n\nc\nd\n\n"]),
    ],
)
def test_what_a_document_is_can_be_chosen_for_tables(
    write: Write, documents: str, expected: list[str]
) -> None:
    folder = write("a.jsonl", '{"text": "a\\n\\nb"}\n{"text": "c\\nd"}\n')
    config = ReaderConfig.model_validate({"documents": documents})
    texts = list(read([folder], config, Rejects(0.001)))
    assert texts == expected


def test_blocks_are_the_same_however_the_stream_is_cut(write: Write, reading: Reading) -> None:
    blocks = [f"Block {i}\nwith lines {'x' * (i % 700)}" for i in range(6000)]
    content = "\n\n\n".join(blocks)
    assert len(content) > 2 * 2**20
    folder = write("a.txt", content)
    # The limit on lines is also the size of the pieces that the stream is cut into.
    assert reading(folder, documents="block", max_line_bytes=1500)[0] == blocks
    assert reading(folder, documents="block")[0] == blocks


def test_folders_are_read_in_order_of_names_without_hidden_or_unknown_files(
    write: Write, reading: Reading
) -> None:
    write("b.txt", "3")
    write("a/z.txt", "2")
    write("a/b/c.md", "1")
    write("picture.png", b"\x89PNG")
    write(".hidden.txt", "no")
    folder = write(".git/a.txt", "no")
    assert reading(folder)[0] == ["1", "2", "3"]


def test_globs_and_paths_keep_the_order_given_and_read_a_file_once(
    write: Write, reading: Reading
) -> None:
    write("b.txt", "b")
    write("c.txt", "c")
    folder = write("sub/a.txt", "a")
    assert reading(folder / "c.txt", f"{folder}/**/*.txt", folder)[0] == ["c", "b", "a"]


@pytest.fixture
def ours(write: Write) -> Path:
    """A text among what earlier runs have left beside it."""
    write("corpus/manifest.json", '{"format": "unmask corpus"}')
    write("corpus/sources.jsonl", '{"text": "no"}\n')
    write("corpus/words/vocab.txt", "the\n")
    write("model/tokenizer.json", "{}")
    write("model/README.md", "no")
    write("run/metrics.jsonl", '{"text": "no"}\n')
    write("run/checkpoint-8/loss.txt", "no")
    write("started/metrics.jsonl", '{"text": "no"}\n')
    write("started/run.lock", "{}")
    write("corpus.tmp-x1/sources.jsonl", '{"text": "no"}\n')
    write("corpus.rejects.jsonl", '{"text": "no"}\n')
    return write("deep/a.txt", "text")


@pytest.mark.parametrize("pattern", ["", "*", "**/*.*", "*/*", "**/*.jsonl"])
def test_what_we_made_ourselves_is_passed_over_and_counted(ours: Path, pattern: str) -> None:
    sources, ignored = find([ours / pattern, ours / "deep" / "a.txt"])
    assert [source.path.name for source in sources] == ["a.txt"]
    names = {path.relative_to(ours).as_posix() for path in ignored}
    assert {"corpus", "run", "started"} <= names
    assert ("model" in names) is (pattern != "**/*.jsonl")
    assert ("corpus.rejects.jsonl" in names) is (pattern != "*/*")
    assert names <= {"corpus", "model", "run", "started", "corpus.tmp-x1", "corpus.rejects.jsonl"}


@pytest.mark.parametrize(
    ("folder", "kind"),
    [("corpus", "a corpus"), ("model", "a tokenizer or a model"), ("run", "a training run")],
)
def test_a_folder_of_ours_given_as_text_is_refused_by_what_it_is(
    ours: Path, folder: str, kind: str
) -> None:
    for path in (ours / folder, ours / folder / "*"):
        with pytest.raises(DataError, match=f"{folder}: is {kind}; expected text"):
            find([path])
    named = [ours / "model" / "README.md", ours / "corpus.rejects.jsonl"]
    assert [source.path for source in find([ours, *named])[0]][1:] == named


def test_folders_that_a_glob_matches_are_read(write: Write, reading: Reading) -> None:
    write("2019/a.txt", "a")
    write("2020/deep/b.txt", "b")
    folder = write("other/c.txt", "c")
    assert reading(f"{folder}/20*")[0] == ["a", "b"]


def test_links_to_folders_are_followed_and_each_folder_is_read_once(
    write: Write, reading: Reading, tmp_path: Path
) -> None:
    folder = write("a.txt", "a")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "b.txt").write_text("b")
    (folder / "link").symlink_to(tmp_path / "elsewhere")
    (folder / "same").symlink_to(tmp_path / "elsewhere")
    (folder / "round").symlink_to(folder)
    (folder / "round-too").symlink_to(folder)
    assert reading(folder)[0] == ["a", "b"]
    assert reading(f"{folder}/**/*.txt", f"{folder}/*")[0] == ["a", "b"]


def test_a_file_with_two_spellings_is_read_once(
    write: Write, reading: Reading, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write("a.txt", "a")
    (folder / "link.txt").symlink_to(folder / "a.txt")
    monkeypatch.chdir(folder)
    assert reading("a.txt", folder / "a.txt", "../texts/a.txt", "link.txt")[0] == ["a"]


def test_a_folder_that_cannot_be_read_is_named(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write("closed/a.txt", "a")
    scandir = os.scandir

    def closed(path: str) -> object:
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", closed)  # permissions do not bind a test run as root
    with pytest.raises(DataError, match=r"closed: cannot be read \(Permission denied\)"):
        find([folder])


@pytest.mark.parametrize("end", ["", "*.txt", "/a.txt"])
def test_a_path_that_the_system_refuses_is_named(tmp_path: Path, end: str) -> None:
    with pytest.raises(DataError, match=r"xxx.*: (cannot be read \(File name too long|nothing to)"):
        find([f"{tmp_path}/{'x' * 300}{end}"])


def test_a_glob_that_means_nothing_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a\*\*b: (cannot be matched|nothing to read)"):
        find([tmp_path / "a**b"])


def test_line_ends_are_unified_and_only_newlines_end_lines(write: Write, reading: Reading) -> None:
    folder = write("a.txt", "one\r\ntwo\u2028still two\x0bstill two\r\n")
    assert reading(folder)[0] == ["one\ntwo\u2028still two\x0bstill two\n"]
    assert reading(folder, documents="line")[0] == ["one", "two\u2028still two\x0bstill two"]


def test_a_byte_order_mark_is_dropped(write: Write, reading: Reading) -> None:
    write("a.txt", b"\xef\xbb\xbfHelen")
    write("b.jsonl", b'\xef\xbb\xbf{"text": "json"}')
    folder = write("c.csv", b"\xef\xbb\xbftext\ncsv\n")
    assert reading(folder) == (["Helen", "json", "csv"], [])


def test_another_field_can_hold_the_text(write: Write, reading: Reading) -> None:
    write("a.jsonl", '{"body": "json", "text": "no"}\n')
    write("b.parquet", parquet_bytes(["parquet"], "body"))
    write("c.tsv", 'label\tbody\n1\ta "tsv"\n')
    folder = write("d.csv", "label,body\n1,csv\n")
    assert reading(folder, text_field="body")[0] == ["json", "parquet", 'a "tsv"', "csv"]


def test_parquet_text_may_be_dictionary_encoded_or_large(write: Write, reading: Reading) -> None:
    write("a.parquet", parquet_bytes(pa.array(["x", "y", "x"]).dictionary_encode()))
    folder = write("b.parquet", parquet_bytes(pa.array(["z"], pa.large_string())))
    assert reading(folder)[0] == ["x", "y", "x", "z"]


def test_a_long_document_is_cut_at_line_ends_and_nothing_is_lost(write: Write) -> None:
    content = "".join(f"line number {i}\n" for i in range(1000))
    write("a.txt", content)
    folder = write("b.jsonl", json.dumps({"text": content}))
    rejects = Rejects(0.001)
    texts = list(read([folder], ReaderConfig(max_document_bytes=4096), rejects))
    assert rejects.num_cut_documents == 2
    assert max(map(len, texts)) <= 4096
    assert "".join(texts) == content * 2
    assert all(text.endswith("\n") for text in texts)


@pytest.mark.parametrize("max_line_bytes", [1024, 8 * 2**20], ids=["small", "large"])
def test_blocks_that_come_in_parts_are_counted(write: Write, max_line_bytes: int) -> None:
    long = "".join(f"line number {i}\n" for i in range(1000))
    one_line = "x" * 1000
    folder = write("a.txt", f"{long}\n{one_line}\n\nshort\n\n{long}{long}")
    config = ReaderConfig(documents="block", max_document_bytes=1024, max_line_bytes=max_line_bytes)
    rejects = Rejects(0.001)
    texts = list(read([folder], config, rejects))
    assert rejects.num_cut_documents == 2
    assert "".join(text.strip("\n") for text in texts).replace("\n", "") == (
        long + one_line + "short" + long * 2
    ).replace("\n", "")


def test_lines_beside_a_bad_one_end_as_others_do(write: Write, reading: Reading) -> None:
    folder = write("a.txt", b"one\r\nb\xffad\r\ntwo\r\n")
    assert reading(folder, documents="line")[0] == ["one", "two"]


def test_reading_is_lazy(write: Write) -> None:
    write("a.txt", "text")
    folder = write("b.csv", "other\nvalue\n")
    documents = read([folder], ReaderConfig(), Rejects(0.001))
    assert next(documents) == "text"
    with pytest.raises(DataError, match="no column `text`"):
        next(documents)
