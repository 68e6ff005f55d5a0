"""Which targets the examples of a task have, or a folder keeps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import TypeAdapter

from unmask.data.labelled.examples import TextExample
from unmask.errors import DataError
from unmask.tasks.config import ClassificationConfig
from unmask.tasks.targets.labels import in_order, names
from unmask.tasks.targets.number import Number
from unmask.tasks.targets.one_label import OneLabel
from unmask.tasks.targets.protocol import Targets
from unmask.tasks.targets.several_labels import SeveralLabels


def begin(config: ClassificationConfig, examples: Sequence[TextExample]) -> Targets:
    """What these examples' labels are.

    Raises:
        DataError: Unlabelled examples, or nothing to tell apart.
    """
    if not examples:
        raise DataError("no examples to learn from; expected at least two.")
    if config.kind == "regression":
        return Number()
    counts = Counter(name for example in examples for name in names(example))
    if len(counts) < (2 if config.kind == "single" else 1):
        raise DataError(
            f"{examples[0].place}: all {len(examples)} examples carry the same label "
            f"({', '.join(counts) or 'none'}); expected at least two to tell apart."
        )
    labels, balanced = in_order(counts), config.class_weights == "balanced"
    total = len(examples)
    if config.kind == "multi":
        # A label that every example has still counts: one example without it is taken as given.
        ratios = tuple(max(total - counts[name], 1) / counts[name] for name in labels)
        return SeveralLabels(labels, ratios if balanced else None)
    shares = tuple(total / (len(labels) * counts[name]) for name in labels)
    return OneLabel(
        labels, shares if balanced else None, config.label_smoothing, config.focal_gamma
    )


def restore(kind: str, stored: Mapping[str, Any]) -> Targets:
    """From what `stored` gave.

    Raises:
        ValueError: Fields that make no such thing; pydantic's is one.
    """
    kinds: dict[str, type[OneLabel] | type[SeveralLabels] | type[Number]] = {
        "single": OneLabel,
        "multi": SeveralLabels,
        "regression": Number,
    }
    found: Targets = TypeAdapter(kinds[kind]).validate_python(dict(stored))
    sized = {name: values for name, values in stored.items() if isinstance(values, list)}
    if any(len(values) != len(found.labels) for values in sized.values()):
        raise ValueError(f"{', '.join(sized)} are not of one length")
    return found
