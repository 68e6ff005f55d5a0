from __future__ import annotations

from typing import Any

import pytest

from unmask.errors import UsageError
from unmask.search.filters import check_fields, holds, number_of, parse


@pytest.mark.parametrize(
    ("condition", "value", "expected"),
    [
        ("year>=1990", 1990, True),
        ("year>=1990", 1989.5, False),
        ("year>=1990", "2001", True),  # tables know nothing but text
        ("year>=1990", "unknown", False),
        ("year<1e3", 999, True),
        ("year=1990", 1990.0, True),
        ("year=1990", "1990", True),
        ("year=1990", "1990s", False),
        ("year!=1990", "1990s", True),
        ("year!=1990", None, True),
        ("year=1990", None, False),
        ("year<1990", True, False),
        ("author=Austen", "Austen", True),
        ("author = Jane Austen ", "Jane Austen", True),
        ("author=austen", "Austen", False),
        ("date>=2024-05-31", "2024-06-01", True),
        ("date>=2024-05-31", "2024-05-30", False),
        ("draft=true", True, True),
        ("tags=novel", ["novel"], False),
        ("tags!=novel", ["novel"], True),
        ("id=12345678901234567890", 12345678901234567890, True),
        ("id=12345678901234567890", 12345678901234567891, False),
    ],
)
def test_conditions_hold_as_they_read(condition: str, value: Any, expected: bool) -> None:
    (parsed,) = parse([condition])
    metadata = {} if value is None else {parsed.field: value}

    assert holds(parsed, metadata) is expected


@pytest.mark.parametrize("written", ["year", "", ">=1990", "=x"])
def test_what_is_no_condition_is_refused(written: str) -> None:
    with pytest.raises(UsageError, match="expected a field, one of = != < <= > >="):
        parse([written])


def test_an_unknown_field_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(UsageError, match=r"no document has a field `yaer`.*Did you mean `year`"):
        check_fields(parse(["yaer>=1990"]), {"year", "author"})
    with pytest.raises(UsageError, match="found none at all"):
        check_fields(parse(["year>=1990"]), set())


@pytest.mark.parametrize("value", ["nan", "inf", "1_000", "٣", "", "0x10", 2**53 + 2, float("nan")])
def test_what_looks_like_a_number_to_python_alone_is_text(value: Any) -> None:
    assert number_of(value) is None
