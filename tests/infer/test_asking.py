from __future__ import annotations

from typing import Any

import pytest

from unmask.data.labelled.examples import ChoiceExample
from unmask.errors import UsageError
from unmask.infer import asking


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"text": None}, "input 1: text is None; expected a text"),
        ({"text": 5}, "input 1: text is 5"),
        ([float("nan")], "input 1: text is nan"),
        (
            ("a", "b", "lost"),
            "input 1: has 3 parts; this model reads 2 at most, text and text_pair",
        ),
        ({"texts": "a"}, "input 1: has texts; this model answers about text"),
    ],
)
def test_what_is_no_text_is_told(asked: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message.replace("(", r"\(")):
        asking._text(None, 1, asked)  # type: ignore[arg-type]


@pytest.mark.parametrize("choices", [[], "abc", ["a", 5], None])
def test_choices_are_a_list_of_texts(choices: Any) -> None:
    with pytest.raises(UsageError, match=r"choices is .* expected a list of texts"):
        asking._choice(None, 1, {"text": "a", "choices": choices})  # type: ignore[arg-type]

    made = asking._choice(None, 1, ("a", ("b", "c")))  # type: ignore[arg-type]
    assert isinstance(made, ChoiceExample)
    assert made.choices == ("b", "c")
