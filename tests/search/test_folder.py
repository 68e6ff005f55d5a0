"""An index in a folder: what lies there, what harms it, and who may write when."""

from __future__ import annotations

import errno
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.search.embedders import Bag

from unmask.errors import DataError, MachineError, UsageError
from unmask.search.config import IndexConfig, SearchConfig
from unmask.search.documents import Document
from unmask.search.folder import approximate, snapshot, tiers
from unmask.search.folder.manifest import FILE_NAME, is_index
from unmask.search.index import Index

Make = Callable[..., Any]
EVERYTHING = SearchConfig(top_k=100_000)


@pytest.fixture
def built(make_documents: Make, make_index: Make) -> Index:
    """Two segments, with deleted documents, and one of them with a graph."""
    pytest.importorskip("faiss")
    index: Index = make_index([], kind="hnsw")
    index.add(make_documents(1200, longest=2))
    index.add(make_documents(20, first=1200))
    index.delete(["d0", "d1205"])
    return index


def folder_of(index: Index) -> Path:
    return Path(index.store.place)


def segments_of(index: Index) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((folder_of(index) / FILE_NAME).read_text())["segments"]
    return found


def test_a_file_that_is_cut_anywhere_is_told_of(built: Index, bag: Bag) -> None:
    folder = folder_of(built)
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != "run.lock"]
    assert len(files) == 1 + 2 * 11 + 1

    for path in files:
        whole = path.read_bytes()
        for size in {0, 1, len(whole) // 2, len(whole) - 2}:
            path.write_bytes(whole[:size])
            with pytest.raises(DataError, match=rf"{path.name}: (has|damaged)") as told:
                Index.open(folder, bag)
            assert str(path) in str(told.value)
        path.unlink()
        with pytest.raises(DataError, match=rf"{path.name}: missing|is no index"):
            Index.open(folder, bag)
        path.write_bytes(whole)

    Index.open(folder, bag).close()


def test_a_byte_that_is_altered_is_told_of_unless_nobody_wants_to_know(
    built: Index, bag: Bag
) -> None:
    path = next(folder_of(built).rglob("vectors.npy"))
    whole = bytearray(path.read_bytes())
    whole[-1] ^= 1
    path.write_bytes(whole)

    with pytest.raises(DataError, match=r"vectors.npy: altered since it was written"):
        Index.open(folder_of(built), bag)
    Index.open(folder_of(built), bag, verify=False).close()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m.update(version=2), "version: "),
        (lambda m: m.update(other=1), "other: Extra inputs are not permitted"),
        (lambda m: m["segments"][0].update(name="../../etc"), "segments.0.name"),
        (lambda m: m["segments"][0]["files"].update({"../x": {"bytes": 1, "sha256": "0" * 64}}),
         "segments.0.files"),
        (lambda m: m["segments"][0]["files"].pop("vectors.npy"), "lists no vectors.npy"),
        (lambda m: m["segments"][0].update(num_passages=5), "expected 5 of"),
        (lambda m: m["segments"][0].update(deleted_documents=7), "deleted-.* expected int64"),
        (lambda m: m.update(dimension=16), "vectors.npy: holds float32 of shape"),
        (lambda m: m["segments"][0]["approximate"].update(factory="IVF5,Flat"),
         "is not the IVF5,Flat index"),
    ],
)  # fmt: skip
def test_a_manifest_that_does_not_fit_is_refused(
    change: Callable[[dict[str, Any]], Any], message: str, built: Index, bag: Bag
) -> None:
    path = folder_of(built) / FILE_NAME
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_text(json.dumps(manifest))

    with pytest.raises(DataError, match=message):
        Index.open(folder_of(built), bag)


def test_numbers_that_lead_out_of_an_array_are_refused(make_index: Make, bag: Bag) -> None:
    index = make_index([Document("a", "Bark fest.")])
    path = next(folder_of(index).rglob("postings-passages.npy"))
    np.save(path, np.asarray([0, 10**6], np.int32))
    manifest = json.loads((folder_of(index) / FILE_NAME).read_text())
    from unmask.data.manifest import describe

    manifest["segments"][0]["files"][path.name] = describe(path).model_dump()
    (folder_of(index) / FILE_NAME).write_text(json.dumps(manifest))

    with pytest.raises(DataError, match="the word counts do not fit together"):
        Index.open(folder_of(index), bag)


def test_sizes_of_segments_double_and_searches_do_not_notice(
    make_documents: Make, make_index: Make
) -> None:
    documents = make_documents(30)
    whole, parts = make_index(documents), make_index([])

    for one in documents:
        parts.add([one])

    sizes = [one["num_passages"] for one in segments_of(parts)]
    assert all(size > sum(sizes[i + 1 :]) for i, size in enumerate(sizes))
    for by in ("vectors", "words"):
        config = SearchConfig(by=by, top_k=1000)
        expected = {(h.document, h.start): h.score for h in whole.search("bark fest", config)}
        found = {(h.document, h.start): h.score for h in parts.search("bark fest", config)}
        assert found == pytest.approx(expected, abs=1e-5)


def test_adding_little_to_much_builds_nothing_again(built: Index, make_documents: Make) -> None:
    before = {one["name"]: one["files"] for one in segments_of(built)}

    built.add(make_documents(3, first=3000))

    after = {one["name"]: one["files"] for one in segments_of(built)}
    (large,) = (name for name, files in before.items() if any("hnsw" in file for file in files))
    assert after[large] == before[large]
    assert len(after) == 3


def test_a_run_of_many_commits_leaves_few_segments(make_documents: Make, make_index: Make) -> None:
    index = make_index([], commit_passages=1)
    most = 0

    def watch(_: object, _waiting: int) -> None:
        nonlocal most
        most = max(most, len(segments_of(index)))

    index.add(make_documents(3 * tiers.PENDING + 5), watch)

    assert most <= tiers.PENDING + 2
    assert len(segments_of(index)) <= 2
    assert len(list((folder_of(index) / "segments").iterdir())) == len(segments_of(index))


def test_what_is_mostly_gone_is_copied_to_free_its_space(
    make_documents: Make, make_index: Make
) -> None:
    index = make_index(make_documents(30))
    index.delete([f"d{i}" for i in range(15)])
    assert segments_of(index)[0]["deleted_documents"] == 15

    index.add([Document("new", "Bark.")])

    assert [one["deleted_documents"] for one in segments_of(index)] == [0, 0]
    assert index.count().documents == 16
    assert len(index.search("bark", SearchConfig(top_k=100, documents=True))) == 16


def test_an_index_whose_documents_are_all_gone_is_empty(
    make_documents: Make, make_index: Make
) -> None:
    index = make_index(make_documents(5))
    index.delete([f"d{i}" for i in range(5)])

    with pytest.raises(DataError, match="the index is empty"):
        index.search("bark")
    index.compact()
    assert segments_of(index) == []
    assert index.add(make_documents(2)).added == 2


def test_compacting_leaves_one_segment_and_nothing_that_is_gone(built: Index, bag: Bag) -> None:
    before = {(h.document, h.start) for h in built.search("bark", EVERYTHING)}

    figures = built.compact()

    (segment,) = segments_of(built)
    assert segment["deleted"] is None
    assert segment["num_passages"] == len(before)
    assert figures["kind"] == "HNSW32"
    with Index.open(folder_of(built), bag) as opened:
        assert {(h.document, h.start) for h in opened.search("bark", EVERYTHING)} == before


@pytest.mark.parametrize("settings", [{"kind": "hnsw"}, {"kind": "ivf"}, {"quantise": "sq8"}])
def test_an_approximate_index_tells_its_recall_and_finds_what_an_exact_one_does(
    settings: dict[str, str], make_documents: Make, make_index: Make
) -> None:
    pytest.importorskip("faiss")
    documents = make_documents(1500, longest=2)
    exact, index = make_index(documents), make_index(documents, **settings)

    assert index.figures["recall"] >= 0.98
    assert index.figures["recall_at"] == 10
    assert exact.figures == {"kind": "exact", "recall": 1.0}
    shared = 0
    for query in ("bark fest", "mun gun lork", "dan"):
        near = {(h.document, h.start) for h in exact.search(query)}
        found = index.search(query)
        shared += len(near & {(h.document, h.start) for h in found})
        assert len(found) == 10
        few = index.search(query, SearchConfig(top_k=40, filter=("number>=1480",), documents=True))
        assert {hit.document for hit in few} == {f"d{i}" for i in range(1480, 1500)}
    assert shared >= 25


def test_a_graph_that_was_lost_is_built_again(
    built: Index, bag: Bag, monkeypatch: pytest.MonkeyPatch
) -> None:
    built.compact()
    manifest = json.loads((folder_of(built) / FILE_NAME).read_text())
    name = manifest["segments"][0]["approximate"]["file"]
    manifest["segments"][0]["approximate"] = None
    del manifest["segments"][0]["files"][name]
    (folder_of(built) / FILE_NAME).write_text(json.dumps(manifest))
    (folder_of(built) / "segments" / manifest["segments"][0]["name"] / name).unlink()

    with Index.open(folder_of(built), bag) as index:
        assert index.store.finish()["kind"] == "HNSW32"
    monkeypatch.setattr(approximate, "build", lambda *_: pytest.fail("was built again"))
    with Index.open(folder_of(built), bag) as index:
        assert index.store.finish()["recall"] >= 0.98


def test_a_reader_sees_what_it_opened(make_documents: Make, make_index: Make, bag: Bag) -> None:
    index = make_index(make_documents(10))
    reader = Index.open(folder_of(index), bag)
    before = reader.search("bark", EVERYTHING)

    index.add(make_documents(30, first=10))
    index.delete(["d0"])
    index.compact()

    assert reader.search("bark", EVERYTHING) == before
    with Index.open(folder_of(index), bag) as again:
        assert again.search("bark", EVERYTHING) == index.search("bark", EVERYTHING)


def test_deleting_opens_nothing_again_but_the_list_of_what_is_gone(
    built: Index, bag: Bag, monkeypatch: pytest.MonkeyPatch
) -> None:
    commits = built.store._commits  # type: ignore[attr-defined]
    before = commits.now.segments
    with Index.open(folder_of(built), bag) as reader:
        found = reader.search("bark", EVERYTHING)
        monkeypatch.setattr(snapshot, "Segment", lambda *_, **__: pytest.fail("was opened again"))

        built.delete(["d7", "d1206"])

        assert all(
            now.vectors is then.vectors
            for now, then in zip(commits.now.segments, before, strict=True)
        )
        assert reader.search("bark", EVERYTHING) == found
    expected = {(h.document, h.start) for h in found if h.document not in ("d7", "d1206")}
    assert {(h.document, h.start) for h in built.search("bark", EVERYTHING)} == expected
    assert built.store.known(["d7", "d8"]).keys() == {"d8"}


def test_two_may_not_write_at_once(make_index: Make, bag: Bag) -> None:
    index = make_index([Document("a", "Bark.")])
    other_folder = folder_of(index).parent / "other"
    holding = (
        "import sys, time\nfrom pathlib import Path\n"
        "from unmask.checkpoint.lock import RunLock\n"
        f"with RunLock(Path({str(folder_of(index))!r})), RunLock(Path({str(other_folder)!r})):\n"
        "    print('held', flush=True)\n    sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", holding], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(UsageError, match="another process is adding to this index"):
            index.add([Document("b", "Fest.")])
        with pytest.raises(UsageError, match="another process is adding to this index"):
            Index.create(other_folder, bag)
        assert index.search("bark")[0].document == "a"
        other.communicate()

    assert index.add([Document("b", "Fest.")]).added == 1


def test_nobody_writes_between_the_commits_of_a_run(
    make_documents: Make, make_index: Make, bag: Bag
) -> None:
    index = make_index([], commit_passages=1)
    refused = 0

    def disturb(_: object, _waiting: int) -> None:
        nonlocal refused
        with Index.open(folder_of(index), bag) as other:
            with pytest.raises(UsageError, match="another process is adding to this index"):
                other.delete(["d0"])
            refused += 1

    index.add(make_documents(3), disturb)

    assert refused >= 3
    assert index.count().documents == 3
    assert index.delete(["d0"]) == 1


def test_of_two_that_begin_an_index_one_does(
    tmp_path: Path, bag: Bag, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "index"

    @contextmanager
    def after_another(folder: Path) -> Iterator[None]:
        monkeypatch.undo()
        Index.create(folder, bag).close()
        yield

    monkeypatch.setattr("unmask.search.folder.store.locked", after_another)
    with pytest.raises(UsageError, match="holds an index already"):
        Index.create(place, bag, IndexConfig(kind="ivf"))

    with Index.open(place, bag) as index:
        assert index.store.about.config.kind == "auto"


def test_what_a_killed_writer_left_is_swept_away(make_index: Make) -> None:
    index = make_index([Document("a", "Bark.")])
    segments = folder_of(index) / "segments"
    shutil.copytree(segments / "000001", segments / "000002")
    (segments / "000003.tmp-abc").mkdir()
    (segments / "000001" / "deleted-000000001.npy").write_bytes(b"half")
    (folder_of(index) / "manifest.json.tmp").write_text("{")

    index.add([Document("b", "Fest."), Document("a", "Mun.")])

    assert {hit.text for hit in index.search("x")} == {"Fest.", "Mun."}
    assert len(list(segments.iterdir())) == len(segments_of(index))


def test_a_full_disk_loses_nothing(
    make_documents: Make, make_index: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = make_index(make_documents(5))

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("unmask.search.folder.writing.write_array", full)
    with pytest.raises(MachineError, match="the disk is full"):
        index.add([Document("new", "Bark.")])
    monkeypatch.undo()

    assert index.count().documents == 5
    assert index.add([Document("new", "Bark.")]).added == 1


def test_no_vectors_are_written_through_a_map(
    make_documents: Make, make_index: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a full disk a map ends in a signal, which nobody can tell of."""
    index = make_index(make_documents(5))
    index.add(make_documents(5, first=5))
    mapped = np.lib.format.open_memmap

    def reading(*given: Any, mode: str, **named: Any) -> Any:
        assert mode == "r"
        return mapped(*given, mode=mode, **named)

    monkeypatch.setattr(np.lib.format, "open_memmap", reading)
    before = {(hit.document, hit.start) for hit in index.search("bark", EVERYTHING)}

    index.compact()

    assert len(segments_of(index)) == 1
    assert {(hit.document, hit.start) for hit in index.search("bark", EVERYTHING)} == before


def test_a_merge_that_has_no_place_loses_nothing(
    make_documents: Make, make_index: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = make_index(make_documents(30))
    index.delete([f"d{i}" for i in range(5)])

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("unmask.search.folder.writing.write_parts", full)
    with pytest.raises(MachineError, match="the disk is full"):
        index.compact()
    monkeypatch.undo()

    assert index.count().documents == 25
    index.compact()
    assert index.count().documents == 25


@pytest.mark.parametrize("what", ["file", "other things"])
def test_an_index_is_not_made_over_something_else(what: str, tmp_path: Path, bag: Bag) -> None:
    place = tmp_path / "x"
    if what == "file":
        place.write_text("x")
    else:
        place.mkdir()
        (place / "thesis.txt").write_text("x")

    with pytest.raises(UsageError, match=r"is a file|holds something else"):
        Index.create(place, bag)
    assert not is_index(place)


def test_a_folder_that_is_no_index_is_told_of(tmp_path: Path, bag: Bag) -> None:
    with pytest.raises(DataError, match=r"is no index \(manifest.json is not there\)"):
        Index.open(tmp_path, bag)


def test_settings_stay_as_they_were(make_index: Make, bag: Bag) -> None:
    index = make_index([], similarity="dot", chunk={"by": "tokens", "max_tokens": 20})

    with Index.open(folder_of(index), bag) as opened:
        assert opened.store.about.config == IndexConfig.model_validate(
            {"similarity": "dot", "chunk": {"by": "tokens", "max_tokens": 20}}
        )
