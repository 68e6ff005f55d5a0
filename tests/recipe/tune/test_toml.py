from __future__ import annotations

import tomllib
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from unmask.recipe.tune.toml import as_toml

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
values = st.one_of(
    texts,
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.lists(st.one_of(texts, st.integers(0, 9)), max_size=3),
)
tables = st.recursive(
    st.dictionaries(texts, values, max_size=3),
    lambda inner: st.dictionaries(texts, st.one_of(values, inner), max_size=3),
    max_leaves=6,
)


@given(tables)
def test_what_is_written_is_read_again(document: dict[str, Any]) -> None:
    assert tomllib.loads(as_toml(document)) == without_empty(document)


def without_empty(tables: dict[str, Any]) -> dict[str, Any]:
    """An empty table says nothing, so none is written."""
    found = {}
    for name, value in tables.items():
        kept = without_empty(value) if isinstance(value, dict) else value
        if kept != {}:
            found[name] = kept
    return found


def test_none_is_left_out() -> None:
    assert as_toml({"a": None, "b": 1}) == "b = 1\n"
