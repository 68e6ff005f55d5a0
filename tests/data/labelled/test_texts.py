"""Texts and their labels are read from tables, and what is wrong is named by file and line."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import zstandard
from pyarrow import parquet

from unmask.data.labelled.examples import TextExample
from unmask.data.labelled.reading import read_choices, read_tagged, read_texts
from unmask.data.rejects import Rejects
from unmask.errors import DataError

Write = Callable[[str, bytes | str], Path]
Read = Callable[..., tuple[list[Any], Rejects]]


def labels(examples: list[TextExample]) -> list[object]:
    return [example.label for example in examples]


def reasons(rejects: Rejects) -> list[tuple[int | None, str]]:
    return [(reject.record, reject.reason) for reject in rejects.first]


def test_csv_keeps_quoted_fields_together(write: Write, read: Read) -> None:
    path = write("a.csv", 'id,text,label\r\nx,"one, ""two""\r\nthree",pos\r\ny,four,neg\r\n')
    examples, rejects = read(read_texts, path)
    assert examples == [
        TextExample("x", 'one, "two"\nthree', None, "pos", None, f"{path}:2"),
        TextExample("y", "four", None, "neg", None, f"{path}:4"),
    ]
    assert rejects.num_records == 2


def test_tsv_takes_quotes_for_text_unless_told_otherwise(write: Write, read: Read) -> None:
    path = write("a.tsv", 'text\tlabel\n"Yes," he said.\t1\n"a"\t0\n')
    assert [e.text for e in read(read_texts, path)[0]] == ['"Yes," he said.', '"a"']
    path = write("a.tsv", 'text\tlabel\n"a\tb"\t0\n')
    assert read(read_texts, path, quoting="csv")[0][0].text == "a\tb"
    path = write("b.csv", 'text,label\n"a,1\n')
    assert read(read_texts, path, quoting="none")[0][0].text == '"a'


@pytest.mark.parametrize("ending", ["", ".gz", ".zst"])
def test_every_format_gives_the_same_examples(
    write: Write, read: Read, tmp_path: Path, compress: Callable[[bytes], bytes], ending: str
) -> None:
    rows = [{"sentence1": "a b", "sentence2": "c é", "label": "yes", "idx": 7}] * 1
    rows.append({"sentence1": "d", "sentence2": "e", "label": "no", "idx": 8})
    names = list(rows[0])
    parquet.write_table(pa.Table.from_pylist(rows), tmp_path / "plain.parquet")
    contents = {
        "a.csv": "\n".join([",".join(names), *(",".join(map(str, r.values())) for r in rows)]),
        "a.tsv": "\n".join(["\t".join(names), *("\t".join(map(str, r.values())) for r in rows)]),
        "a.jsonl": "\n".join(map(json.dumps, rows)),
        "a.json": json.dumps(rows, indent=1),
        "a.parquet": (tmp_path / "plain.parquet").read_bytes(),
    }
    pack = {"": bytes, ".gz": compress, ".zst": zstandard.compress}[ending]
    for name, content in contents.items():
        raw = content.encode() if isinstance(content, str) else content
        examples, rejects = read(read_texts, write(f"{name}{ending}", pack(raw)))
        assert [(e.id, e.text, e.text_pair, e.label) for e in examples] == [
            ("7", "a b", "c é", "yes"),
            ("8", "d", "e", "no"),
        ], name
        assert (len(rejects), rejects.num_records) == (0, 2)


@pytest.mark.parametrize(
    ("header", "row", "expected"),
    [
        ("Quality\t#1 ID\t#2 ID\t#1 String\t#2 String", "1\t5\t6\ta\tb", ("a", "b", "1")),
        ("index\tquestion\tsentence\tlabel", "0\tq\ts\tx", ("q", "s", "x")),
        ("id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate", "0\t1\t2\ta\tb\t1", ("a", "b", "1")),
        ("index\tpremise\thypothesis\tlabel1\tgold_label", "0\tp\th\tx\ty", ("p", "h", "y")),
        ("sentence\tlabel", "a\t1", ("a", None, "1")),
        ("label\tsentence1\tsentence2\tscore", "l\ta\tb\t3", ("a", "b", "l")),
    ],
)
def test_published_columns_are_recognised(
    write: Write, read: Read, header: str, row: str, expected: tuple[str | None, ...]
) -> None:
    ((example,), _) = read(read_texts, write("a.tsv", f"\ufeff{header}\n{row}\n"))
    assert (example.text, example.text_pair, example.label) == expected


def test_columns_can_be_set_by_name_and_by_number(write: Write, read: Read) -> None:
    path = write("a.tsv", "kind\tbody\twho\tn\nx\ta\tme\t1\n")
    by_name = {"text": "body", "label": "kind", "group": "who", "id": "n"}
    by_number = {"text": 1, "label": "0", "group": 2, "id": 3}
    for columns in (by_name, by_number | {"text": "1"}, by_number):
        settings = {"columns": columns, "header": "yes"}
        ((example,), _) = read(read_texts, path, **settings)
        assert example == TextExample("1", "a", None, "x", "me", f"{path}:2")


def test_several_columns_make_one_text(write: Write, read: Read) -> None:
    path = write("a.csv", '"3","A title","A description."\n')
    ((example,), _) = read(read_texts, path, columns={"text": [1, 2], "label": 0})
    assert (example.text, example.label) == ("A title A description.", "3")


def test_a_column_that_is_recognised_can_be_switched_off(write: Write, read: Read) -> None:
    path = write("a.tsv", "id\tsentence1\tsentence2\tlabel\n1\ta\tb\tx\n1\tc\td\ty\n")
    examples, rejects = read(read_texts, path, columns={"id": "", "text_pair": ""})
    assert [(e.id, e.text_pair) for e in examples] == [("2", None), ("3", None)]
    assert len(rejects) == 0


def test_without_a_header_two_columns_are_text_and_label(write: Write, read: Read) -> None:
    path = write("a.tsv", "good film\t1\nbad film\t0\n")
    assert labels(read(read_texts, path)[0]) == ["1", "0"]
    assert labels(read(read_texts, path, labels="none")[0]) == [None, None]
    path = write("b.tsv", "text\tlabel\nbad film\t0\n")
    assert labels(read(read_texts, path, header="no")[0]) == ["label", "0"]


def test_a_label_named_like_a_column_is_no_header(write: Write, read: Read) -> None:
    rows = "How are you?\tquestion\nI am well.\tstatement\nAre you?\tquestion\n"
    path = write("a.tsv", rows)
    assert labels(read(read_texts, path)[0]) == ["question", "statement", "question"]
    path = write("b.tsv", f"text\tlabel\n{rows}text\tquestion\n")
    assert len(read(read_texts, path)[0]) == 4  # `label` does not come again
    path = write("c.tsv", f"what\tquestion\n{rows}")
    examples, _ = read(read_texts, path, columns={"text": "what", "label": "question"})
    assert len(examples) == 3  # a name that is set is one


def test_other_tables_without_a_header_need_their_columns_set(write: Write, read: Read) -> None:
    path = write("a.csv", "3,a title,a text\n")
    with pytest.raises(DataError) as caught:
        read(read_texts, path)
    assert str(caught.value) == (
        f"{path}:1: has no header, and 3 columns (0: '3', 1: 'a title', 2: 'a text'); cannot tell "
        "which is text. Set --data.columns.text to a name, or to a number from 0."
    )
    with pytest.raises(DataError, match=r"no column `title`, for the first line is not a header"):
        read(read_texts, path, columns={"text": "title"})
    with pytest.raises(DataError, match="no column number 3; found 3, counted from 0"):
        read(read_texts, path, columns={"text": 3})


def test_a_column_that_is_not_there_is_named_with_the_nearest(write: Write, read: Read) -> None:
    path = write("a.csv", "text,lable\na,b\n")
    with pytest.raises(DataError) as caught:
        read(read_texts, path, columns={"label": "lables"})
    assert str(caught.value) == (
        f"{path}: no column `lables`; found `text`, `lable`. Did you mean `lable`?"
    )
    with pytest.raises(DataError, match=r"none of its columns \(`a`, `label`\) is known as text"):
        read(read_texts, write("b.jsonl", '{"a": "x", "label": 1}\n'))
    with pytest.raises(DataError, match="several columns `text`; name it by its number"):
        read(read_texts, write("c.csv", "text,text,label\na,b,c\n"))


def test_rows_of_another_width_are_rejects_with_their_lines(write: Write, read: Read) -> None:
    path = write("a.tsv", "text\tlabel\na\t1\nb\nc\t1\t2\n\nd\t0\n")
    examples, rejects = read(read_texts, path)
    assert [example.text for example in examples] == ["a", "d"]
    assert reasons(rejects) == [
        (3, "missing column: 1 fields, expected 2 as in line 1"),
        (4, "extra column: 3 fields, expected 2 as in line 1"),
    ]
    assert rejects.first[0].place == f"{path}:3"
    path = write("b.tsv", "a\t1\nb\n")
    assert reasons(read(read_texts, path)[1]) == [
        (2, "missing column: 1 fields, expected 2 as in line 1")
    ]


def test_what_is_not_a_text_is_a_reject(write: Write, read: Read) -> None:
    lines = [
        '{"text": " \\t", "text_pair": "x", "label": "a"}',
        '{"text": "x", "text_pair": "", "label": "a"}',
        '{"text": 3, "text_pair": "x", "label": "a"}',
        '{"text": "a\\u0000b", "text_pair": "x", "label": "a"}',
        '{"text": "a", "text_pair": "\\ud800", "label": "a"}',
        '{"text": "a", "text_pair": "x", "label": "a"',
        "[]",
        '{"text": "a", "text_pair": "x", "label": "a"}',
    ]
    examples, rejects = read(read_texts, write("a.jsonl", "\n".join(lines)))
    assert [example.id for example in examples] == ["8"]
    assert set(rejects.reasons) == {
        "empty text",
        "empty second text",
        "text is no text",
        "NUL byte",
        "lone surrogate",
        "broken JSON",
        "not a JSON object",
    }


def test_bytes_that_are_not_utf8_are_rejects(write: Write, read: Read, tmp_path: Path) -> None:
    for name, between in (("a.csv", b","), ("a.tsv", b"\t")):
        content = (
            between.join([b"text", b"label\n"])
            + between.join([b"caf\xe9", b"1\nb"])
            + (between + b"0\n")
        )
        examples, rejects = read(read_texts, write(name, content))
        assert [example.text for example in examples] == ["b"]
        assert rejects.first[0].record == 2
        assert rejects.first[0].reason.startswith("not UTF-8: byte 0xe9")
    column = pa.array([b"caf\xe9", b"good"], pa.binary()).view(pa.string())
    table = pa.table({"text": column, "label": pa.array([1, 0])})
    parquet.write_table(table, tmp_path / "a.parquet")
    examples, rejects = read(read_texts, tmp_path / "a.parquet")
    assert [(example.text, example.label) for example in examples] == [("good", "0")]
    assert rejects.first[0].reason.startswith("not UTF-8: byte 0xe9 at offset 3")


@pytest.mark.parametrize(("name", "sign"), [("a.json", ": record "), ("a.jsonl", ":")])
def test_formats_without_lines_number_their_records(
    write: Write, read: Read, name: str, sign: str
) -> None:
    rows = [{"id": i % 2, "text": "a", "label": 1} for i in range(3)]
    content = json.dumps(rows) if name == "a.json" else "\n".join(map(json.dumps, rows))
    path = write(name, content)
    examples, rejects = read(read_texts, path)
    assert examples[1].place == f"{path}{sign}2"
    assert rejects.first[0].place == f"{path}{sign}3"
    assert f"stands in {'record' if name == 'a.json' else 'line'} 1 already" in (
        rejects.first[0].reason
    )


def huggingface(features: dict[str, Any], rows: dict[str, list[Any]], path: Path) -> Path:
    """A table as `datasets.Dataset.to_parquet` writes it."""
    written = json.dumps({"info": {"features": features}})
    parquet.write_table(pa.table(rows).replace_schema_metadata({"huggingface": written}), path)
    return path


def test_classes_that_datasets_names_in_parquet_get_their_names(tmp_path: Path, read: Read) -> None:
    names = {"names": ["neg", "pos"], "_type": "ClassLabel"}
    rows = {"text": ["a", "b", "c"], "label": [1, -1, 0]}
    path = huggingface({"text": {"_type": "Value"}, "label": names}, rows, tmp_path / "a.parquet")
    examples, rejects = read(read_texts, path)
    assert labels(examples) == ["pos", "neg"]
    assert (rejects.notes, len(rejects)) == ({"left out, without a label": 1}, 0)
    for listed in ({"feature": names, "_type": "Sequence"}, [names]):
        tagged = {"tokens": [["a", "b"]], "ner_tags": [[1, 0]]}
        path = huggingface({"ner_tags": listed}, tagged, tmp_path / "b.parquet")
        assert read(read_tagged, path)[0][0].tags == ("pos", "neg")
    choice = {"text": ["t", "t"], "choices": [["x", "y"]] * 2, "label": [-1, 1]}
    path = huggingface({"label": names}, choice, tmp_path / "c.parquet")
    examples, rejects = read(read_choices, path)
    assert (labels(examples), rejects.notes.total(), len(rejects)) == ([1], 1, 0)


@pytest.mark.parametrize(
    "written", ["{", "[]", '{"info": 1}', '{"info": {"features": {"label": 1}}}']
)
def test_other_words_in_parquet_are_passed_over(written: str, tmp_path: Path, read: Read) -> None:
    table = pa.table({"text": ["a"], "label": [1]}).replace_schema_metadata(
        {"huggingface": written}
    )
    parquet.write_table(table, tmp_path / "a.parquet")
    assert labels(read(read_texts, tmp_path / "a.parquet")[0]) == ["1"]


def test_duplicate_ids_are_rejects_that_name_the_first(write: Write, read: Read) -> None:
    path = write("a.tsv", "id\ttext\tlabel\nx\ta\t1\ny\tb\t1\nx\tc\t1\n\td\t1\n")
    examples, rejects = read(read_texts, path)
    assert [example.id for example in examples] == ["x", "y"]
    assert reasons(rejects) == [
        (4, "duplicate id: `x` stands in line 2 already"),
        (5, "no id"),
    ]


@pytest.mark.parametrize(
    ("given", "label"),
    [
        ('"a"', "a"),
        ('" a "', "a"),
        ("1", "1"),
        ("1.0", "1"),
        ("0.5", "0.5"),
        ("true", "true"),
        ("null", "no label"),
        ("NaN", "no label"),
        ('""', "no label"),
        ("{}", "label is no class: dict, expected text or a number"),
    ],
)
def test_a_class_is_the_same_in_every_format(
    write: Write, read: Read, given: str, label: str
) -> None:
    path = write("a.jsonl", f'{{"text": "x", "label": {given}}}\n{{"text": "y", "label": 3}}\n')
    examples, rejects = read(read_texts, path)
    if len(examples) == 2:
        assert examples[0].label == label
    else:
        assert reasons(rejects) == [(1, label)]


def test_a_class_is_the_same_in_csv_as_in_json(write: Write, read: Read) -> None:
    given = [True, False, 1, 1.0, 0.0, -1.0, 0.5]
    spelled = ["true", "false", "1", "1", "0", "-1", "0.5"]
    rows = [json.dumps({"text": "x", "label": label}) for label in given]
    assert labels(read(read_texts, write("a.jsonl", "\n".join(rows)))[0]) == spelled
    table = "".join(f"x,{label}\n" for label in given)
    path = write("a.csv", f"text,label\n{table}")
    assert labels(read(read_texts, path)[0]) == spelled
    path = write("b.csv", "text,label\na,TRUE\nb,False\nc,-1.0\n")
    settings = {"class_names": ["False", "True"], "no_label": ["-1"]}
    assert labels(read(read_texts, path, **settings)[0]) == ["True", "False"]


def test_a_key_that_comes_late_is_told_of_once(
    write: Write, read: Read, caplog: pytest.LogCaptureFixture
) -> None:
    rows = [{"text": "a", "label": 1}] * 100 + [{"text": "a", "label": 1, "group": "x"}] * 5
    path = write("a.jsonl", "\n".join(map(json.dumps, rows)))
    examples, _ = read(read_texts, path)
    assert {example.group for example in examples} == {None}
    (told,) = caplog.messages
    assert told.startswith(f"{path}:101: has the key `group`, which none of the first 100")


def test_numbers_name_the_classes_that_are_set(write: Write, read: Read) -> None:
    path = write("a.tsv", "text\tlabel\na\t1\nb\tneg\nc\t2\nd\tfoo\ne\t-1\n")
    examples, rejects = read(read_texts, path, class_names=["neg", "pos"])
    assert labels(examples) == ["pos", "neg"]
    assert reasons(rejects) == [
        (4, "label out of range: `2`, expected `neg`, `pos` or a number from 0 to 1"),
        (5, "label out of range: `foo`, expected `neg`, `pos` or a number from 0 to 1"),
        (6, "label out of range: `-1`, expected `neg`, `pos` or a number from 0 to 1"),
    ]


def test_targets_must_be_finite_numbers_in_range(write: Write, read: Read) -> None:
    path = write("a.tsv", "text\tscore\na\t0.5\nb\tnan\nc\tinf\nd\thigh\ne\t5.01\nf\t\ng\t5\n")
    examples, rejects = read(read_texts, path, labels="number", label_range=[0, 5])
    assert labels(examples) == [0.5, 5.0]
    assert rejects.reasons == {
        "label is not finite": 2,
        "label is no number": 1,
        "label out of range": 1,
        "no label": 1,
    }
    assert rejects.first[0].reason == "label is not finite: `nan`, expected a number"
    path = write("a.jsonl", '{"text": "a", "label": true}\n{"text": "a", "label": 2}\n')
    assert labels(read(read_texts, path, labels="number")[0]) == [2.0]


def test_several_classes_come_from_a_separator_a_list_or_columns(write: Write, read: Read) -> None:
    path = write("a.tsv", 'text\tlabel\na\tx, y,x\nb\t\nc\t["z, 1", 2]\nd\t[1\n')
    examples, rejects = read(read_texts, path, labels="multi")
    assert labels(examples) == [("x", "y"), (), ("z, 1", "2")]
    assert rejects.reasons == {"label is no JSON list": 1}
    path = write("b.tsv", "text\tlabel\na\tx|y\n")
    assert labels(read(read_texts, path, labels="multi", label_separator="|")[0]) == [("x", "y")]
    path = write("a.jsonl", '{"text": "a", "label": ["x"]}\n{"text": "b", "label": null}\n')
    assert labels(read(read_texts, path, labels="multi")[0]) == [("x",)]
    path = write("a.csv", "text,toxic,insult\na,1,0\nb,1,1\nc,0,2\n")
    settings = {"labels": "multi", "columns": {"label": ["toxic", "insult"]}}
    examples, rejects = read(read_texts, path, **settings)
    assert labels(examples) == [("toxic",), ("toxic", "insult")]
    assert reasons(rejects) == [(4, "label is neither 0 nor 1: `2` in column `insult`")]


def test_a_label_that_says_none_is_left_out_counted_and_logged(
    write: Write, read: Read, caplog: pytest.LogCaptureFixture
) -> None:
    rows = "".join(f"-\tp{i}\th{i}\n" for i in range(40))
    path = write("a.tsv", f"gold_label\tpremise\thypothesis\n{rows}entailment\tp\th\n")
    with caplog.at_level(logging.WARNING):
        examples, rejects = read(read_texts, path)
    assert (labels(examples), len(rejects)) == (["entailment"], 0)
    assert rejects.notes == {"left out, without a label": 40}
    assert rejects.num_records == 41
    assert f"{path}: 40 examples left out, without a label" in caplog.text
    assert len(read(read_texts, path, no_label=[])[0]) == 41
    path = write("b.tsv", "text\tlabel\na\t-\nb\t+\nc\t?\n")
    assert labels(read(read_texts, path)[0]) == ["-", "+", "?"]
    assert labels(read(read_texts, path, no_label=["?"])[0]) == ["-", "+"]


def test_files_without_labels_can_be_read(write: Write, read: Read) -> None:
    path = write("a.tsv", "index\tsentence\n0\ta\n1\tb\n")
    for settings in ({"labels": "none"}, {"columns": {"label": ""}}):
        assert labels(read(read_texts, path, **settings)[0]) == [None, None]
    path = write("b.jsonl", '{"text": "a", "label": null}\n')
    assert labels(read(read_texts, path, labels="none")[0]) == [None]


def test_a_table_whose_labels_are_not_recognised_names_its_columns(
    write: Write, read: Read
) -> None:
    path = write("a.tsv", "index\tsentence\tverdict\n0\ta\tx\n")
    with pytest.raises(DataError) as caught:
        read(read_texts, path)
    assert str(caught.value) == (
        f"{path}:1: none of its columns (`index`, `sentence`, `verdict`) is known as label; "
        "expected gold_label, label, labels, class, category, target. Set --data.columns.label to "
        "a name, or to a number from 0."
    )
    with pytest.raises(DataError, match=r"1 columns .* cannot tell which is label"):
        read(read_texts, write("b.tsv", "a film\n"))
    path = write("a.jsonl", '{"tokens": ["a"], "verdict": ["O"]}')
    with pytest.raises(DataError, match=r"known as tags; expected tags, .* --data\.columns\.tags"):
        read(read_tagged, path)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.tsv", "", "holds no examples. Expected at least one"),
        ("a.tsv", "text\tlabel\n", "holds no examples. Expected at least one"),
        ("a.jsonl", "\n\n", "holds no examples. Expected at least one"),
        ("a.tsv", "text\tlabel\n\t1\n", r"a.tsv:2: empty text"),
        ("a.csv", "text,label\na,b\n".encode("utf-16"), "UTF-16 text: convert it to UTF-8"),
        ("a.json", "[]", "holds no examples"),
        ("a.json", '{"text": "a"}', "a.json:1: holds a JSON dict, expected a list of objects"),
        ("a.json", "[{", r"a.json:1: is not JSON \(Expecting property name"),
        ("a.json", b'[{"text":\n"\xff"}]', "a.json:2: byte 0xff at offset 11 is not UTF-8"),
        ("a.parquet", "nonsense", "is no Parquet file that can be read"),
        ("a.pdf", "%PDF", "cannot tell what this is for texts; expected a file ending in .csv"),
        ("a.csv", b"text\xff,label\n", r"a.csv:1: the header cannot be read \(not UTF-8"),
    ],
)
def test_a_file_without_examples_says_why(
    write: Write, read: Read, name: str, content: bytes | str, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        read(read_texts, write(name, content))


def test_a_path_must_be_one_file(tmp_path: Path, read: Read) -> None:
    with pytest.raises(DataError, match=r"nowhere\.csv: no such file"):
        read(read_texts, tmp_path / "nowhere.csv")
    with pytest.raises(DataError, match="is a folder; expected one file of examples"):
        read(read_texts, tmp_path)


def test_a_broken_off_file_is_not_taken_for_the_whole(
    write: Write, read: Read, compress: Callable[[bytes], bytes]
) -> None:
    rows = "".join(f"text number {i * i * 7919 % 1000003}\t{i % 2}\n" for i in range(5000))
    content = compress(f"text\tlabel\n{rows}".encode())
    path = write("a.tsv.gz", content[: len(content) // 2])
    with pytest.raises(DataError) as caught:
        read(read_texts, path, max_reject_rate=1.0)
    assert str(caught.value).startswith(
        f"{path}: broken file: the compressed file ends too early, after "
    )


def test_a_parquet_file_that_breaks_off_is_not_taken_for_the_whole(
    tmp_path: Path, read: Read
) -> None:
    path = tmp_path / "a.parquet"
    noise = [os.urandom(20).hex() for _ in range(20_000)]
    rows = pa.table({"text": noise, "label": [i % 2 for i in range(20_000)]})
    parquet.write_table(rows, path, row_group_size=1000)
    content = path.read_bytes()
    half = len(content) // 2
    path.write_bytes(content[:half] + bytes(20_000) + content[half + 20_000 :])
    with pytest.raises(DataError, match=r"a\.parquet: broken file: .*, after [\d,]+ records\."):
        read(read_texts, path, max_reject_rate=1.0)


@pytest.mark.parametrize(
    ("faulty", "line"),
    [
        ('"text 20,1\n', 21),
        ('"text 20,1\n' + "".join(f"text {i},1\n" for i in range(20)) + '"a, b",1\n', 21),
        ('"two\nlines","1\n', 22),
        ('a "quoted" word,"a ""doubled"" one\n', 21),
    ],
    ids=["to the end", "to another quote", "after a field of two lines", "after other quotes"],
)
def test_a_quote_that_does_not_end_is_no_single_reject(
    write: Write, read: Read, faulty: str, line: int
) -> None:
    good = [f"text {i},{i % 2}\n" for i in range(1000)]
    path = write("a.csv", "".join(["text,label\n", *good[:19], faulty, *good[20:]]))
    with pytest.raises(DataError) as caught:
        read(read_texts, path, max_reject_rate=1.0)
    assert str(caught.value).startswith(f"{path}:{line}: a quote opens here and does not end")
    assert "--data.quoting none" in str(caught.value)
    assert len(read(read_texts, path, quoting="none")[0]) >= 998


def test_an_open_quote_in_the_header_or_of_many_bytes_is_named(write: Write, read: Read) -> None:
    with pytest.raises(DataError, match=r"a\.csv:1: a quote opens here"):
        read(read_texts, write("a.csv", '"text,label\na,1\n'))
    rows = 'text,label\na,1\n"b,1\n' + "c,1\n" * 1000
    with pytest.raises(DataError, match=r"b\.csv:3: a quote opens here"):
        read(read_texts, write("b.csv", rows), max_line_bytes=1024)


def test_a_quote_inside_a_field_costs_its_record_alone(write: Write, read: Read) -> None:
    path = write("a.csv", 'text,label\n"a\nsaid "so" twice",1\nb,0\n')
    examples, rejects = read(read_texts, path)
    assert ([e.text for e in examples], rejects.reasons) == (["b"], {"broken row": 1})


def test_a_carriage_return_in_an_unquoted_line_is_text(write: Write, read: Read) -> None:
    path = write("a.tsv", "text\tlabel\r\na\rb\t1\r\n\r\nc\t0\r\n")
    examples, rejects = read(read_texts, path)
    assert [(e.text, e.label) for e in examples] == [("a\rb", "1"), ("c", "0")]
    assert len(rejects) == 0


def test_too_many_rejects_stop_with_the_first_places(write: Write, read: Read) -> None:
    path = write("a.tsv", "text\tlabel\n" + "a\n" * 20 + "b\t1\n")
    with pytest.raises(DataError) as caught:
        read(read_texts, path)
    message = str(caught.value)
    assert "20 of 21 records cannot be read (20 missing column)" in message
    assert f"{path}:2: missing column" in message
    assert "--data.max-reject-rate 0.001 allows" in message
    assert len(read(read_texts, path, max_reject_rate=1.0)[0]) == 1


def test_settings_that_do_not_fit_are_refused(write: Write, read: Read) -> None:
    path = write("a.tsv", "text\ta\tb\n")
    with pytest.raises(DataError, match=r"several: --kind multi in finetune, --data\.labels multi"):
        read(read_texts, path, columns={"label": ["a", "b"]})
    with pytest.raises(DataError, match=r"no column `c`, for the first line is not a header"):
        read(read_texts, write("b.tsv", "good\t1\n"), columns={"label": "c"})
    with pytest.raises(ValueError, match="expected the least number first"):
        read(read_texts, path, label_range=[5, 0])
    with pytest.raises(ValueError, match="a class stands there twice"):
        read(read_texts, path, class_names=["a", "a"])
    with pytest.raises(DataError, match=r"squad is not a format for texts; expected .* --data\.f"):
        read(read_texts, path, format="squad")


def test_the_format_can_be_set(write: Write, read: Read) -> None:
    assert len(read(read_texts, write("a.data", "a\t1\nb\t0\n"), format="tsv")[0]) == 2
