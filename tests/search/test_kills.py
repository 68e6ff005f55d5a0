"""A kill while indexing loses nothing that was committed."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.search.embedders import Bag
from tests.search.killing import documents

from unmask.search.config import SearchConfig
from unmask.search.index import Index

ROOT = Path(__file__).resolve().parents[2]
SIZE = 40
Make = Callable[..., Any]
MOMENTS = [
    ("os.mkdir", "segments", 1),
    ("open", "manifest.json.tmp", 1),
    ("os.rename", "manifest.json.tmp", 1),
    ("open", "vectors.npy", 2),
    ("open", "names.npy", 3),
    ("os.rename", "000002.tmp-", 1),
    ("open", "manifest.json.tmp", 4),
    ("os.rename", "manifest.json.tmp", 4),
    ("os.rename", "000005.tmp-", 1),  # of segments that are put together
    ("os.rename", "manifest.json.tmp", 6),
    ("os.rmdir", "000001", 1),
    ("os.rename", "manifest.json.tmp", 20),
    ("os.rename", "manifest.json.tmp", 27),
]
"""Audit events in the order in which indexing meets them, each fatal at its n-th time."""


class Runs:
    """Processes that index into one folder, one after another."""

    def __init__(self, forks: subprocess.Popen[str], folder: Path) -> None:
        self.folder = folder / "index"
        self._forks = forks
        self._said = folder / "said"

    def start(self, die: tuple[str, str, int] | None = None) -> int:
        """Starts one, and comes back with its number at once."""
        self._said.write_text("")
        request = {"folder": str(self.folder), "number": SIZE, "said": str(self._said), "die": die}
        assert self._forks.stdin is not None
        self._forks.stdin.write(json.dumps(request) + "\n")
        self._forks.stdin.flush()
        return self._answer()

    def wait(self) -> tuple[int, str]:
        """Its exit code, and what it said."""
        return self._answer(), self.said()

    def said(self) -> str:
        """What it has said so far."""
        return self._said.read_text()

    def _answer(self) -> int:
        assert self._forks.stdout is not None
        return int(self._forks.stdout.readline())


@pytest.fixture(scope="module")
def forks() -> Iterator[subprocess.Popen[str]]:
    """A process that has imported what indexing needs."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.search.killing"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()


@pytest.fixture
def runs(forks: subprocess.Popen[str], tmp_path: Path) -> Runs:
    return Runs(forks, tmp_path)


@pytest.fixture
def bag() -> Bag:
    return Bag(dimension=8)


def told(said: str) -> list[tuple[int, int]]:
    """Documents that were added, and that were there already, each time that it was said."""
    lines = [line.split() for line in said.splitlines() if line[:1].isdigit()]
    return [(int(line[0]), int(line[1])) for line in lines if len(line) == 2]


def assert_kept(folder: Path, said: str, bag: Bag) -> int:
    """The index can be opened, and all that was said to be kept is there; how much that is."""
    kept = max((sum(numbers) for numbers in told(said)), default=0)
    if not (folder / "manifest.json").exists():
        assert kept == 0
        return 0
    with Index.open(folder, bag) as index:
        count = index.count().documents
        assert count >= kept
        if count:
            hits = index.search("word1", SearchConfig(top_k=1000, documents=True))
            assert {f"d{i}" for i in range(kept)} <= {hit.document for hit in hits}
            assert len(hits) == count
    return kept


def assert_as_undisturbed(folder: Path, make_index: Make, bag: Bag) -> None:
    """The same results as those of an index that nobody interfered with, and nothing left over."""
    with Index.open(folder, bag) as index:
        assert index.count().documents == SIZE
        whole = make_index(documents(SIZE))
        for by in ("vectors", "words"):
            config = SearchConfig(by=by, top_k=1000)
            found, expected = (
                {(h.document, h.start): h.score for h in one.search("word1 word5", config)}
                for one in (index, whole)
            )
            assert found == pytest.approx(expected, abs=1e-5)
        segments = {path.name for path in (folder / "segments").iterdir()}
        assert len(segments) == len(index.store._commits.now.segments)  # type: ignore[attr-defined]


@pytest.mark.parametrize("moment", MOMENTS, ids=str)
def test_after_a_kill_at_any_point_the_same_call_goes_on(
    moment: tuple[str, str, int], runs: Runs, make_index: Make, bag: Bag
) -> None:
    runs.start(moment)
    exit_code, said = runs.wait()
    assert exit_code == -signal.SIGKILL
    kept = assert_kept(runs.folder, said, bag)

    runs.start()
    exit_code, said = runs.wait()

    assert exit_code == 0
    added, unchanged = told(said)[-1]
    assert added + unchanged == SIZE
    assert unchanged >= kept
    assert_as_undisturbed(runs.folder, make_index, bag)


def test_kills_at_random_moments_lose_nothing_that_was_committed(
    runs: Runs, make_index: Make, bag: Bag
) -> None:
    chance = random.Random(0)
    kept = 0
    for _ in range(6):
        number = runs.start()
        deadline = time.monotonic() + 60
        while not runs.said() and time.monotonic() < deadline:
            time.sleep(0.001)
        time.sleep(chance.uniform(0.0, 0.1))
        with contextlib.suppress(ProcessLookupError):
            os.kill(number, signal.SIGKILL)
        exit_code, said = runs.wait()
        assert exit_code in (0, -signal.SIGKILL)
        kept = max(kept, assert_kept(runs.folder, said, bag))
    assert kept > 0

    runs.start()
    assert runs.wait()[0] == 0
    assert_as_undisturbed(runs.folder, make_index, bag)
