"""The numerics contract over two processes."""

from __future__ import annotations

from typing import Any


def test_two_processes_keep_the_numerics_contract(launch: Any) -> None:
    assert launch.num_passed("contract") == [90, 90]
