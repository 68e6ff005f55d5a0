"""How long `unmask --help` takes, and whether it imports torch."""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

import measure

LONGEST_SECONDS = 0.6
"""What the command line may take at most."""


def command() -> list[str]:
    """The installed command where there is one, otherwise the module."""
    installed = Path(sys.executable).parent / "unmask"
    return [str(installed)] if installed.exists() else [sys.executable, "-m", "unmask"]


def seconds() -> float:
    started = time.perf_counter()
    subprocess.run([*command(), "--help"], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def imports_torch() -> bool:
    """Reads the interpreter's own list of what it imported."""
    listed = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "unmask", "--help"],
        check=True,
        capture_output=True,
        text=True,
    )
    names = {line.rsplit("|", 1)[-1].strip() for line in listed.stderr.splitlines()}
    return "torch" in names


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--results", type=Path, default=measure.RESULTS)
    arguments = parser.parse_args()
    rounds = 2 if arguments.quick else arguments.rounds
    seconds()  # the first run compiles byte code and fills the file cache
    result = {
        "seconds": measure.spread([seconds() for _ in range(rounds)]),
        "longest_seconds": LONGEST_SECONDS,
        "imports_torch": imports_torch(),
    }
    measure.keep("start_up", result, arguments.results)


if __name__ == "__main__":
    main()
