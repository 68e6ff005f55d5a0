"""`unmask index` and `unmask search`."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.cli.conftest import headed

from unmask.checkpoint import native
from unmask.infer.engine import load
from unmask.nn.init import initialise
from unmask.search.config import SearchConfig
from unmask.search.folder.committing import locked
from unmask.search.folder.store import FolderStore
from unmask.search.index import Index
from unmask.tasks.reranking import Reranking

Run = Callable[..., Any]
DOCUMENTS = [
    {"id": "a", "title": "Film", "text": "A good film. The cat was nice.", "year": 1990},
    {"id": "b", "text": "An awful dog. It was bad.", "year": "2001"},
    {"id": "c", "text": "The cat was fine.", "by": "Austen"},
]


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    path = tmp_path / "documents.jsonl"
    path.write_text("\n".join(map(json.dumps, DOCUMENTS)))
    return path


@pytest.fixture(scope="session")
def scorer(tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cross-encoder, random."""
    folder = tmp_path_factory.mktemp("scorer") / "model"
    return headed(tiny_encoder, Reranking.foreign(), folder)


@pytest.fixture
def built(documents: Path, tiny_encoder: Path, run: Run, tmp_path: Path) -> Path:
    said = run("index", tiny_encoder, "--input", documents, "--output", tmp_path / "index")
    assert said.code == 0, said.err
    return tmp_path / "index"


def test_documents_are_indexed_and_their_number_told(
    documents: Path, tiny_encoder: Path, run: Run, tmp_path: Path
) -> None:
    words = ("index", tiny_encoder, "--input", documents, "--output", tmp_path / "index")

    first, again = run(*words, "--json"), run(*words, "--json")

    assert (first.code, again.code) == (0, 0), first.err
    told = json.loads(first.out)
    assert told == {
        "index": str(tmp_path / "index"),
        "added": 3,
        "replaced": 0,
        "unchanged": 0,
        "passages": 3,
        "num_rejects": 0,
        "kind": "exact",
        "recall": 1.0,
        "num_documents": 3,
        "num_passages": 3,
    }
    assert json.loads(again.out) == {**told, "added": 0, "unchanged": 3, "passages": 0}


def test_for_people_the_figures_stand_in_a_table(
    documents: Path, tiny_encoder: Path, run: Run, tmp_path: Path
) -> None:
    said = run("index", tiny_encoder, "--input", documents, "--output", tmp_path / "index")

    assert said.code == 0
    for figure in ("added", "documents", "recall", "exact"):
        assert figure in said.out


def test_results_are_those_of_the_index_with_places_in_the_document(
    built: Path, tiny_encoder: Path, run: Run
) -> None:
    said = run("search", built, "the nice cat", "--top-k", "2", "--json")

    assert said.code == 0, said.err
    found = json.loads(said.out)
    assert (found["index"], found["query"]) == (str(built), "the nice cat")
    embedder = load(str(tiny_encoder)).embedder()
    with Index.open(built, embedder) as index:
        hits = index.search("the nice cat", SearchConfig(top_k=2))
    assert [one["document"] for one in found["results"]] == [hit.document for hit in hits]
    texts = {one["id"]: str(one["text"]) for one in DOCUMENTS}
    for one, hit in zip(found["results"], hits, strict=True):
        assert one["score"] == pytest.approx(hit.score, abs=1e-5)
        text = texts[one["document"]]
        assert text[one["start"] : one["end"]] == one["text"]
        assert {text[a:b].lower() for a, b in one["words"]} <= {"the", "nice", "cat"}
        start, end = one["sentence"]
        assert text[start:end].endswith(".")


@pytest.mark.parametrize("by", ["vectors", "words", "hybrid"])
def test_results_can_be_found_by_words_and_by_both(by: str, built: Path, run: Run) -> None:
    pytest.importorskip("bm25s")

    said = run("search", built, "awful", "--by", by, "--json")

    results = json.loads(said.out)["results"]
    assert by == "vectors" or results[0]["document"] == "b"
    assert set(results[0]["scores"]) == {by} | ({"vectors", "words"} if by == "hybrid" else set())


def test_a_cross_encoder_puts_results_in_order_again(built: Path, scorer: Path, run: Run) -> None:
    said = run("search", built, "cat", "--reranker", scorer, "--json")

    assert said.code == 0, said.err
    results = json.loads(said.out)["results"]
    texts = [f"{one['title']} {one['text']}".strip() for one in results]
    expected = load(str(scorer)).reranker().rank("cat", texts)
    assert [one["score"] for one in results] == pytest.approx(expected.tolist(), abs=1e-5)
    assert [one["score"] for one in results] == sorted(expected.tolist(), reverse=True)
    assert all(one["scores"].keys() == {"vectors", "reranker"} for one in results)


def test_a_reranker_has_to_be_a_cross_encoder(built: Path, tiny_encoder: Path, run: Run) -> None:
    said = run("search", built, "cat", "--reranker", tiny_encoder)

    assert said.code == 2
    assert "ranking needs a cross-encoder" in said.err


def test_filters_go_by_metadata(built: Path, run: Run) -> None:
    def found(*filters: str) -> set[str]:
        words = [word for one in filters for word in ("--filter", one)]
        return {
            one["document"]
            for one in json.loads(run("search", built, "cat", *words, "--json").out)["results"]
        }

    assert found("year>=1990") == {"a", "b"}
    assert found("year>1990") == {"b"}
    assert found("by=Austen") == {"c"}
    assert found("by!=Austen", "year<2000") == {"a"}


def test_for_people_the_passage_stands_below_its_place(built: Path, run: Run) -> None:
    said = run("search", built, "the nice cat", "--filter", "year=1990")

    assert said.code == 0
    place, title, text, metadata = said.out.splitlines()[:4]
    assert place.startswith("1  ")
    assert place.endswith("a:0-30")
    assert (title, text) == ("Film", "A good film. The cat was nice.")
    assert metadata == "year 1990"


def test_on_a_terminal_words_and_the_best_sentence_are_marked(
    built: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)

    said = run("search", built, "nice", "--filter", "year=1990")

    assert "\x1b[1;4;33mnice\x1b[0m" in said.out or "\x1b[1;33mnice\x1b[0m" in said.out


def test_documents_are_deleted(built: Path, tiny_encoder: Path, run: Run) -> None:
    said = run("index", tiny_encoder, "--output", built, "--delete", "a", "nobody", "--json")

    assert said.code == 0, said.err
    told = json.loads(said.out)
    assert (told["deleted"], told["num_documents"]) == (1, 2)


def test_the_space_of_what_was_deleted_is_freed(built: Path, tiny_encoder: Path, run: Run) -> None:
    run("index", tiny_encoder, "--output", built, "--delete", "a")
    (before,) = built.rglob("vectors.npy")
    size = before.stat().st_size

    said = run("index", tiny_encoder, "--output", built, "--compact", "--json")

    assert said.code == 0, said.err
    assert json.loads(said.out) == {
        "index": str(built), "kind": "exact", "recall": 1.0, "num_documents": 2, "num_passages": 2,
    }  # fmt: skip
    (after,) = built.rglob("vectors.npy")
    assert after.stat().st_size < size
    assert not list(built.rglob("deleted-*"))


def test_a_run_that_is_refused_leaves_the_list_of_another_alone(
    built: Path, documents: Path, tiny_encoder: Path, run: Run
) -> None:
    listed = built / "index.rejects.jsonl"
    listed.write_text("of the run that goes on\n")

    with locked(built):
        said = run("index", tiny_encoder, "--input", documents, "--output", built)

    assert said.code == 2
    assert "another process is adding to this index" in said.err
    assert listed.read_text() == "of the run that goes on\n"


def test_a_setting_that_differs_is_told_without_a_password(
    documents: Path, tiny_encoder: Path, run: Run, monkeypatch: pytest.MonkeyPatch, built: Path
) -> None:
    monkeypatch.setattr("unmask.search.index.open_store", lambda *_, **__: FolderStore(built))
    monkeypatch.setattr("unmask.search.homes.is_there", lambda _: True)
    place = "postgresql://me:secret@localhost/db"

    said = run("index", tiny_encoder, "--input", documents, "--output", place, "--kind", "ivf")

    assert said.code == 2
    assert "--kind ivf: the index at" in said.err
    assert "secret" not in said.err


def test_bytes_of_a_query_that_are_no_text_are_replaced(built: Path, run: Run) -> None:
    said = run("search", built, b"cat \xff".decode("utf-8", "surrogateescape"), "--json")

    assert said.code == 0, said.err
    assert json.loads(said.out)["query"] == "cat \ufffd"
    assert said.out.encode()


def test_a_changed_file_replaces_what_changed(
    built: Path, documents: Path, tiny_encoder: Path, run: Run
) -> None:
    changed = [{**DOCUMENTS[0], "text": "A bad film."}, *DOCUMENTS[1:]]
    documents.write_text("\n".join(map(json.dumps, changed)))

    said = run("index", tiny_encoder, "--input", documents, "--output", built, "--json")

    told = json.loads(said.out)
    assert (told["added"], told["replaced"], told["unchanged"]) == (0, 1, 2)


def test_settings_of_an_index_are_fixed(
    built: Path, documents: Path, tiny_encoder: Path, run: Run
) -> None:
    words = ("index", tiny_encoder, "--input", documents, "--output", built)

    same = run(*words, "--kind", "auto", "--chunk.overlap-tokens", "32")
    other = run(*words, "--chunk.overlap-tokens", "5")

    assert same.code == 0, same.err
    assert other.code == 2
    assert "--chunk.overlap-tokens 5: the index at" in other.err
    assert "was begun with 32, and that stays" in other.err


def test_another_model_is_refused(
    built: Path, documents: Path, tiny_encoder: Path, run: Run, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    bundle = native.load(tiny_encoder)
    initialise(bundle.model, 0.05, torch.Generator().manual_seed(1))
    native.save(bundle, other)

    added = run("index", other, "--input", documents, "--output", built)
    searched = run("search", built, "cat", "--model", other)

    for said in (added, searched):
        assert said.code == 3
        assert f"{built}: was built by another model" in said.err
    assert run("search", built, "cat", "--model", tiny_encoder).code == 0


def test_a_model_that_has_moved_is_named_by_hand(
    documents: Path, tiny_encoder: Path, run: Run, tmp_path: Path
) -> None:
    model = tmp_path / "model"
    shutil.copytree(tiny_encoder, model)
    run("index", model, "--input", documents, "--output", tmp_path / "index")
    model.rename(tmp_path / "moved")

    lost = run("search", tmp_path / "index", "cat")
    found = run("search", tmp_path / "index", "cat", "--model", tmp_path / "moved", "--json")

    assert lost.code == 3
    assert f"{tmp_path / 'index'}: was made by this model. Where it lies now" in lost.err
    assert found.code == 0, found.err


def test_an_index_is_found_from_another_folder(
    documents: Path, tiny_encoder: Path, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tiny_encoder.parent)
    run("index", tiny_encoder.name, "--input", documents, "--output", tmp_path / "index")
    monkeypatch.chdir(tmp_path)

    assert run("search", "index", "cat", "--json").code == 0


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("search", "INDEX", " "), 2, "query 1: is white space alone"),
        (("search", "INDEX", "cat", "--filter", "yaer=1"), 2, "Did you mean `year`?"),
        (("search", "INDEX", "cat", "--filter", "year"), 2, "expected a field, one of"),
        (("search", "NOWHERE", "cat"), 3, "NOWHERE: is no index"),
        (("index", "MODEL", "--delete", "a", "--output", "NOWHERE"), 3, "NOWHERE: is no index"),
        (("index", "MODEL", "--output", "INDEX"), 2, "expected files of documents by --input"),
        (("index", "MODEL", "--compact", "--output", "NOWHERE"), 3, "NOWHERE: is no index"),
        (("search", "INDEX", "cat", "--depth", "5"), 2, "--by hybrid or --reranker"),
        (("search", "INDEX", "cat", "--rrf-k", "5", "--by", "words"), 2, "--rrf-k: without effect"),
        (("search", "qdrant://localhost:99999/x", "cat"), 2, "a number up to 65535"),
        (("search", "qdrant:///typo/x", "cat"), 2, "keeps pickles in its folder"),
        (("search", "postgresql://[x/db", "cat"), 2, "expected postgresql://USER@HOST/DATABASE"),
        (("search", "qdrant://localhost/x", "cat", "--no-verify"), 2, "--no-verify: without"),
        (("index", "MODEL", "--input", "NOWHERE", "--output", "INDEX"), 3, "no such file"),
        (("index", "NOWHERE", "--input", "FILE", "--output", "INDEX"), 3, "NOWHERE"),
    ],
)
def test_mistakes_are_one_message(
    words: tuple[str, ...],
    code: int,
    message: str,
    built: Path,
    documents: Path,
    tiny_encoder: Path,
    run: Run,
) -> None:
    named = {"INDEX": str(built), "MODEL": str(tiny_encoder), "FILE": str(documents)}

    said = run(*(named.get(word, word) for word in words))

    assert said.code == code
    assert message in said.err
    assert "Traceback" not in said.err


def test_records_that_cannot_be_read_are_listed_beside_the_index(
    tiny_encoder: Path, run: Run, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "documents.jsonl"
    path.write_text('{"id": "a", "text": "cat"}\n{"id": "a", "text": "dog"}\n{"id": "c"}\n')

    said = run("index", tiny_encoder, "--input", path, "--output", tmp_path / "index", "--json")

    assert json.loads(said.out)["num_rejects"] == 2
    listed = (tmp_path / "index" / "index.rejects.jsonl").read_text().splitlines()
    assert [json.loads(line)["reason"] for line in listed] == [
        "duplicate id: `a` stands in line 1 already",
        "empty text",
    ]
    assert "2 of 3 records cannot be read" in caplog.text


def test_too_many_rejects_stop_the_run_and_name_their_list(
    tiny_encoder: Path, run: Run, tmp_path: Path
) -> None:
    path = tmp_path / "documents.jsonl"
    path.write_text('{"id": "a", "text": "cat"}\n' * 20)

    said = run("index", tiny_encoder, "--input", path, "--output", tmp_path / "index")

    assert said.code == 3
    assert "more than --max-reject-rate 0.001 allows" in said.err
    listed = tmp_path / "index" / "index.rejects.jsonl"
    assert f"All rejects, with their reasons: {listed}" in said.err
    assert len(listed.read_text().splitlines()) == 19


def test_progress_without_a_terminal_is_a_line_now_and_then(
    documents: Path, tiny_encoder: Path, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("unmask.cli.indexing._SECONDS_BETWEEN", 0.0)
    words = ("index", tiny_encoder, "--input", documents, "--output", tmp_path / "index")

    said = run(*words, "--commit-passages", "1")

    assert said.err.startswith("indexing: 1 passage, ")
    assert "indexing: 3 passages, " in said.err
    assert "/s" in said.err


def test_a_query_longer_than_the_model_is_told_of(
    built: Path, run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    said = run("search", built, "cat " * 500, "--json")

    assert said.code == 0
    assert "has 500 tokens" in caplog.text


def test_a_truncated_index_is_refused(built: Path, run: Run) -> None:
    path = next(built.rglob("vectors.npy"))
    path.write_bytes(path.read_bytes()[:-5])

    said = run("search", built, "cat")

    assert said.code == 3
    assert f"{path}: has" in said.err
    assert "the index is cut off or damaged" in said.err


def test_nothing_found_is_said(built: Path, run: Run) -> None:
    pytest.importorskip("bm25s")

    said = run("search", built, "zebra", "--by", "words")

    assert (said.code, said.out, said.err.strip()) == (0, "", "nothing found")
