"""Findings about labels: how often each comes, and which a split lacks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from unmask.data.finding import Finding
from unmask.data.labelled.examples import (
    ChoiceExample,
    EmbeddingExample,
    Example,
    QuestionExample,
    RankedExample,
    TaggedExample,
    TextExample,
)

_SHOWN = 8
_MAJORITY = 0.9
_RARE = 10
"""Times that the most frequent class may be as frequent as the rarest."""
_MANY_CLASSES = 20

Splits = Mapping[str, Sequence[Example]]
"""Splits by name, none of them empty."""


def about(splits: Splits) -> Iterator[Finding]:
    """Findings about the labels of all splits; `train` is what is learnt from."""
    counts = {name: class_counts(examples) for name, examples in splits.items()}
    if "train" in splits:
        yield from _about_missing(splits["train"])
        yield from _about_training(splits["train"], counts["train"])
    for name, found in counts.items():
        if name != "train" and "train" in counts:
            yield from _about_unseen(name, found, counts["train"])


def class_counts(examples: Sequence[Example]) -> Counter[str]:
    """Examples of each class, or words of each tag; empty where labels are something else."""
    counts: Counter[str] = Counter()
    singles = [
        example.label
        for example in examples
        if isinstance(example, TextExample) and isinstance(example.label, str)
    ]
    counts.update(singles)
    for example in examples:
        if isinstance(example, TextExample) and isinstance(example.label, tuple):
            counts.update(example.label)
        elif isinstance(example, TaggedExample) and example.tags is not None:
            counts.update(example.tags)
    counts.update(
        example.label
        for example in examples
        if isinstance(example, EmbeddingExample)
        and isinstance(example.label, str)
        and score_of(example.label) is None
    )
    return counts


def score_of(label: str) -> float | None:
    """A label that is a score; 0 and 1 are classes."""
    try:
        number = float(label)
    except ValueError:
        return None
    return None if number in (0.0, 1.0) else number


def is_labelled(example: Example) -> bool:
    """Whether what is to be predicted is known."""
    if isinstance(example, QuestionExample):
        return example.is_impossible or bool(example.answers)
    if isinstance(example, TaggedExample):
        return example.tags is not None
    if isinstance(example, RankedExample):
        return example.grades is not None
    return example.label is not None


def _about_missing(train: Sequence[Example]) -> Iterator[Finding]:
    labelled = [example for example in train if is_labelled(example)]
    if not labelled and isinstance(train[0], EmbeddingExample):
        return  # texts that belong together need none
    without = [example for example in train if not is_labelled(example)]
    if without:
        yield Finding(
            "error",
            f"train: {len(without):,} of {len(train):,} examples have no label, first "
            f"{without[0].place}",
            "nothing can be learnt from them",
            "name the label's column (--data.columns.label or tags), or take these examples out",
        )


def _about_training(train: Sequence[Example], counts: Counter[str]) -> Iterator[Finding]:
    if counts:
        yield from _about_classes(train, counts)
    numbers = [
        example.label
        for example in train
        if isinstance(example, TextExample) and isinstance(example.label, float)
    ]
    if numbers:
        yield from _about_numbers(numbers)
    questions = [example for example in train if isinstance(example, QuestionExample)]
    if questions:
        impossible = sum(example.is_impossible for example in questions) / len(questions)
        yield Finding(
            "note",
            f"train: {impossible:.1%} of the {len(questions):,} questions are impossible",
            "a model that never sees one always answers"
            if impossible == 0
            else ("a model that always says so is right that often"),
            "compare exact match with that share",
        )
    choices = [example for example in train if isinstance(example, ChoiceExample)]
    places = Counter(example.label for example in choices if example.label is not None)
    if len(places) == 1 and len(choices) > 1:
        yield Finding(
            "error",
            f"train: the right choice is number {next(iter(places))} in all examples",
            "a model learns the place and not the text",
            "shuffle the choices, and check the label's column",
        )


def _about_classes(train: Sequence[Example], counts: Counter[str]) -> Iterator[Finding]:
    what = "words" if isinstance(train[0], TaggedExample) else "labels"
    yield _shares_of_texts(counts, len(train)) if _is_multi(train) else _shares(counts, what)
    if len(counts) == 1 and not _is_multi(train):
        yield Finding(
            "error",
            f"train: only one class, `{next(iter(counts))}`",
            "a model learns to say it always",
            "check the label's column, or add examples of another class",
        )
        return
    if what == "labels" and len(counts) > max(_MANY_CLASSES, len(train) / 2):
        yield Finding(
            "error",
            f"train: {len(counts):,} classes in {len(train):,} examples",
            "this is hardly a column of classes",
            "name the label's column (--data.columns.label), or set --data.labels number",
        )
        return
    yield from _about_rare(counts, what)


def _shares(counts: Counter[str], what: str) -> Finding:
    total = counts.total()
    shares = [f"`{label}` {count / total:.1%}" for label, count in counts.most_common(_SHOWN)]
    return Finding(
        "note",
        f"train: {total:,} {what}, {len(counts)} classes: {_listed(shares, len(counts))}",
        f"always saying the first is right {counts.most_common(1)[0][1] / total:.1%} of the time",
        "compare the accuracy with that share",
    )


def _shares_of_texts(counts: Counter[str], num_texts: int) -> Finding:
    """Of texts with any number of labels each, whose shares add up to no whole."""
    shares = [f"`{label}` on {n / num_texts:.1%}" for label, n in counts.most_common(_SHOWN)]
    return Finding(
        "note",
        f"train: {counts.total():,} labels of {len(counts)} kinds on {num_texts:,} texts: "
        f"{_listed(shares, len(counts))}",
        "a label that is always given is right as often as that",
        "compare the precision of each label with its share",
    )


def _listed(shares: Sequence[str], number: int) -> str:
    more = f", and {number - len(shares)} more" if number > len(shares) else ""
    return f"{', '.join(shares)}{more}"


def _about_rare(counts: Counter[str], what: str) -> Iterator[Finding]:
    once = sorted(label for label, count in counts.items() if count == 1)
    if once:
        shown = ", ".join(f"`{label}`" for label in once[:_SHOWN])
        more = f" and {len(once) - _SHOWN} more" if len(once) > _SHOWN else ""
        yield Finding(
            "warning",
            f"train: one example each of {shown}{more}",
            "it cannot be learnt from one, and not be measured as well",
            "add examples, join it with another class, or leave it out",
        )
    if "-" in counts and what == "labels":
        yield Finding(
            "warning",
            f"train: {counts['-']:,} labels are `-`",
            "in SNLI and MNLI that means that the annotators did not agree; here it is a class",
            "set --data.no-label - to leave them out",
        )
    (first, most), (last, least) = counts.most_common(1)[0], counts.most_common()[-1]
    if what == "labels" and (most > _MAJORITY * counts.total() or most > _RARE * least):
        yield Finding(
            "warning",
            f"train: `{first}` comes {most / least:,.0f} times as often as `{last}` "
            f"({most:,} and {least:,})",
            "a model may never say the rare class, and the accuracy hardly shows it",
            "weight the classes or use the focal loss, and look at macro F1 or MCC",
        )


def _is_multi(train: Sequence[Example]) -> bool:
    return isinstance(train[0], TextExample) and isinstance(train[0].label, tuple)


def _about_numbers(numbers: Sequence[float]) -> Iterator[Finding]:
    low, high, mean = min(numbers), max(numbers), sum(numbers) / len(numbers)
    if low == high:
        yield Finding(
            "error",
            f"train: all {len(numbers):,} numbers are {low:g}",
            "a model learns to say it always, and no correlation is defined",
            "check the label's column (--data.columns.label)",
        )
        return
    yield Finding(
        "note",
        f"train: {len(numbers):,} numbers from {low:g} to {high:g}, mean {mean:.3g}",
        "the mean squared error of always saying the mean is their variance",
        "set --data.label-range if a number outside of it is a mistake",
    )


def _about_unseen(name: str, found: Counter[str], train: Counter[str]) -> Iterator[Finding]:
    unseen = Counter({label: count for label, count in found.items() if label not in train})
    if unseen and train:
        shown = ", ".join(f"`{label}` ({count:,})" for label, count in unseen.most_common(_SHOWN))
        yield Finding(
            "error",
            f"{name}: {unseen.total():,} labels never come in train: {shown}",
            "a model cannot say what it has not learnt; each of them counts as wrong",
            "check that both files spell their labels alike, add examples to train, or leave them "
            "out",
        )
