"""Indexes documents in forked processes, which may be told where to die.

One request a line on stdin, as JSON: the index's folder, how many documents, where what the process
says goes, and an audit event, a part of its path and at which of these to die, or null. Each is
answered by the process's number and, when it has ended, by its exit code, which is negative for a
signal.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from pathlib import Path
from typing import Any, NoReturn

from tests.search.embedders import Bag

from unmask.search import adding
from unmask.search.config import IndexConfig
from unmask.search.documents import Document
from unmask.search.folder import store, tiers
from unmask.search.index import Index

WRITING = os.O_WRONLY | os.O_RDWR


def documents(number: int) -> list[Document]:
    """The same whoever asks."""
    return [Document(f"d{i}", f"Word{i % 7} and word{i % 11}. Then {i}.") for i in range(number)]


def die_at(event: str, path: str, times: int) -> None:
    """Kills this process the `times`-th time before an audited `event` on a path with `path`."""
    left = times

    def hear(heard: str, arguments: tuple[Any, ...]) -> None:
        nonlocal left
        if heard != event or path not in str(arguments[0]):
            return
        if event == "open" and not (int(arguments[2]) & WRITING):
            return
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hear)


def index(folder: Path, number: int) -> None:
    """Indexes, and says on stdout how many documents were added and were there already."""
    adding._DOCUMENTS = 2  # a commit for every two documents
    tiers.PENDING = store.PENDING = 4
    bag = Bag(dimension=8)
    config = IndexConfig(commit_passages=2)
    there = (folder / "manifest.json").exists()
    with Index.open(folder, bag) if there else Index.create(folder, bag, config) as opened:
        opened.add(documents(number), lambda now, _: print(now.added, now.unchanged, flush=True))
    print("done", flush=True)


def become(request: dict[str, Any]) -> NoReturn:
    """Turns this forked process into one that indexes."""
    os.dup2(os.open(request["said"], os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o644), 1)
    if request["die"] is not None:
        die_at(*request["die"])
    exit_code = 0
    try:
        index(Path(request["folder"]), request["number"])
    except BaseException:
        traceback.print_exc()
        exit_code = 1
    sys.stdout.flush()
    os._exit(exit_code)


def serve() -> None:
    """Forks once a line until stdin ends."""
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            become(json.loads(line))
        print(child, flush=True)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    serve()
