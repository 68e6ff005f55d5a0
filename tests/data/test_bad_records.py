"""Broken input is named and counted, the good rest is kept, and too much of it stops the run."""

from __future__ import annotations

import gzip
import json
import os
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pytest
import zstandard
from pyarrow import parquet

from unmask.data import sources
from unmask.data.config import ReaderConfig
from unmask.data.corpus import read
from unmask.data.rejects import Reject, Rejects
from unmask.errors import DataError

Write = Callable[[str, bytes | str], Path]
Reading = Callable[..., tuple[list[str], list[Reject]]]
GOOD = '{"text": "good"}\n'


@pytest.mark.parametrize("path", ["nowhere", "nowhere.txt"])
def test_a_path_that_is_not_there_is_named(tmp_path: Path, path: str) -> None:
    with pytest.raises(DataError, match=f"{path}: no such file or folder"):
        list(read([tmp_path / path], ReaderConfig(), Rejects(0.001)))


def test_an_empty_folder_says_what_is_expected(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nothing to read \(0 other files\); expected \.txt"):
        list(read([tmp_path], ReaderConfig(), Rejects(0.001)))


def test_a_glob_without_matches_says_so(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"\*\.txt: nothing to read"):
        list(read([f"{tmp_path}/*.txt"], ReaderConfig(), Rejects(0.001)))


def test_a_named_file_of_unknown_kind_is_refused(write: Write) -> None:
    folder = write("a.pdf", "%PDF")
    with pytest.raises(DataError, match=r"a\.pdf: cannot tell what this is"):
        list(read([folder / "a.pdf"], ReaderConfig(), Rejects(0.001)))


def test_unreadable_files_are_rejects(write: Write, reading: Reading) -> None:
    folder = write("b.txt", "good")
    (folder / "a.txt").symlink_to(folder / "nowhere.txt")
    os.mkfifo(folder / "c.txt")
    texts, rejects = reading(folder)
    assert texts == ["good"]
    assert [Path(reject.source).name for reject in rejects] == ["a.txt", "c.txt"]
    assert "No such file" in rejects[0].reason
    assert "not a regular file" in rejects[1].reason


def test_a_file_that_is_not_utf8_is_a_reject_with_its_place(write: Write, reading: Reading) -> None:
    write("a.txt", b"line\ncaf\xe9 au lait\n")
    texts, (reject,) = reading(write("b.txt", "good"))
    assert texts == ["good"]
    assert reject.record == 2
    assert "not UTF-8: byte 0xe9 at offset 8" in reject.reason
    assert "caf" in reject.excerpt


@pytest.mark.parametrize("kind", ["line", "block"])
def test_only_the_bad_part_of_a_text_is_rejected(write: Write, reading: Reading, kind: str) -> None:
    folder = write("a.txt", b"one\n\n\xff\xfftwo\n\nthree\n\nfo\0ur\n")
    texts, rejects = reading(folder, documents=kind)
    assert texts == ["one", "three"]
    assert [(reject.record, reject.reason.split(":")[0]) for reject in rejects] == [
        (3, "not UTF-8"),
        (7, "NUL byte"),
    ]
    assert "offset 5" in rejects[0].reason


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-32"])
def test_utf16_is_recognised_by_its_mark(write: Write, reading: Reading, encoding: str) -> None:
    folder = write("a.txt", "\ufeff".encode("utf-16-be") * (encoding == "utf-16-be"))
    write("a.txt", (folder / "a.txt").read_bytes() + "text".encode(encoding))
    write("b.txt", "good")
    texts, (reject,) = reading(folder)
    assert texts == ["good"]
    assert reject.reason.startswith(encoding[:6].upper() + " text: convert it to UTF-8")


def test_nul_bytes_are_rejects(write: Write, reading: Reading) -> None:
    write("a.txt", b"a\nb\0c")
    write("b.jsonl", '{"text": "a\\u0000b"}\n' + GOOD)
    texts, rejects = reading(write("c.csv", b"text\na\0b\ngood\n"))
    assert texts == ["good", "good"]
    assert [reject.reason.split(":")[0] for reject in rejects] == ["NUL byte"] * 3
    assert rejects[0].record == 2


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"text": "a', "broken JSON"),
        ("[" * 100_000, "JSON nested too deeply"),
        ('{"text": ' + "[" * 100_000 + "]" * 100_000 + "}", "JSON nested too deeply"),
        ('{"text": "a", "n": ' + "1" * 10_000 + "}", "broken JSON"),
        ('{"txt": "a"}', "no field `text`: found txt"),
        ('{"text": 3}', "field `text` is no text: int"),
        ('{"text": null}', "field `text` is no text: NoneType"),
        ('["text"]', "not a JSON object: list"),
        ('{"text": "\\ud83d alone"}', "lone surrogate: U+D83D at character 0"),
    ],
)
def test_a_bad_json_line_is_a_reject_and_the_next_is_read(
    write: Write, reading: Reading, line: str, reason: str
) -> None:
    texts, (reject,) = reading(write("a.jsonl", GOOD + line + "\n\n" + GOOD))
    assert texts == ["good", "good"]
    assert reject.reason.startswith(reason)
    assert reject.record == 2
    assert len(reject.excerpt) <= 200


def test_a_surrogate_pair_is_good_text(write: Write, reading: Reading) -> None:
    assert reading(write("a.jsonl", '{"text": "\\ud83d\\ude00"}'))[0] == ["\U0001f600"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", "id,texts\n1,x\n"),
        ("a.tsv", "id\ttexts\n1\tx\n"),
        ("a.csv", "\n"),
    ],
)
def test_a_table_without_the_column_names_those_it_has(
    write: Write, name: str, content: str
) -> None:
    found = "found id, texts. did you mean `texts`" if "texts" in content else "found none"
    with pytest.raises(DataError, match=rf"{name}: no column `text`; {found}"):
        list(read([write(name, content)], ReaderConfig(), Rejects(0.001)))


def test_broken_csv_rows_are_rejects_and_reading_goes_on(write: Write) -> None:
    rows = [
        "text,id",
        "one,1",
        "too,many,fields",
        'a"b,2',
        '"x"y,3',
        b"caf\xe9,4",
        "two,5",
        "",
        "short",
    ]
    content = b"\n".join(row if isinstance(row, bytes) else row.encode() for row in rows)
    config, rejects = ReaderConfig(), Rejects(0.001)
    texts = list(read([write("a.csv", content)], config, rejects))
    assert texts == ["one", 'a"b', "two"]
    assert dict(rejects.reasons) == {"broken row": 3, "not UTF-8": 1}
    assert rejects.first[0].record == 3
    assert "3 fields, expected 2" in rejects.first[0].reason
    assert "offset 46" in rejects.first[2].reason


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"te\xffxt,text\nrow,1\n", "not UTF-8: byte 0xff at offset 2"),
        (b'"id"x,text\n1,row\n', "broken row: ',' expected after"),
        (b'"id,text\n1,row\n', "broken row: unexpected end of data"),
        (b'"id,text\n' + b"1,row\n" * 1000, "broken row: a quote does not end within 1024 bytes"),
        (b"text," + b"x" * 2000 + b"\n1,row\n", "line too long: expected at most 1024 bytes"),
    ],
)
def test_a_broken_header_is_refused_and_no_row_takes_its_place(
    write: Write, content: bytes, why: str
) -> None:
    folder = write("a.csv", content)
    with pytest.raises(DataError, match=r"a\.csv:1: the header cannot be read") as caught:
        list(read([folder], ReaderConfig(max_line_bytes=1024), Rejects(0.001)))
    assert why in str(caught.value)


def test_an_open_quote_costs_no_more_than_the_limit(write: Write, reading: Reading) -> None:
    rows = "".join(f"row {i},{i}\n" for i in range(1000))
    texts, (reject,) = reading(write("a.csv", f'text,id\n"open,0\n{rows}'), max_line_bytes=1024)
    assert "a quote does not end within 1024 bytes" in reject.reason
    assert reject.record == 2
    assert 850 < len(texts) < 1000
    assert texts[-1] == "row 999"


def test_an_open_quote_at_the_end_is_a_reject(write: Write, reading: Reading) -> None:
    texts, (reject,) = reading(write("a.csv", 'text\none\n"two\n'))
    assert texts == ["one"]
    assert "unexpected end of data" in reject.reason


def test_parquet_rejects_missing_values_and_broken_text(write: Write, reading: Reading) -> None:
    broken = pa.array([b"good", None, b"caf\xe9", b"x" * 2000], pa.binary())
    column = pa.StringArray.from_buffers(4, *broken.buffers()[1:], broken.buffers()[0])
    folder = write("a.parquet", b"")
    parquet.write_table(pa.table({"text": column}), folder / "a.parquet")
    texts, rejects = reading(folder, max_line_bytes=1024)
    assert texts == ["good"]
    assert [reject.record for reject in rejects] == [2, 3, 4]
    assert "no value" in rejects[0].reason
    assert "not UTF-8" in rejects[1].reason
    assert "record too long" in rejects[2].reason


def test_a_parquet_column_of_another_type_is_refused(write: Write) -> None:
    folder = write("a.parquet", b"")
    parquet.write_table(pa.table({"text": [1, 2]}), folder / "a.parquet")
    with pytest.raises(DataError, match="column `text` holds int64, expected text"):
        list(read([folder], ReaderConfig(), Rejects(0.001)))


@pytest.mark.parametrize("content", [b"", b"PAR1 no more", b"PAR1" + b"\0" * 100 + b"PAR1"])
def test_a_broken_parquet_file_is_a_reject(write: Write, reading: Reading, content: bytes) -> None:
    write("a.parquet", content)
    texts, (reject,) = reading(write("b.txt", "good"))
    assert texts == ["good"]
    assert reject.reason.startswith("broken file")


def packed(compression: str, content: bytes) -> bytes:
    return gzip.compress(content) if compression == "gz" else zstandard.compress(content)


@pytest.mark.parametrize("compression", ["gz", "zst"])
@pytest.mark.parametrize("damage", ["cut", "flipped"])
def test_of_a_broken_stream_the_records_before_are_kept(
    write: Write, compression: str, damage: str
) -> None:
    noise = os.urandom(400_000).hex()  # so that the stream has many blocks
    lines = [json.dumps({"text": f"{i} {noise[i * 400 : i * 400 + 400]}"}) for i in range(2000)]
    content = packed(compression, "\n".join(lines).encode())
    if damage == "cut":
        content = content[:-20_000]
    else:
        middle = len(content) * 3 // 4
        content = content[:middle] + bytes(64) + content[middle + 64 :]
    rejects = Rejects(max_rate=1.0)  # gzip notices the damage some garbled records later
    folder = write(f"a.jsonl.{compression}", content)
    texts = list(read([folder], ReaderConfig(), rejects))
    assert rejects.reasons["broken file"] == 1
    assert texts[:1000] == [json.loads(line)["text"] for line in lines[:1000]]


@pytest.mark.parametrize("compression", ["gz", "zst"])
def test_a_compressed_file_of_no_bytes_was_cut_off(
    write: Write, reading: Reading, compression: str
) -> None:
    write("b.txt", "good")
    texts, (reject,) = reading(write(f"a.txt.{compression}", b""))
    assert texts == ["good"]
    assert "the compressed file ends too early" in reject.reason
    write(f"a.txt.{compression}", packed(compression, b""))
    assert reading(write("b.txt", "good")) == (["", "good"], [])


def test_a_broken_stream_keeps_the_text_before_it(write: Write, reading: Reading) -> None:
    content = gzip.compress("".join(f"line {i * 7919}\n" for i in range(50_000)).encode())
    texts, (reject,) = reading(write("a.txt.gz", content[: len(content) // 2]))
    assert texts[0].startswith("line 0\n")
    assert len(texts[0]) > 100_000
    assert "ends too early" in reject.reason


def test_a_line_of_a_gigabyte_costs_little_memory_and_reading_goes_on(
    write: Write, reading: Reading, monkeypatch: pytest.MonkeyPatch
) -> None:
    def chunks(_: sources.Source) -> Iterator[tuple[bytes, int]]:
        yield b"first\n", 1
        for _ in range(1024):
            yield b"x" * 2**20, 1
        yield b"\nlast\n", 1

    monkeypatch.setattr("unmask.data.lines.chunks", chunks)
    folder = write("a.txt", "")
    tracemalloc.start()
    texts, (reject,) = reading(folder)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert texts == ["first\nlast\n"]
    assert reject.record == 2
    assert "line too long: 1073741824 bytes from byte 6" in reject.reason
    assert peak < 32 * 2**20


@pytest.mark.parametrize("compression", ["gz", "zst"])
def test_a_decompression_bomb_is_a_line_that_is_too_long(
    write: Write, reading: Reading, compression: str
) -> None:
    bomb = packed(compression, b"x" * (100 * 2**20))
    assert len(bomb) < 400_000
    write("b.txt", "good")
    folder = write(f"a.txt.{compression}", bomb)
    tracemalloc.start()
    texts, (reject,) = reading(folder)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert texts == ["good"]
    assert "line too long" in reject.reason
    assert peak < 50 * 2**20


@pytest.mark.parametrize("length", [1023, 1024, 1025, 3000])
def test_the_limit_on_lines_is_exact(write: Write, reading: Reading, length: int) -> None:
    lines = ["a" * 1000, "b" * length, "c" * 1000]
    texts, rejects = reading(
        write("a.txt", "\n".join(lines)), documents="line", max_line_bytes=1024
    )
    assert texts == (lines if length <= 1024 else [lines[0], lines[2]])
    assert len(rejects) == (length > 1024)


def test_rejects_go_to_a_file_one_object_a_line(write: Write, tmp_path: Path) -> None:
    folder = write("a.jsonl", '{"text": "\\ud800"}\n{"txt": "\u2028é"}\n' + GOOD)
    with Rejects(0.001, tmp_path / "rejects.jsonl") as rejects:
        list(read([folder], ReaderConfig(), rejects))
    lines = (tmp_path / "rejects.jsonl").read_text(encoding="utf-8").split("\n")
    first, second = (json.loads(line) for line in lines if line)
    assert set(first) == {"source", "record", "reason", "excerpt"}
    assert second["excerpt"] == '{"txt": "\u2028é"}'
    assert second["record"] == 2


def test_rejects_can_be_written_whatever_they_hold(write: Write, tmp_path: Path) -> None:
    folder = write("a.jsonl", json.dumps({"\ud800": 1}) + "\n" + json.dumps({"k" * 100_000: 1}))
    with open(os.fsencode(folder) + b"/b\xff.txt", "wb") as file:  # noqa: PTH123
        file.write(b"caf\xe9")
    with Rejects(0.001, tmp_path / "rejects.jsonl") as rejects:
        list(read([folder], ReaderConfig(), rejects))
    lines = (tmp_path / "rejects.jsonl").read_text(encoding="utf-8").splitlines()
    surrogate, long, name = map(json.loads, lines)
    assert surrogate["reason"].startswith(r"no field `text`: found \ud800")
    assert len(long["reason"]) < 400
    assert long["reason"].endswith("kkk...")
    assert name["source"].endswith(r"b\udcff.txt")


@pytest.mark.parametrize(
    ("bad", "good", "max_rate"), [(10, 0, 0.001), (10, 9989, 0.001), (60, 50, 0.5)]
)
def test_too_many_rejects_stop_the_run(write: Write, bad: int, good: int, max_rate: float) -> None:
    folder = write("a.jsonl", "broken\n" * bad + GOOD * good)
    message = rf"{bad} of {bad + good} records cannot be read \({bad} broken JSON\)"
    with pytest.raises(DataError, match=message) as caught:
        list(read([folder], ReaderConfig(), Rejects(max_rate=max_rate)))
    assert "a.jsonl:1: broken JSON" in str(caught.value)
    assert f"more than --reader.max-reject-rate {max_rate:g} allows" in str(caught.value)


@pytest.mark.parametrize(
    ("bad", "good", "max_rate"), [(9, 0, 0.001), (10, 9990, 0.001), (10, 90, 0.5), (10, 0, 1.0)]
)
def test_few_rejects_stop_nothing(write: Write, bad: int, good: int, max_rate: float) -> None:
    folder = write("a.jsonl", "broken\n" * bad + GOOD * good)
    rejects = Rejects(max_rate=max_rate)
    assert len(list(read([folder], ReaderConfig(), rejects))) == good
    assert len(rejects) == bad


def test_an_input_that_is_mostly_bad_stops_before_its_end(write: Write) -> None:
    folder = write("a.jsonl", "broken\n" * 5000 + GOOD * 5000)
    rejects = Rejects(0.001)
    with pytest.raises(DataError, match="1001 of 1001 records cannot be read"):
        list(read([folder], ReaderConfig(), rejects))


def test_another_encoding_comes_with_the_way_out(write: Write) -> None:
    folder = write("a.txt", "caf\xe9".encode("latin-1"))
    rejects = Rejects(0.0)
    for _ in range(10):
        rejects.add("a.txt", 1, "not UTF-8")

    with pytest.raises(DataError, match="`iconv -f latin1 -t utf-8 OLD"):
        rejects.check()
    with Rejects(1.0, folder / "list.jsonl") as one:
        one.add("a.txt", 1, "not UTF-8")
        told = str(one.explain(DataError("no word in it."), folder / "out"))
    assert "1 of 1 record cannot be read (1 not UTF-8)" in told
    assert told.count("iconv") == 1


def test_other_rejects_say_nothing_of_encodings(caplog: pytest.LogCaptureFixture) -> None:
    rejects = Rejects(1.0)
    rejects.add("a.jsonl", 1, "broken JSON")
    rejects.num_records += 1

    rejects.warn(Path("rejects.jsonl"))

    assert "1 of 2 records cannot be read (1 broken JSON); what cannot is left out" in caplog.text
    assert "iconv" not in caplog.text
