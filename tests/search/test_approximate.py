from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from unmask.errors import DataError, MachineError
from unmask.search.config import IndexConfig
from unmask.search.folder import approximate
from unmask.search.folder.approximate import build, factory_for, load, questions, recall_of
from unmask.search.folder.nearest import exact

faiss = pytest.importorskip("faiss")

FACTORIES = ("HNSW32", "HNSW32_SQ8", "IVF40,Flat", "IVF40,SQ8", "SQ8")
SIZE, WIDTH = 2000, 16


@pytest.fixture(scope="module")
def vectors() -> np.ndarray:
    chance = np.random.default_rng(0)
    found = (
        chance.standard_normal((SIZE, WIDTH))
        + 2 * chance.standard_normal((20, WIDTH))[chance.integers(0, 20, SIZE)]
    )
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def queries(vectors: np.ndarray) -> np.ndarray:
    chance = np.random.default_rng(1)
    found = vectors[:40] + 0.1 * chance.standard_normal((40, WIDTH)).astype(np.float32)
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("factory", FACTORIES)
def test_the_recall_that_was_measured_is_what_queries_find(
    factory: str, vectors: np.ndarray, queries: np.ndarray, tmp_path: Path
) -> None:
    entry = build(vectors, factory, 0.95, tmp_path / "x.faiss")
    index = load(tmp_path / "x.faiss", entry, (SIZE, WIDTH))

    rows, scores = index.search(vectors, queries, 10, None)

    assert entry.recall >= 0.95
    truth = exact(vectors, queries, 10, None)
    recall = recall_of(truth, (rows, scores))
    assert recall >= 0.9
    for query in range(len(queries)):  # what is found has its whole score
        assert scores[query] == pytest.approx(vectors[rows[query]] @ queries[query], abs=1e-5)


@pytest.mark.parametrize("factory", FACTORIES)
@pytest.mark.parametrize("share", [0.005, 0.05, 0.5])
def test_never_fewer_than_there_are_and_none_that_is_not_allowed(
    factory: str, share: float, vectors: np.ndarray, queries: np.ndarray, tmp_path: Path
) -> None:
    entry = build(vectors, factory, 0.5, tmp_path / "x.faiss")
    index = load(tmp_path / "x.faiss", entry, (SIZE, WIDTH))
    mask = np.random.default_rng(2).random(SIZE) < share

    for top_k in (5, 60):
        rows, _ = index.search(vectors, queries, top_k, mask)
        assert ((rows >= 0).sum(axis=1) == min(top_k, mask.sum())).all()
        assert mask[rows[rows >= 0]].all()
        assert all(len({*row} - {-1}) == (row >= 0).sum() for row in rows)


def test_more_recall_takes_more_effort(vectors: np.ndarray, tmp_path: Path) -> None:
    little = build(vectors, "IVF40,Flat", 0.3, tmp_path / "a.faiss")
    much = build(vectors, "IVF40,Flat", 1.0, tmp_path / "b.faiss")

    assert little.effort < much.effort
    assert little.recall < much.recall == pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize(
    ("settings", "size", "expected"),
    [
        ({}, 200_000, None),
        ({}, 200_001, "HNSW32"),
        ({"kind": "hnsw"}, 999, None),
        ({"kind": "hnsw"}, 1000, "HNSW32"),
        ({"kind": "hnsw", "quantise": "sq8"}, 1000, "HNSW32_SQ8"),
        ({"kind": "ivf"}, 10_000, "IVF256,Flat"),
        ({"kind": "ivf", "quantise": "sq8"}, 1_000_000, "IVF4000,SQ8"),
        ({"quantise": "sq8"}, 5000, "SQ8"),
        ({"kind": "exact"}, 10_000_000, None),
    ],
)
def test_the_kind_goes_by_the_size_unless_it_is_set(
    settings: dict[str, str], size: int, expected: str | None
) -> None:
    assert factory_for(IndexConfig.model_validate(settings), size) == expected


def test_a_file_that_is_another_index_is_not_given_to_faiss(
    vectors: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.faiss"
    entry = build(vectors, "SQ8", 0.5, path)
    monkeypatch.setattr(approximate, "faiss", lambda: pytest.fail("was read"))

    for wrong, shape in (
        (entry, (SIZE + 1, WIDTH)),
        (entry, (SIZE, WIDTH * 2)),
        (entry.model_copy(update={"factory": "HNSW32"}), (SIZE, WIDTH)),
        (entry.model_copy(update={"factory": "PQ8"}), (SIZE, WIDTH)),
    ):
        with pytest.raises(DataError, match=r"is not the .* index over"):
            load(path, wrong, shape)


def test_a_file_that_faiss_cannot_read_is_told_of(vectors: np.ndarray, tmp_path: Path) -> None:
    path = tmp_path / "x.faiss"
    entry = build(vectors, "SQ8", 0.5, path)
    path.write_bytes(path.read_bytes()[:200])

    with pytest.raises(DataError, match="faiss cannot read it"):
        load(path, entry, (SIZE, WIDTH))


def test_a_recall_that_is_not_reached_is_told_of(
    vectors: np.ndarray, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    build(vectors, "SQ8", 0.5, tmp_path / "a.faiss")
    assert caplog.text == ""

    coarse = vectors.copy()
    coarse[0] *= 1000  # the range that 8 bits are divided over
    entry = build(coarse, "SQ8", 1.0, tmp_path / "b.faiss")

    assert entry.recall < 1.0
    assert f"SQ8 finds a share of {entry.recall:.4f} of the 10 nearest, and --recall" in caplog.text


def test_a_file_that_has_no_place_is_told_of(vectors: np.ndarray, tmp_path: Path) -> None:
    with (
        no_file_over(10_000),
        pytest.raises(MachineError, match=r"x.faiss: faiss cannot write it .* MiB free"),
    ):
        build(vectors, "SQ8", 0.5, tmp_path / "x.faiss")


@contextmanager
def no_file_over(size: int) -> Iterator[None]:
    """What this process writes fails at so many bytes, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_equal_vectors_count_as_found_whichever_was() -> None:
    truth = np.arange(12)[None], np.ones((1, 12), np.float32)
    found = np.arange(20, 32)[None], np.ones((1, 12), np.float32)

    assert recall_of(truth, found) == 1.0


def test_recall_is_the_share_of_the_nearest_that_were_found() -> None:
    truth = np.arange(4)[None], np.array([[0.9, 0.8, 0.7, 0.6]], np.float32)
    found = np.array([[0, 2, 7, -1]]), np.array([[0.9, 0.7, 0.5, -np.inf]], np.float32)

    assert recall_of(truth, found) == 0.5


def test_recall_is_measured_by_what_lies_between_stored_vectors() -> None:
    stored = np.eye(40, dtype=np.float32)

    asked = questions(stored, np.random.default_rng(0))

    assert asked.shape == (40, 40)
    assert set(np.unique(asked)) <= {0.0, 0.5, 1.0}
    assert (asked.sum(axis=1) == 1.0).all()
    assert (asked == 0.5).any(axis=1).sum() > 30  # hardly one is stored itself
    assert np.array_equal(asked, questions(stored, np.random.default_rng(0)))
