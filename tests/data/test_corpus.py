"""Files become the documents that stand in them, whatever their kind and compression."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
import zstandard
from pyarrow import parquet

from unmask.data.config import ReaderConfig
from unmask.data.corpus import read
from unmask.data.rejects import Reject, Rejects
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
    texts = [document.text for document in read([folder], config, Rejects())]
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


def test_a_document_names_its_source(write: Write) -> None:
    folder = write("a.txt", "text")
    (document,) = read([folder], ReaderConfig(), Rejects())
    assert document.source == (folder / "a.txt").as_posix()


def test_a_prepared_corpus_in_the_folder_is_passed_over(write: Write, reading: Reading) -> None:
    write("corpus/manifest.json", '{"format": "unmask corpus"}')
    write("corpus/tokenizer/vocab.txt", "the\n")
    folder = write("a.txt", "text")
    assert reading(folder)[0] == ["text"]


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
    rejects = Rejects()
    texts = [d.text for d in read([folder], ReaderConfig(max_document_bytes=4096), rejects)]
    assert rejects.num_cut_documents == 2
    assert max(map(len, texts)) <= 4096
    assert "".join(texts) == content * 2
    assert all(text.endswith("\n") for text in texts)


def test_reading_is_lazy(write: Write) -> None:
    write("a.txt", "text")
    folder = write("b.csv", "other\nvalue\n")
    documents = read([folder], ReaderConfig(), Rejects())
    assert next(documents).text == "text"
    with pytest.raises(DataError, match="no column `text`"):
        next(documents)
