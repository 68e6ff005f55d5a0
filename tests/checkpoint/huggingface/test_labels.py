from __future__ import annotations

import json
from typing import Any

import pytest

from unmask.checkpoint.huggingface.labels import (
    label_fields,
    numbered,
    read_labels,
    read_problem_type,
)
from unmask.errors import DataError


@pytest.mark.parametrize("labels", [("a",), ("no", "yes"), tuple(f"é{i}" for i in range(12))])
def test_labels_come_back_in_order(labels: tuple[str, ...]) -> None:
    stored = json.loads(json.dumps(label_fields(labels), sort_keys=True))
    assert read_labels(stored, len(labels), "config.json") == labels


def test_no_labels_are_no_fields() -> None:
    assert label_fields(()) == {}
    assert read_labels({}, 3, "config.json") is None
    assert read_labels({"num_labels": 3}, 3, "config.json") is None
    assert numbered(2) == ("LABEL_0", "LABEL_1")


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ({"id2label": {"0": "a"}}, "names 1 labels, but the classifier .* has 2 rows"),
        ({"id2label": {str(i): "a" for i in range(10**5)}}, "names 100000 labels, but"),
        ({"num_labels": 9}, "`num_labels` is 9, but the classifier .* has 2 rows"),
        ({"num_labels": [2]}, r"`num_labels` is \[2\], but"),
        ({"id2label": ["a", "b"]}, r'`id2label` is \["a", "b"\]; expected an object'),
        ({"id2label": {"0": "a", "2": "b"}}, "has null for class 1; .* class from 0 to 1"),
        ({"id2label": {"0": "a", "1": 7}}, "has 7 for class 1"),
        ({"id2label": {"0": "a", "1": ["b"]}}, r'has \["b"\] for class 1'),
        ({"id2label": {"0": "\ud83d", "1": "b"}}, "for class 0"),
        ({"id2label": {"0": "a", "1": "a"}}, 'the name "a" for the classes 0 and 1'),
        ({"id2label": {"0": "a" * 10**6, "1": "a" * 10**6}}, r"aaa\.\.\. for the classes 0 and 1"),
    ],
)
def test_labels_that_do_not_fit_are_refused(given: dict[str, Any], match: str) -> None:
    with pytest.raises(DataError, match=match) as caught:
        read_labels(given, 2, "config.json")
    assert len(str(caught.value)) < 300
    assert str(caught.value).startswith("config.json: ")


@pytest.mark.parametrize("found", ["classification", 3, ["regression"], {}])
def test_another_problem_type_is_refused(found: object) -> None:
    with pytest.raises(DataError, match="expected one of single_label_classification"):
        read_problem_type({"problem_type": found}, "config.json")


def test_the_problem_type_may_be_left_open() -> None:
    assert read_problem_type({}, "config.json") is None
    assert read_problem_type({"problem_type": None}, "config.json") is None
    assert read_problem_type({"problem_type": "regression"}, "config.json") == "regression"
