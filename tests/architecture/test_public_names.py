"""What `import unmask` offers."""

from __future__ import annotations

import inspect

import pytest

import unmask


@pytest.mark.parametrize("name", unmask.__all__)
def test_public_name_can_be_imported_and_explains_itself(name: str) -> None:
    offered = getattr(unmask, name)

    assert inspect.getdoc(offered)
    assert offered.__module__.startswith("unmask.")


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        unmask.nonsense  # noqa: B018
