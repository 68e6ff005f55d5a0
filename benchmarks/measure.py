"""Timing side by side, and the peak memory of a fresh process."""

from __future__ import annotations

import gc
import json
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parent / "results"


class Worker:
    """One of these scripts in an interpreter of its own, which works only when asked."""

    def __init__(self, script: str, *arguments: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).parent / script), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, order: dict[str, Any]) -> dict[str, Any]:
        """Sends one line of JSON and waits for the line of JSON that answers it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the worker ended with code {self._process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        """Lets the worker end."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def spread(figures: Sequence[float]) -> dict[str, float]:
    """Median, least, greatest and number of the figures."""
    return {
        "median": statistics.median(figures),
        "min": min(figures),
        "max": max(figures),
        "count": len(figures),
    }


def resident_megabytes(field: str = "VmRSS") -> float:
    """What the kernel says this process holds now (`VmRSS`) or held at most (`VmHWM`)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise RuntimeError(f"/proc/self/status has no {field}")


def peak_above_now(work: Callable[[], object], times: int) -> dict[str, float]:
    """Megabytes of resident memory before the work, at its peak, and the difference.

    The kernel's high-water mark is set back first (`/proc/self/clear_refs`, 5), so the peak is
    that of the work alone.
    """
    gc.collect()
    before = resident_megabytes()
    Path("/proc/self/clear_refs").write_text("5")
    for _ in range(times):
        work()
    peak = resident_megabytes("VmHWM")
    return {"before": before, "peak": peak, "above": peak - before}


def tree_megabytes(root: int, proportional: bool) -> float:
    """Memory of a process and all its descendants together.

    `proportional` counts a page that processes share in parts (PSS), which takes longer to read;
    otherwise it counts in each of them (RSS).
    """
    total = 0.0
    for process in _descendants(root):
        try:
            total += _pss(process) if proportional else _rss(process)
        except OSError:
            continue  # it ended in between
    return total


def _pss(process: int) -> float:
    for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024 / 1e6
    return 0.0


def _rss(process: int) -> float:
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _descendants(root: int) -> list[int]:
    found, waiting = [], [root]
    while waiting:
        process = waiting.pop()
        found.append(process)
        for thread in Path(f"/proc/{process}/task").glob("*/children"):
            try:
                waiting += [int(child) for child in thread.read_text().split()]
            except OSError:
                continue
    return found


def machine() -> dict[str, Any]:
    """What the figures were measured on, and when."""
    from importlib.metadata import version

    packages = ("torch", "transformers", "sentence-transformers", "datasets", "tokenizers", "numpy")
    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "memory_gigabytes": round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "load_before": os.getloadavg()[0],
        "versions": {name: version(name) for name in packages if _installed(name)},
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    }


def processor() -> str:
    """Its name with its family and model: one name is sold for several generations."""
    found: dict[str, str] = {}
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        found.setdefault(name.strip(), value.strip())
    numbers = f"family {found.get('cpu family', '?')}, model {found.get('model', '?')}"
    return f"{found.get('model name', 'unknown processor')} ({numbers})"


def _installed(name: str) -> bool:
    from importlib.util import find_spec

    return find_spec(name.replace("-", "_")) is not None


def keep(name: str, result: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Writes a result beside a description of the machine, prints both and returns them."""
    folder.mkdir(parents=True, exist_ok=True)
    kept = {"machine": machine(), **result}
    text = json.dumps(kept, indent=2) + "\n"
    (folder / f"{name}.json").write_text(text, encoding="utf-8")
    print(text, end="")
    return kept
