"""Each filter leaves out what it names, and nothing is left out unasked."""

from __future__ import annotations

import pytest

from unmask.data.config import FilterConfig
from unmask.data.filters import Filters

GOOD = "This is a plain paragraph of good text.\nIt has two lines, and nothing odd."


@pytest.mark.parametrize(
    ("setting", "bound", "bad"),
    [
        ("min_characters", 20, "Too short."),
        ("max_characters", 100, GOOD + GOOD),
        ("min_words", 5, "Only four words here"),
        ("min_mean_word_length", 3, "a b c d of it is so"),
        ("max_mean_word_length", 10, "x" * 60 + " y"),
        ("min_alphabetic_words", 0.8, "12 30 -- 4 5 six"),
        ("max_symbol_rate", 0.1, "#one #two three… four..."),
        ("max_bullet_lines", 0.9, "- one\n* two\n\n• three"),
        ("max_ellipsis_lines", 0.3, "read more...\nread on…\nend"),
        ("max_repeated_lines", 0.3, "menu\nhome\n menu\nmenu\nhome\n"),
    ],
)
def test_a_filter_leaves_out_what_it_names(setting: str, bound: float, bad: str) -> None:
    filters = Filters(FilterConfig.model_validate({setting: bound}))
    assert filters.failed_by(bad) == setting
    assert filters.failed_by(GOOD) is None


def test_a_value_at_the_bound_passes() -> None:
    filters = Filters(FilterConfig(min_characters=4, max_characters=4, max_repeated_lines=0.5))
    assert filters.failed_by("abcd") is None
    assert filters.failed_by("a\na\n") is None
    assert filters.failed_by("abc") == "min_characters"
    assert filters.failed_by("abcde") == "max_characters"


@pytest.mark.parametrize("text", ["", "\n", "#", "a" * 10**6])
def test_without_filters_everything_passes(text: str) -> None:
    assert Filters(FilterConfig()).failed_by(text) is None


@pytest.mark.parametrize("setting", sorted(FilterConfig.model_fields))
def test_every_filter_takes_a_text_without_words(setting: str) -> None:
    filters = Filters(FilterConfig.model_validate({setting: 0.5 if "_lines" in setting else 1}))
    assert filters.failed_by("  \n ") in (None, setting)


def test_the_first_filter_that_fails_is_named() -> None:
    filters = Filters(FilterConfig(min_words=5, min_characters=20))
    assert filters.failed_by("short") == "min_characters"
