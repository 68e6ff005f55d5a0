"""Tagged sentences keep every word in its place, whatever the columns look like."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unmask.data.labelled.config import LabelledConfig
from unmask.data.labelled.examples import TaggedExample
from unmask.data.labelled.reading import read_tagged
from unmask.data.labelled.words import joined
from unmask.data.rejects import Rejects
from unmask.errors import DataError

Write = Callable[[str, bytes | str], Path]
Read = Callable[..., tuple[list[Any], Rejects]]

CONLL_2003 = """\
-DOCSTART- -X- -X- O

EU NNP B-NP B-ORG
rejects VBZ B-VP O

Peter NNP B-NP B-PER"""


def words(example: TaggedExample) -> list[str]:
    return [example.text[start:end] for start, end in example.words]


def reasons(rejects: Rejects) -> list[tuple[int | None, str]]:
    return [(reject.record, reject.reason) for reject in rejects.first]


@given(st.lists(st.tuples(st.text(min_size=1), st.booleans()), min_size=1))
def test_joined_words_are_where_their_spans_say(given_words: list[tuple[str, bool]]) -> None:
    spelled, gaps = [word for word, _ in given_words], [gap for _, gap in given_words]
    for which in (None, gaps):
        text, spans = joined(spelled, which)
        assert [text[start:end] for start, end in spans] == spelled
        num_gaps = len(spelled) - 1 if which is None else sum(gaps[:-1])
        assert len(text) == sum(map(len, spelled)) + num_gaps


def test_columns_parted_by_blanks(write: Write, read: Read) -> None:
    path = write("train.txt", CONLL_2003)
    examples, rejects = read(read_tagged, path)
    assert examples == [
        TaggedExample("3", "EU rejects", ((0, 2), (3, 10)), ("B-ORG", "O"), f"{path}:3"),
        TaggedExample("6", "Peter", ((0, 5),), ("B-PER",), f"{path}:6"),
    ]
    assert (rejects.num_records, len(rejects)) == (2, 0)


def test_the_columns_of_words_and_tags_can_be_set(write: Write, read: Read) -> None:
    path = write("a.conll", CONLL_2003)
    examples, _ = read(read_tagged, path, columns={"tags": 1})
    assert examples[0].tags == ("NNP", "VBZ")
    examples, _ = read(read_tagged, path, columns={"words": "1", "tags": "0"})
    assert (words(examples[0]), examples[0].tags) == (["NNP", "VBZ"], ("EU", "rejects"))
    assert read(read_tagged, path, labels="none")[0][0].tags is None
    with pytest.raises(DataError, match="no column `4`; found 4 columns without names"):
        read(read_tagged, path, columns={"tags": 4})
    with pytest.raises(DataError, match="no column `ner`; found 4 columns without names"):
        read(read_tagged, path, columns={"tags": "ner"})


def test_columns_parted_by_tabs_may_hold_blanks_and_hashtags(write: Write, read: Read) -> None:
    content = "# a comment\n#tag\tO\n#\tO\n5 1/2\tB-x\n\t\n\r\n \n\U0001f600\tO\r\n\u3000\tO\n\n\n"
    examples, rejects = read(read_tagged, write("a.tsv", content))
    assert [words(example) for example in examples] == [
        ["#tag", "#", "5 1/2"],
        ["\U0001f600", "\u3000"],
    ]
    assert [example.tags for example in examples] == [("O", "O", "B-x"), ("O", "O")]
    assert len(rejects) == 0


def test_comments_between_blanks_are_known_by_their_width_or_first_word(
    write: Write, read: Read
) -> None:
    content = "# id a7 en\nEU _ B-ORG\n# _ O\n# some words of a comment\n\n# text\nno _ O\n"
    examples, rejects = read(read_tagged, write("a.conll", content))
    assert [words(example) for example in examples] == [["EU", "#"], ["no"]]
    assert len(rejects) == 0


def test_one_column_is_words_without_tags(write: Write, read: Read) -> None:
    examples, _ = read(read_tagged, write("a.conll", "EU\nrejects\n\nPeter\n"))
    assert [(words(example), example.tags) for example in examples] == [
        (["EU", "rejects"], None),
        (["Peter"], None),
    ]


def test_a_faulty_line_rejects_its_sentence_alone(write: Write, read: Read) -> None:
    content = "a\tO\nb\tO\n\nc\tO\nd\n\ne\tO\tO\n\n\tO\n\nf\t\n\ng\tO\n"
    path = write("a.conll", content)
    examples, rejects = read(read_tagged, path)
    assert [words(example) for example in examples] == [["a", "b"], ["g"]]
    assert reasons(rejects) == [
        (5, "missing column: found 1, expected 2"),
        (7, "extra column: found 3, expected 2"),
        (9, "empty word"),
    ]
    assert rejects.reasons["empty tag"] == 1
    assert rejects.first[0].place == f"{path}:5"
    assert rejects.num_records == 6


def test_an_illegal_sequence_is_read_as_it_is(write: Write, read: Read) -> None:
    examples, rejects = read(read_tagged, write("a.conll", "a O\nb I-PER\n"))
    assert (examples[0].tags, len(rejects)) == (("O", "I-PER"), 0)


def test_lines_that_cannot_be_read_reject_their_sentence(
    write: Write, read: Read, compress: Callable[[bytes], bytes]
) -> None:
    long = b"x" * 2000
    content = (
        b"a\tO\n\nb\tO\ncaf\xe9\tO\nc\tO\n\nd\tO\n" + long + b"\tO\ne\tO\n\nf\tO\n\ng\0\tO\n\nh\tO"
    )
    examples, rejects = read(read_tagged, write("a.conll", content), max_line_bytes=1024)
    assert [words(example) for example in examples] == [["a"], ["f"], ["h"]]
    assert rejects.reasons == {"not UTF-8": 1, "line too long": 1, "NUL byte": 1}
    assert {reject.record for reject in rejects.first} == {4, 8, 13}
    many = "".join(f"word{i * i * 7919 % 1000003}\tO\nend\tO\n\n" for i in range(5000)).encode()
    packed = compress(many)
    path = write("b.conll.gz", packed[: len(packed) // 2])
    with pytest.raises(DataError, match=r"gz: broken file: the compressed file ends too early, af"):
        read(read_tagged, path)


@pytest.mark.parametrize("content", ["", "\n\n", "-DOCSTART- O\n\n", "# just this\n"])
def test_a_file_without_sentences_says_so(write: Write, read: Read, content: str) -> None:
    with pytest.raises(DataError, match="holds no examples"):
        read(read_tagged, write("a.conll", content))


CONLLU = """\
# sent_id = s1
# text = I  don't know!
1\tI\ti\tPRON\tPRP\t_\t0\troot\t_\t_
2-3\tdon't\t_\t_\t_\t_\t_\t_\t_\t_
2\tdo\tdo\tAUX\tVBP\t_\t1\taux\t_\t_
3\tn't\tnot\tPART\tRB\t_\t1\tadvmod\t_\t_
3.1\tghost\tghost\tVERB\t_\t_\t_\t_\t_\t_
4\tknow\tknow\tVERB\tVB\t_\t1\tx\t_\tSpaceAfter=No
5\t!\t!\tPUNCT\t.\t_\t1\tpunct\t_\t_

1-2\tdel\t_\t_\t_\t_\t_\t_\t_\tSpaceAfter=No
1\tde\tde\tADP\t_\t_\t0\troot\t_\t_
2\tel\tel\tDET\t_\t_\t1\tdet\t_\t_
3\t,\t,\tPUNCT\t_\t_\t1\tpunct\t_\tFoo=1|SpaceAfter=No
4\t#\t#\tSYM\t_\t_\t1\tpunct\t_\t_"""


def test_conllu_reads_syntactic_words_in_the_sentence_as_written(write: Write, read: Read) -> None:
    path = write("a.conllu", CONLLU)
    first, second = read(read_tagged, path)[0]
    assert (first.id, first.text, first.place) == ("s1", "I  don't know!", f"{path}:3")
    assert words(first) == ["I", "do", "n't", "know", "!"]
    assert first.tags == ("PRON", "AUX", "PART", "VERB", "PUNCT")
    assert (second.id, second.text) == ("11", "de el,#")
    assert words(second) == ["de", "el", ",", "#"]


def test_conllu_has_named_columns(write: Write, read: Read) -> None:
    path = write("a.conllu", CONLLU)
    assert read(read_tagged, path, columns={"tags": "xpos"})[0][0].tags[:2] == ("PRP", "VBP")
    assert read(read_tagged, path, columns={"tags": 7})[0][0].tags[:2] == ("root", "aux")
    assert read(read_tagged, path, columns={"words": "lemma"})[0][0].text == "i do not know!"
    with pytest.raises(DataError, match="CoNLL-U has no column `ner`; expected id, form, lemma"):
        read(read_tagged, path, columns={"tags": "ner"})
    blind = CONLLU.replace("PRON", "_")
    assert read(read_tagged, write("b.conllu", blind))[0][0].tags[0] == "_"
    row = "1\tI\t_\t_\t_\t_\t_\t_\t_\t_\n"
    assert read(read_tagged, write("c.conllu", row))[0][0].tags is None


def test_a_text_that_the_words_do_not_fit_is_rebuilt_and_counted(write: Write, read: Read) -> None:
    row = "1\tde\tde\tADP\t_\t_\t0\troot\t_\t_\n2\tel\tel\tDET\t_\t_\t1\tdet\t_\t_\n"
    examples, rejects = read(read_tagged, write("a.conllu", f"# text = del\n{row}"))
    assert (examples[0].text, examples[0].words) == ("de el", ((0, 2), (3, 5)))
    (note,) = rejects.notes.items()
    assert note == ("with a `# text` that their words do not fit; rebuilt from the words", 1)
    examples, rejects = read(read_tagged, write("b.conllu", f"# text = de el mar\n{row}"))
    assert (examples[0].text, rejects.notes.total()) == ("de el", 1)


def test_faults_of_conllu_are_rejects_with_their_lines(write: Write, read: Read) -> None:
    tail = "\t_" * 8
    sentences = [
        f"# sent_id = a\n1\tx{tail}",
        f"1\tx{tail}\t_",
        "1\tx",
        f"2\tx{tail}",
        f"one\tx{tail}",
        f"1\t{tail}",
        f"1-2\tx{tail}",
        f"# sent_id = a\n1\ty{tail}",
        f"# sent_id = b\n1\tx{tail}",
    ]
    path = write("a.conllu", "\n\n".join(sentences))
    examples, rejects = read(read_tagged, path)
    assert [example.id for example in examples] == ["a", "b"]
    assert reasons(rejects) == [
        (4, "extra column: found 11, expected 10"),
        (6, "missing column: found 2, expected 10"),
        (8, "broken id: `2`, expected 1"),
    ]
    assert rejects.reasons["broken id"] == 2
    assert rejects.reasons["empty word"] == 1
    assert rejects.reasons["no words"] == 1
    assert rejects.reasons["duplicate id"] == 1


def test_lists_of_words_and_tags(write: Write, read: Read) -> None:
    rows: list[dict[str, Any]] = [
        {"id": 0, "tokens": ["EU", "rejects"], "ner_tags": [1, 0]},
        {"id": 1, "tokens": ["a"], "ner_tags": [2]},
        {"id": 2, "tokens": ["a"], "ner_tags": [0, 0]},
        {"id": 3, "tokens": [], "ner_tags": []},
        {"id": 4, "tokens": ["a", ""], "ner_tags": [0, 0]},
        {"id": 5, "tokens": "a b", "ner_tags": [0, 0]},
        {"id": 6, "tokens": ["a"], "ner_tags": None},
        {"id": 6, "tokens": ["a", None], "ner_tags": [0, 0]},
    ]
    path = write("a.jsonl", "\n".join(map(json.dumps, rows)))
    examples, rejects = read(read_tagged, path, class_names=["O", "B-ORG"])
    expected = TaggedExample("0", "EU rejects", ((0, 2), (3, 10)), ("B-ORG", "O"), f"{path}:1")
    assert examples == [expected]
    assert rejects.first[0].reason == "label out of range: tag `2`, expected one of O, B-ORG"
    assert rejects.first[1].reason == "not a tag for each word: 2 tags, 1 words"
    assert set(rejects.reasons) == {
        "label out of range",
        "not a tag for each word",
        "no words",
        "empty word",
        "words are no list",
        "tags are no list",
        "word is no text",
    }
    assert read(read_tagged, path)[0][1].tags == ("2",)


def test_a_sentence_of_many_words_takes_linear_time(write: Write) -> None:
    path = write("a.conll", "word\tO\n" * 100_000)
    (example,) = read_tagged(path, LabelledConfig(), Rejects(0.0))
    assert len(example.words) == 100_000
    assert example.words[-1][1] == len(example.text) == 100_000 * 5 - 1


TABLE = [["id", "words", "tags"], ["s1", '["EU", "rejects"]', '["B-ORG", "O"]']]


@pytest.mark.parametrize(
    ("name", "quoting"), [("a.csv", "auto"), ("a.tsv", "auto"), ("a.tsv", "csv")]
)
def test_tables_of_words_and_tags(name: str, quoting: str, write: Write, read: Read) -> None:
    between = "," if name == "a.csv" else "\t"
    quoted = name == "a.csv" or quoting == "csv"
    rows = [
        ['"' + cell.replace('"', '""') + '"' if quoted else cell for cell in row] for row in TABLE
    ]
    path = write(name, "\n".join(map(between.join, [TABLE[0], *rows[1:]])))
    ((example,), _) = read(read_tagged, path, quoting=quoting)
    assert (example.id, words(example), example.tags) == ("s1", ["EU", "rejects"], ("B-ORG", "O"))


@pytest.mark.parametrize("header", ["", "words\ttags\n", "word\tner\n"])
def test_columns_in_tsv_stay_a_word_a_line(header: str, write: Write, read: Read) -> None:
    path = write("a.tsv", f"{header}EU\tB-ORG\n[\tO\n\nPeter\tB-PER\n")
    examples, _ = read(read_tagged, path)
    assert [words(example)[-1] for example in examples] == ["[", "Peter"]
