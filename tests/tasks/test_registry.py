"""What lies in a folder makes a task, or one clear error."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from unmask.errors import DataError
from unmask.tasks.classification import Classification
from unmask.tasks.config import ClassificationConfig
from unmask.tasks.masked_lm import MaskedLM
from unmask.tasks.registry import TASKS, foreign, restore
from unmask.tasks.targets.number import Number
from unmask.tasks.targets.one_label import OneLabel
from unmask.tasks.targets.several_labels import SeveralLabels

TASK = Classification(ClassificationConfig(), OneLabel(("no", "yes"), temperature=1.5))


def test_a_stored_task_comes_back() -> None:
    several = SeveralLabels(("a", "b"), positive_weights=(1.0, 2.0), thresholds=(0.25, 0.5))
    for task in (
        TASK,
        Classification(ClassificationConfig(kind="multi"), several),
        Classification(ClassificationConfig(kind="regression"), Number()),
    ):
        assert restore(task.stored()) == task


@pytest.mark.parametrize("thresholds", [(0.1, 0.9), None])
def test_several_labels_are_given_with_the_thresholds_that_decide(
    thresholds: tuple[float, float] | None,
) -> None:
    found = SeveralLabels(("film", "funny"), thresholds=thresholds).decode(np.array([3.0, -2.0]))

    limits = thresholds or (0.5, 0.5)
    assert found["thresholds"] == dict(zip(("film", "funny"), limits, strict=True))
    above = [name for name in found["scores"] if found["scores"][name] >= found["thresholds"][name]]
    assert found["labels"] == above


def test_masked_language_modelling_is_a_task_too() -> None:
    found = restore(MaskedLM(next_sentence=True).stored())

    assert isinstance(found, MaskedLM)
    assert found.next_sentence


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "translation"},
        {"name": None},
        {"config": {"pooling": "sum"}},
        {"targets": None},
        {"targets": {"labels": "yes"}},
        {"targets": {"labels": ["no", "yes"], "temperature": "hot"}},
        {"targets": {"labels": ["no", "yes"], "temperature": -1.0}},
        {"targets": {"labels": ["no", "yes"], "class_weights": [1.0]}},
    ],
)
def test_what_makes_no_task_is_one_message(changes: dict[str, Any]) -> None:
    with pytest.raises(DataError, match=r"unmask\.json: `task` is") as error:
        restore({**TASK.stored(), **changes})

    assert "\n" not in str(error.value)
    assert all(name in str(error.value) for name in TASKS)


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        ("translation", "there is none of the name 'translation'"),
        (None, "there is none of the name 'None'"),
        ("embedding", "a sentence encoder's folder says it by modules.json instead"),
    ],
)
def test_why_a_name_makes_no_task_is_said(name: str | None, cause: str) -> None:
    with pytest.raises(DataError) as error:
        restore({"name": name})
    assert str(error.value).endswith(f"as they are written here ({cause}).")


def test_other_tools_models_have_default_settings() -> None:
    one = foreign("pooled_classifier", "BertForSequenceClassification", ("a", "b"), None)
    number = foreign("pooled_classifier", None, ("LABEL_0",), None)
    several = foreign("pooled_classifier", None, ("a", "b", "c"), "multi_label_classification")

    assert isinstance(one, Classification)
    assert one.targets == OneLabel(("a", "b"))
    assert isinstance(number, Classification)
    assert number.targets == Number()
    assert isinstance(several, Classification)
    assert several.targets == SeveralLabels(("a", "b", "c"))
    assert foreign("pooled_classifier", None, ("a", "b"), "regression") is None
    assert foreign("classifier", "BertModel", ("a", "b"), None) is None
