from __future__ import annotations

import math

import pytest

from unmask.terminal import counted, figure


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (3.14159, "3.1416"),
        (-12_345.0, "-12,345.0000"),
        (1e304, "1.0000e+304"),
        (math.inf, "inf"),
        (math.nan, "nan"),
    ],
)
def test_a_figure_is_short_whatever_its_size(value: float, expected: str) -> None:
    assert figure(value) == expected


def test_one_thing_is_not_many() -> None:
    assert counted(1, "record", "records") == "1 record"
    assert counted(1200, "record", "records") == "1,200 records"
