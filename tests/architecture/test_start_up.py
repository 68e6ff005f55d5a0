"""What a fresh process imports before it has work to do."""

from __future__ import annotations

import importlib
import inspect
import os
import subprocess
import sys
from pathlib import Path

import pytest
from cyclopts import App

from unmask.cli.application import VERBS

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "unmask"
HEAVY = ("torch", "tokenizers", "transformers", "pyarrow", "scipy", "sklearn", "matplotlib")

HELP = """
import contextlib, io
from unmask.cli.application import app
verbs = [name for name in app if not name.startswith("-")]
assert "pretrain" in verbs, verbs
for words in [["--help"], *([verb, "--help"] for verb in verbs)]:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        app(words, exit_on_error=False, result_action="return_value")
    assert "Usage" in printed.getvalue(), words
"""


def imported_by(code: str) -> set[str]:
    """The modules of a new process that has run `code`."""
    result = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys\nprint('\\n'.join(sys.modules))"],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return set(result.stdout.split())


def test_importing_the_package_imports_nothing_heavy() -> None:
    assert not imported_by("import unmask").intersection((*HEAVY, "numpy", "pydantic", "cyclopts"))


def test_the_list_of_verbs_imports_none_of_them() -> None:
    found = imported_by(HELP.replace("for verb in verbs", "for verb in ()"))

    assert {name for name in found if name.startswith("unmask.")} == {
        "unmask.cli",
        "unmask.cli.application",
        "unmask.cli.helping",
        "unmask.cli.texts",
        "unmask.cli.wording",
        "unmask.errors",
    }


@pytest.mark.parametrize("name", VERBS)
def test_a_verb_is_listed_by_the_first_line_of_its_help(name: str) -> None:
    place, line = VERBS[name]
    module, verb = place.split(":")
    found = getattr(importlib.import_module(f"unmask.cli.{module}"), verb)

    told = found.help if isinstance(found, App) else inspect.getdoc(found).splitlines()[0]
    assert told == line


def test_help_of_every_verb_imports_nothing_heavy() -> None:
    assert not imported_by(HELP).intersection((*HEAVY, "numpy"))


def test_settings_import_neither_torch_nor_numpy() -> None:
    names = [
        "unmask." + ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
        for path in sorted(
            [
                *PACKAGE.rglob("config.py"),
                *PACKAGE.glob("models/sizes/*.py"),
                *PACKAGE.glob("recipe/settings/*.py"),
            ]
        )
    ]
    assert names

    assert not imported_by(f"import {', '.join(names)}").intersection((*HEAVY, "numpy"))


def test_preparing_text_does_not_import_torch() -> None:
    # A process that encodes text would otherwise wait seconds for it and hold 200 MB more.
    code = "import unmask.data.prepare, unmask.data.shards, unmask.text.train"

    assert "torch" not in imported_by(code)
