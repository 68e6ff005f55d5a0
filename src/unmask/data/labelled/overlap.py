"""Findings about equal examples: within a split, across splits, and with other labels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from unmask.data.finding import Finding
from unmask.data.labelled.balance import Splits, score_of
from unmask.data.labelled.examples import (
    ChoiceExample,
    EmbeddingExample,
    Example,
    QuestionExample,
    RankedExample,
    TextExample,
)

_OFTEN = 0.01
"""Share from which repeats are a warning."""
_TOLERANCE = 0.1
"""Numbers for equal texts conflict if they differ by more, as a share of their range."""
_SHOWN_CHARACTERS = 60

Known = dict[int, Example]
"""The first example of each content, or each core, by its hash."""


def about(splits: Splits) -> Iterator[Finding]:
    """Findings about repeats (equal apart from case and spaces), conflicts and blank texts."""
    known: dict[str, Known] = {}
    for name, examples in splits.items():
        known[name] = {}
        yield from _about_blank(name, examples)
        yield from _within(name, examples)
        for example in examples if len(splits) > 1 else ():
            known[name].setdefault(core(example), example)
    names = list(splits)
    for i, name in enumerate(names):
        for other in names[i + 1 :]:
            yield from _across(name, known[name], other, splits[other])


def content(example: Example) -> int:
    """A hash of what is read, not of what is to be said of it; 64 bits.

    Of a ranking it is the query alone, whose other documents are no other question.
    """
    if isinstance(example, QuestionExample):
        return hash((normal(example.question), example.context))
    if isinstance(example, RankedExample):
        return hash(normal(example.query))
    if isinstance(example, EmbeddingExample):
        return hash(tuple(map(normal, example.texts)))
    if isinstance(example, ChoiceExample):
        return hash((normal(example.text), *map(normal, example.choices)))
    if isinstance(example, TextExample) and example.text_pair is not None:
        return hash((normal(example.text), normal(example.text_pair)))
    return hash(normal(example.text))


def core(example: Example) -> int:
    """A hash of what must not be learned from where it is measured on, 64 bits: the content.

    Of texts that belong together that is the anchor with its positive, in either order: beside
    other negatives they are learned by heart as well.
    """
    if isinstance(example, EmbeddingExample):
        return hash(tuple(sorted(map(normal, example.texts[:2]))))
    return content(example)


def normal(text: str) -> str:
    """A text for comparison: case and spaces make no other one."""
    return " ".join(text.lower().split())


def _about_blank(name: str, examples: Sequence[Example]) -> Iterator[Finding]:
    blank = [example for example in examples if any(not text.strip() for text in _texts(example))]
    if blank:
        yield Finding(
            "error" if name == "train" else "warning",
            f"{name}: {len(blank):,} examples have a blank text, first {blank[0].place}",
            "a model would learn a label for nothing",
            "take them out, or name the text's column (--data.columns.text)",
        )


def parts(example: Example) -> tuple[str, ...]:
    """The texts that a model reads together; of several choices or documents the longest, and of
    those that it reads one by one.
    """
    if isinstance(example, EmbeddingExample):
        return (max(example.texts, key=len),)
    if isinstance(example, QuestionExample):
        return (example.question, example.context)
    if isinstance(example, RankedExample):
        return (example.query, max(example.documents, key=len, default=""))
    if isinstance(example, ChoiceExample):
        return (example.text, max(example.choices, key=len, default=""))
    if isinstance(example, TextExample) and example.text_pair is not None:
        return (example.text, example.text_pair)
    return (example.text,)


def _texts(example: Example) -> tuple[str, ...]:
    return example.texts if isinstance(example, EmbeddingExample) else parts(example)


def _within(name: str, examples: Sequence[Example]) -> Iterator[Finding]:
    known: Known = {}
    num_repeats = 0
    conflicts: list[tuple[Example, Example]] = []
    tolerance = _tolerance(examples)
    first_repeat = None
    for example in examples:
        first = known.setdefault(content(example), example)
        if first is example:
            continue
        num_repeats += 1
        first_repeat = first_repeat or (first, example)
        if _differ(first, example, tolerance):
            conflicts.append((first, example))
    if first_repeat is not None:
        share = num_repeats / len(examples)
        yield Finding(
            "warning" if share > _OFTEN else "note",
            f"{name}: {num_repeats:,} of {len(examples):,} examples ({share:.1%}) repeat an "
            f"earlier one; first {_both(*first_repeat)}",
            "they count several times, in the loss and in the figures",
            "remove repeats, unless their number means something",
        )
    if conflicts:
        shown = "; ".join(f"{_both(*pair)}: {_said(*pair)}" for pair in conflicts[:2])
        yield Finding(
            "warning",
            f"{name}: {len(conflicts):,} examples have another label than an equal one before "
            f"them: {shown}",
            "no model can be right about both",
            "decide for one label, or take both out",
        )


def _across(name: str, known: Known, other: str, examples: Sequence[Example]) -> Iterator[Finding]:
    shared = [example for example in examples if core(example) in known]
    if shared:
        share = len(shared) / len(examples)
        first = known[core(shared[0])]
        yield Finding(
            "warning" if share > _OFTEN else "note",
            f"{other}: {len(shared):,} of {len(examples):,} examples ({share:.1%}) stand in {name} "
            f"too; first {_both(first, shared[0])}",
            "figures measured on what was learnt by heart look better than they are",
            f"take them out of {name}, or split again with the group in --data.columns.group",
        )


def _both(first: Example, second: Example) -> str:
    text = _texts(first)[0]
    more = "..." if len(text) > _SHOWN_CHARACTERS else ""
    return f'"{text[:_SHOWN_CHARACTERS]}{more}" at {first.place} and {second.place}'


def _label(example: Example) -> object:
    """What is said of an example, to be compared; None if nothing is known."""
    if isinstance(example, QuestionExample):
        return example.is_impossible if example.is_impossible or example.answers else None
    if isinstance(example, RankedExample):
        return None  # other documents have other grades
    if isinstance(example, ChoiceExample):
        return example.label
    if isinstance(example, EmbeddingExample):
        score = score_of(example.label) if isinstance(example.label, str) else None
        return example.label if score is None else score
    if isinstance(example, TextExample):
        label = example.label
        return tuple(sorted(label)) if isinstance(label, tuple) else label
    return example.tags


def _tolerance(examples: Sequence[Example]) -> float:
    numbers = [label for example in examples if isinstance(label := _label(example), float)]
    return _TOLERANCE * (max(numbers) - min(numbers)) if numbers else 0.0


def _differ(first: Example, second: Example, tolerance: float) -> bool:
    one, other = _label(first), _label(second)
    if one is None or other is None:
        return False
    if isinstance(one, float) and isinstance(other, float):
        return abs(one - other) > tolerance
    return one != other


def _said(first: Example, second: Example) -> str:
    one, other = _label(first), _label(second)
    if isinstance(first, QuestionExample):
        return "one is impossible, the other not"
    if isinstance(one, tuple) and isinstance(other, tuple) and len(one) == len(other):
        differing = [pair for pair in zip(one, other, strict=True) if pair[0] != pair[1]]
        one, other = differing[0]
    return f"`{one}` and `{other}`"
