"""The tasks of pretraining by their names; light, for loading a model must not import all tasks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from unmask.tasks.left_to_right import LeftToRight
from unmask.tasks.masked_lm import MaskedLM
from unmask.tasks.replaced_token import ReplacedToken
from unmask.tasks.task import Task

NAMES = (MaskedLM.name, ReplacedToken.name, LeftToRight.name)


def restored(stored: Mapping[str, Any]) -> Task | None:
    """The task that a folder keeps, None where it is none of pretraining."""
    name = stored.get("name")
    if name == MaskedLM.name:
        order = bool(stored.get("sentence_order"))
        next_sentence = bool(stored.get("next_sentence")) and not order
        return MaskedLM(next_sentence=next_sentence, sentence_order=order)
    if name == ReplacedToken.name:
        return ReplacedToken()
    return LeftToRight() if name == LeftToRight.name else None
