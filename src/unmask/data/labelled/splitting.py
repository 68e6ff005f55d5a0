"""Holding examples out of a training set: by the seed alone, strata in proportion, groups whole."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Hashable, Sequence
from math import floor
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from unmask.data.labelled.examples import (
    ChoiceExample,
    EmbeddingExample,
    Example,
    QuestionExample,
    RankedExample,
    TaggedExample,
    TextExample,
)
from unmask.data.labelled.overlap import core, normal
from unmask.data.randomness import counter_hash
from unmask.errors import DataError, UsageError

logger = logging.getLogger(__name__)

_STREAM = 0x53504C49
"""Sets these draws apart from what else is drawn by the same seed."""
_MOST_QUANTILES = 10
_SHOWN = 5

E = TypeVar(
    "E",
    TextExample,
    ChoiceExample,
    TaggedExample,
    QuestionExample,
    EmbeddingExample,
    RankedExample,
)


def split(
    examples: Sequence[E], rate: float, seed: int, *, stratify: bool = True, group: bool = True
) -> tuple[list[E], list[E]]:
    """Training and held-out examples, both in their old order; about `rate` of them are held out.

    With `stratify`, each stratum has its share on both sides: classes, each of several classes,
    tenths of the numbers, kinds of tags, whether a question is impossible. Of classes with one
    member each, and with `group` of those in one group only, the examples stay in training, and a
    warning names them. With `group`, examples of one group (questions: of one article, or else of
    one context; texts that belong together: with one first text, see `_names`) are never on both
    sides. The draw depends on seed, order and labels.

    Examples, or groups, are looked at in a random order, those with the rarest strata first, and
    taken where that brings the strata nearer to their shares (after Sechidis et al. 2011, "On the
    stratification of multi-label data").

    Raises:
        UsageError: A rate outside 0 to 1.
        DataError: Nothing could be held out, or nothing would be left.
    """
    if not 0.0 < rate < 1.0:
        raise UsageError(f"a held-out rate of {rate:g}; expected more than 0 and less than 1.")
    units = _units(examples, group)
    strata = _strata(examples) if stratify else [("",)] * len(examples)
    counts = [Counter(stratum for i in unit for stratum in strata[i]) for unit in units]
    totals: Counter[str] = Counter()
    spread: Counter[str] = Counter()
    for count in counts:
        totals.update(count)
        spread.update(count.keys())
    alone = sorted(stratum for stratum, num_units in spread.items() if num_units == 1)
    if alone and stratify and any(totals[stratum] < len(examples) for stratum in alone):
        places = [_first(stratum, examples, strata) for stratum in alone[:_SHOWN]]
        _warn(alone, places, is_grouped=len(units) < len(examples))
    chosen = _choose(counts, totals, _targets(totals, set(alone), rate, seed), seed)
    held = {i for unit, is_held in zip(units, chosen, strict=True) if is_held for i in unit}
    if not held:
        is_together = any(isinstance(one, EmbeddingExample) and not one.group for one in examples)
        all_alone = len(alone) == len(totals)
        why = _why_none(len(examples), len(units), all_alone=all_alone, is_together=is_together)
        raise DataError(
            f"no share of {rate:g} can be held out of {_counted(len(examples))}{why}. Raise "
            "--validation-rate (in Python validation_rate), add examples, or name others by "
            "--validation FILE."
        )
    train = [example for i, example in enumerate(examples) if i not in held]
    return train, [example for i, example in enumerate(examples) if i in held]


def _counted(number: int) -> str:
    return "1 example" if number == 1 else f"{number:,} examples"


def _why_none(num_examples: int, num_units: int, *, all_alone: bool, is_together: bool) -> str:
    """What keeps every example on one side, if it is more than their number."""
    if num_examples < 2:
        return ""
    if num_units == 1:
        what = "have the same first text" if is_together else "are of one group"
        return f": all {what}, which is never divided"
    grouped = num_units < num_examples
    if all_alone:
        alone = "label stands in one group only" if grouped else "is the only one of its label"
        return f": each {alone}, which training needs"
    return f" in {num_units:,} groups" if grouped else ""


def _units(examples: Sequence[E], group: bool) -> list[list[int]]:
    """What is held out together: the positions of all that have a name in common, or of one."""
    if not group:
        return [[i] for i in range(len(examples))]
    first: dict[Hashable, int] = {}
    leads = list(range(len(examples)))  # of each position one before it in the same unit

    def lead_of(i: int) -> int:
        while leads[i] != i:
            leads[i] = i = leads[leads[i]]
        return i

    for i, example in enumerate(examples):
        for name in _names(example):
            one, other = lead_of(first.setdefault(name, i)), lead_of(i)
            leads[max(one, other)] = min(one, other)
    units: dict[int, list[int]] = {}
    for i in range(len(examples)):
        units.setdefault(lead_of(i), []).append(i)
    return list(units.values())


def _names(example: Example | EmbeddingExample) -> tuple[Hashable, ...]:
    """What keeps an example together with those that have it too; none keeps it alone.

    Texts that belong together, where no group is said: an anchor whose positive or negatives were
    learned is found again too easily, and so is a pair turned round. A positive that several
    anchors share unites nothing, for one of many anchors (the name of a class) would unite all.
    """
    if isinstance(example, QuestionExample):
        return (example.context if example.title is None else example.title,)
    if example.group is not None:
        return (("group", example.group),)
    if isinstance(example, EmbeddingExample):
        return ("anchor", normal(example.texts[0])), ("pair", core(example))
    return ()


def _strata(examples: Sequence[E]) -> list[tuple[str, ...]]:
    """The strata of each example, at least one, as text."""
    numbers = np.array([number for example in examples if (number := _number(example)) is not None])
    quantiles = min(_MOST_QUANTILES, len(numbers) // 2)
    inner = np.linspace(0, 1, max(2, quantiles + 1))[1:-1]
    edges = np.quantile(numbers, inner) if len(numbers) else np.zeros(0)
    found: list[tuple[str, ...]] = []
    for example in examples:
        number = _number(example)
        if number is not None:
            found.append((f"quantile {int(np.searchsorted(edges, number, side='right'))}",))
        else:
            found.append(_classes(example))
    return found


def _number(example: Example | EmbeddingExample) -> float | None:
    label = example.label if isinstance(example, TextExample) else None
    return label if isinstance(label, float) else None


def _classes(example: Example | EmbeddingExample) -> tuple[str, ...]:
    if isinstance(example, TextExample) and isinstance(example.label, str):
        return (example.label,)
    if isinstance(example, TextExample) and isinstance(example.label, tuple):
        return example.label or ("",)
    if isinstance(example, TaggedExample) and example.tags is not None:
        return tuple(sorted(set(example.tags)))
    if isinstance(example, QuestionExample):
        return ("impossible" if example.is_impossible else "answerable",)
    return ("",)


def _targets(totals: Counter[str], alone: set[str], rate: float, seed: int) -> dict[str, int]:
    """How many of each stratum to hold out: its share, rounded so that the sum is right too."""
    names = sorted(totals.keys() - alone)
    order = np.argsort(_hashes(seed, 1, len(names)), kind="stable")
    targets = dict.fromkeys(alone, 0)
    before = 0.0
    for i in order:
        after = before + rate * totals[names[i]]
        number = floor(after + 0.5) - floor(before + 0.5)
        targets[names[i]] = min(number, totals[names[i]] - 1)
        before = after
    return targets


def _choose(
    counts: Sequence[Counter[str]], totals: Counter[str], targets: dict[str, int], seed: int
) -> list[bool]:
    """Which units are held out, those with rare strata looked at first, else in random order.

    A unit is taken if its rarest stratum gets nearer to its target by that.
    """
    held: Counter[str] = Counter()
    chosen = [False] * len(counts)
    rarest = [min(count, key=lambda stratum: (totals[stratum], stratum)) for count in counts]
    sizes = np.array([totals[stratum] for stratum in rarest], dtype=np.int64)
    for unit in np.lexsort((_hashes(seed, 0, len(counts)), sizes)).tolist():
        count, stratum = counts[unit], rarest[unit]
        if count[stratum] >= 2 * (targets[stratum] - held[stratum]):
            continue
        if all(held[name] + number < totals[name] for name, number in count.items()):
            chosen[unit] = True  # and of each stratum something is left to learn from
            held.update(count)
    return chosen


def _hashes(seed: int, what: int, number: int) -> npt.NDArray[np.uint64]:
    return counter_hash(seed, _STREAM, what, np.arange(number))


def _first(stratum: str, examples: Sequence[E], strata: Sequence[tuple[str, ...]]) -> str:
    """Where the first example of a stratum stands."""
    return next(e.place for e, names in zip(examples, strata, strict=True) if stratum in names)


def _warn(names: Sequence[str], places: Sequence[str], *, is_grouped: bool) -> None:
    shown = ", ".join(f"`{name}`" for name in names[:_SHOWN])
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    logger.warning(
        "%s%s: %s; kept for training, so nothing held out measures %s (see %s)",
        shown,
        more,
        "all in one group" if is_grouped else "one example each",
        "them" if len(names) > 1 else "it",
        ", ".join(places),
    )
