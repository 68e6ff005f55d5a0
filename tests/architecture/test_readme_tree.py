"""The tree in the README is the real one.

A line of the tree names one or more files or folders, then, after two spaces or more, says what
they are. Folders end in a slash; what lies in a folder is indented below it.
"""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "unmask"
BRANCHES = re.compile(r"[│├└─|`]")
NOT_OURS = {"__pycache__", "build", "dist", "runs", "site"}


def tree() -> dict[Path, str]:
    """Each path of the README's tree and its phrase."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (block,) = (b for b in re.findall(r"```\w*\n(.*?)```", readme, re.S) if "src/unmask/" in b)
    entries: dict[Path, str] = {}
    parents: list[tuple[int, Path]] = []
    for line in BRANCHES.sub(" ", block).splitlines():
        if not line.strip():
            continue
        depth = len(line) - len(line.lstrip())
        names, _, phrase = line.strip().partition("  ")
        while parents and parents[-1][0] >= depth:
            parents.pop()
        folder = parents[-1][1] if parents else Path()
        for name in names.split():
            entries[folder / name.rstrip("/")] = phrase.strip()
        if names.endswith("/"):
            parents.append((depth, folder / names.split()[-1]))
    return entries


def test_everything_in_the_tree_is_there() -> None:
    assert [str(path) for path in tree() if not (ROOT / path).exists()] == []


def test_every_folder_is_in_the_tree() -> None:
    real = {path.relative_to(ROOT) for path in ROOT.iterdir() if path.is_dir()}
    real = {path for path in real if path.name not in NOT_OURS and not path.name.startswith(".")}
    named = {Path(path.parts[0]) for path in tree()}

    assert real - named == set()


def test_every_room_and_module_is_in_the_tree() -> None:
    rooms = {path.parent.relative_to(ROOT) for path in PACKAGE.glob("*/__init__.py")}
    modules = {path.relative_to(ROOT) for path in PACKAGE.glob("[!_]*.py")}

    assert (rooms | modules) - set(tree()) == set()


def test_every_room_has_a_phrase() -> None:
    rooms = {path: phrase for path, phrase in tree().items() if path.parent.name == "unmask"}

    assert rooms
    assert [path.name for path, phrase in rooms.items() if not phrase] == []
