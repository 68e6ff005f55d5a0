"""TREC's judgements and runs are read as trec_eval reads them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unmask.data.rejects import Rejects
from unmask.data.retrieval import trec
from unmask.data.retrieval.config import RetrievalConfig
from unmask.data.retrieval.matching import gather_qrels, gather_run
from unmask.errors import DataError, UsageError

Write = Callable[[str, bytes | str], Path]
Read = Callable[..., tuple[list[Any], Rejects]]

QUIET = settings(deadline=None, derandomize=True, max_examples=50)

names = st.text("abcdefg0123456789-_.é", min_size=1, max_size=6)
runs = st.dictionaries(
    names,
    st.dictionaries(names, st.floats(allow_nan=False, allow_infinity=False), min_size=1),
    min_size=1,
)


def test_judgements_are_parted_by_any_blanks(write: Write, read: Read) -> None:
    path = write("qrels.txt", "1 0 184 1\r\n1\tQ0\t29   -1 \n\n40 0 85 3\n")
    found, rejects = read(trec.read_qrels, path)
    assert gather_qrels(found, rejects) == {"1": {"184": 1, "29": -1}, "40": {"85": 3}}
    assert [one.line for one in found] == [1, 2, 4]
    assert (rejects.num_records, len(rejects)) == (3, 0)


def test_a_run_has_ranks_scores_and_tags(write: Write, read: Read) -> None:
    path = write("run.trec", "1 Q0 d7 1 12.5 minilm\n1 Q0 d3 2 -1e-3 minilm\n")
    found, rejects = read(trec.read_run, path)
    assert [(hit.rank, hit.score, hit.tag) for hit in found] == [
        (1, 12.5, "minilm"),
        (2, -0.001, "minilm"),
    ]
    assert gather_run(found, rejects) == {"1": {"d7": 12.5, "d3": -0.001}}


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("1 Q0 d9 3 nan minilm", "score is not finite: `nan`"),
        ("1 Q0 d9 3 inf minilm", "score is not finite: `inf`"),
        ("1 Q0 d9 3 high minilm", "score is no number: `high`"),
        ("1 Q0 d9 3 1_0 minilm", "score is no number: `1_0`"),
        ("1 Q0 d9 first 0.5 minilm", "rank is no whole number: `first`"),
        ("1 Q0 d9 3 0.5", "missing field: 5 fields, expected 6: query Q0 document rank score tag"),
        ("1 Q0 d9 3 0.5 mini lm", "extra field: 7 fields"),
        ("1 Q0 d7 3 0.5 minilm", "duplicate result: query `1`, document `d7`"),
    ],
)
def test_a_bad_result_is_rejected(write: Write, read: Read, line: str, reason: str) -> None:
    path = write("run.trec", f"1 Q0 d7 1 2.0 minilm\n{line}\n2 Q0 d7 1 2.0 minilm\n")
    found, rejects = read(trec.read_run, path)
    assert gather_run(found, rejects) == {"1": {"d7": 2.0}, "2": {"d7": 2.0}}
    (reject,) = rejects.first
    assert (reject.place, rejects.num_records) == (f"{path}:2", 3)
    assert reject.reason.startswith(reason)


def test_lines_that_are_no_text_are_rejected(write: Write, read: Read) -> None:
    path = write("qrels.txt", b"1 0 a 1\n1 0 \xff 1\n1 0 b\0 1\n")
    found, rejects = read(trec.read_qrels, path)
    assert [one.document for one in found] == ["a"]
    assert [reject.place for reject in rejects.first] == [f"{path}:2", f"{path}:3"]
    assert rejects.reasons == {"not UTF-8": 1, "NUL byte": 1}


def test_scores_that_contradict_the_ranks_are_told_of(
    write: Write, read: Read, caplog: pytest.LogCaptureFixture
) -> None:
    path = write("run.trec", "1 Q0 near 1 0.1 l2\n1 Q0 far 2 0.9 l2\n2 Q0 near 1 1.5 l2\n")
    _, rejects = read(trec.read_run, path)
    assert rejects.notes == {trec.DISORDERED: 1}
    assert "run.trec: 1 results have a better score than the rank before" in caplog.text


def test_the_other_layout_is_named(write: Write, read: Read) -> None:
    path = write("test.tsv", "query-id\tcorpus-id\tscore\n1\ta\t1\n")
    with pytest.raises(DataError, match=r"test.tsv:1: has BEIR's header; read it as BEIR's TSV"):
        read(trec.read_qrels, path)


def test_files_that_hold_nothing_are_refused(write: Write, read: Read) -> None:
    with pytest.raises(DataError, match=r"qrels.txt: holds no judgements\. Expected at least one"):
        read(trec.read_qrels, write("qrels.txt", ""))
    with pytest.raises(DataError, match=r"run.trec: holds no results; .*run.trec:1: missing field"):
        read(trec.read_run, write("run.trec", "1 d7 0.5\n"))


@QUIET
@given(runs)
def test_a_run_that_was_written_reads_the_same_in_trec_evals_order(
    tmp_path_factory: pytest.TempPathFactory, run: dict[str, dict[str, float]]
) -> None:
    path = tmp_path_factory.mktemp("written") / "run.trec"
    trec.write_run(run, path, "test")
    rejects = Rejects(0)
    hits = list(trec.read_run(path, RetrievalConfig(), rejects))
    assert gather_run(hits, rejects) == run
    assert not rejects.notes
    for query, found in run.items():
        assert [hit.rank for hit in hits if hit.query == query] == list(range(1, len(found) + 1))


def test_the_ranks_written_are_those_that_trec_eval_judges(tmp_path: Path, read: Read) -> None:
    pytrec_eval = pytest.importorskip("pytrec_eval")
    run = {"q": {"a": 0.5, "b": 0.5 + 1e-9, "c": 0.5, "é": 0.5, "best": 1.0, "last": -1.0}}
    trec.write_run(run, tmp_path / "run.trec", "test")
    for hit in read(trec.read_run, tmp_path / "run.trec")[0]:
        judged = pytrec_eval.RelevanceEvaluator({"q": {hit.document: 1}}, {"recip_rank"})
        assert judged.evaluate(run)["q"]["recip_rank"] == pytest.approx(1 / hit.rank)


def test_what_would_not_read_the_same_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "run.trec"
    with pytest.raises(UsageError, match="run tag 'my run'; expected a name without blanks"):
        trec.write_run({"q": {"a": 1.0}}, path, "my run")
    with pytest.raises(DataError, match="the id 'a b' does not fit into a TREC file"):
        trec.write_run({"q": {"a b": 1.0}}, path, "test")
    with pytest.raises(DataError, match="the id '' does not fit"):
        trec.write_run({"": {"a": 1.0}}, path, "test")
    with pytest.raises(DataError, match="query `q`: the score of document `a` is nan"):
        trec.write_run({"q": {"a": float("nan")}}, path, "test")
    assert list(tmp_path.iterdir()) == []
