"""What the documents show is true: code runs, commands exist, links lead somewhere.

A ```python block runs after the blocks above it in the same document, in the folder of
`quick_start`. One that cannot run stands below a line `<!-- not run: REASON -->`; it must compile.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from unmask.cli.application import app

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted(
    path
    for pattern in ("*.md", "docs/**/*.md", "examples/**/*.md", "benchmarks/**/*.md")
    for path in ROOT.glob(pattern)
)
FENCE = re.compile(r"(?P<above>[^\n]*\n)?[ ]*```(?P<language>\w*)\n(?P<body>.*?)```", re.S)
LINK = re.compile(r"\]\((?!https?://|mailto:)(?P<target>[^)\s#]*)(?:#[^)\s]*)?\)")
SHELL = {"sh", "bash", "shell", "console"}

each_document = pytest.mark.parametrize(
    "document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix()
)


@dataclass(frozen=True)
class Block:
    """A fenced block and where it stands."""

    language: str
    body: str
    line: int
    skipped: bool


def blocks(document: Path) -> Iterator[Block]:
    """The fenced blocks of a document."""
    text = document.read_text(encoding="utf-8")
    for match in FENCE.finditer(text):
        line = text.count("\n", 0, match.start("body")) + 1
        skipped = (match["above"] or "").strip().startswith("<!-- not run:")
        yield Block(match["language"], match["body"], line, skipped)


def commands(document: Path) -> Iterator[list[str]]:
    """The words of each `unmask` and `make` command in the shell blocks of a document."""
    for block in blocks(document):
        if block.language in SHELL:
            for line in block.body.replace("\\\n", " ").splitlines():
                words = shlex.split(line.strip().removeprefix("$ "), comments=True)
                if words and Path(words[0]).name in ("unmask", "make"):
                    yield [Path(words[0]).name, *words[1:]]


@pytest.mark.parametrize(
    "document",
    [d for d in DOCUMENTS if any(block.language == "python" for block in blocks(d))],
    ids=lambda path: path.relative_to(ROOT).as_posix(),
)
def test_python_blocks_run_without_a_warning(
    document: Path,
    quick_start: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.chdir(quick_start)
    names: dict[str, object] = {"__name__": "__main__"}
    for block in blocks(document):
        if block.language == "python":
            # Blank lines in front, so that a traceback shows the line of the document.
            code = compile("\n" * (block.line - 1) + block.body, str(document), "exec")
            if not block.skipped:
                exec(code, names)
    assert caplog.messages == []


@each_document
def test_links_lead_to_files_that_are_there(document: Path) -> None:
    text = FENCE.sub("", document.read_text(encoding="utf-8"))
    targets = [match["target"] for match in LINK.finditer(text) if match["target"]]

    assert [target for target in targets if not (document.parent / target).exists()] == []


@each_document
def test_commands_and_their_flags_exist(document: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, *words in commands(document):
        if name != "unmask" or not words or words[0].startswith("-"):
            continue
        verb = [words[0], *(word for word in words[1:2] if word in app[words[0]])]
        app([*verb, "--help"], exit_on_error=False, result_action="return_value")
        known = set(re.findall(r"--[\w.-]+", capsys.readouterr().out))
        flags = {word.partition("=")[0] for word in words if re.match(r"--\w", word)}

        assert flags - known == set(), f"unmask {' '.join(verb)}"


def test_make_targets_in_documents_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.M))
    asked = {
        word
        for document in DOCUMENTS
        for name, *words in commands(document)
        if name == "make"
        for word in words
        if "=" not in word
    }

    assert asked - targets == set()


def test_the_command_is_installed_under_its_name() -> None:
    result = subprocess.run(
        [sys.executable, "-c", "from unmask.cli.application import main; main()", "--version"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert result.stdout.strip() == __import__("unmask").__version__
