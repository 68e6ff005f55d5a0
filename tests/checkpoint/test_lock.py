from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from unmask.checkpoint.lock import RunLock
from unmask.errors import UsageError

HOLD = """
import sys
from pathlib import Path
from unmask.checkpoint.lock import RunLock
with RunLock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_run_in_one_folder_is_refused_by_number_until_the_first_is_killed(
    tmp_path: Path,
) -> None:
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == b"held\n"
        with pytest.raises(UsageError, match=f"process {first.pid} on "), RunLock(tmp_path):
            pass
        first.kill()
        first.wait()
        with RunLock(tmp_path):
            pass


def test_a_lock_is_free_again_after_use(tmp_path: Path) -> None:
    for _ in range(2):
        with RunLock(tmp_path / "run"):
            assert (tmp_path / "run" / "run.lock").is_file()
