"""Findings about answers that are not where they should be, and tags that break their scheme."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

import numpy as np

from unmask.data.finding import Finding
from unmask.data.labelled.balance import Splits
from unmask.data.labelled.examples import Example, QuestionExample, TaggedExample
from unmask.data.labelled.tags import detect_scheme, illegal, legal_transitions
from unmask.errors import DataError

_SEQUENCES = 20_000
"""Sentences whose tags tell the scheme."""
_SHOWN = 3

Step = tuple[str | None, str | None]
"""A tag and the one after it; None is before the first and after the last."""


def about(splits: Splits) -> Iterator[Finding]:
    """Findings about each split, and about splits that do not go together."""
    schemes: dict[str, str] = {}
    for name, examples in splits.items():
        yield from _about_answers(name, examples)
        sentences = [
            example
            for example in examples
            if isinstance(example, TaggedExample) and example.tags is not None
        ]
        if not sentences:
            continue
        try:
            tags = (example.tags for example in islice(sentences, _SEQUENCES))
            schemes[name] = detect_scheme(found for found in tags if found is not None)
        except DataError as error:
            yield Finding(
                "error",
                f"{name}: {error}",
                "it cannot be told where a span begins and ends",
                "mend the tags, or name the column that holds them (--data.columns.tags)",
            )
            continue
        yield from _about_tags(name, sentences, schemes[name])
    yield from _about_schemes(schemes)


def _about_answers(name: str, examples: Sequence[Example]) -> Iterator[Finding]:
    wrong = [
        example
        for example in examples
        if isinstance(example, QuestionExample)
        and any(
            answer.start < 0 or not example.context.startswith(answer.text, answer.start)
            for answer in example.answers
        )
    ]
    if wrong:
        places = ", ".join(example.place for example in wrong[:_SHOWN])
        yield Finding(
            "error",
            f"{name}: {len(wrong):,} questions have an answer that is not where it should be "
            f"({places})",
            "a model would learn to point at other words",
            "correct `start`, counted in characters from 0, or read the file with read_questions, "
            "which realigns what is unique",
        )


def _about_tags(name: str, sentences: Sequence[TaggedExample], scheme: str) -> Iterator[Finding]:
    if scheme == "plain":
        return
    legal = _legal_steps(sentences, scheme)
    wrong = []
    for example in sentences:
        tags = example.tags or ()
        if not legal.issuperset(zip((None, *tags), (*tags, None), strict=True)):
            wrong.append(example)
    if wrong:
        first = wrong[0]
        index, reason = illegal(first.tags or (), scheme)[0]
        start, end = first.words[index]
        yield Finding(
            "warning",
            f"{name}: {len(wrong):,} of {len(sentences):,} sentences have tags that {scheme} does "
            f'not allow; first {first.place}, word {index + 1} ("{first.text[start:end]}"): '
            f"{reason}",
            "strict span F1 does not count such spans, the usual one reads them as well as it can",
            "mend the tags, or fine-tune by the --scheme that they are in (plain takes any tag as "
            "it is)",
        )


def _legal_steps(sentences: Sequence[TaggedExample], scheme: str) -> set[Step]:
    """The steps that the scheme allows among the tags that there are.

    Tags may be millions, but of few kinds: so only each kind of step is judged.
    """
    tags = sorted({tag for example in sentences for tag in example.tags or ()})
    tags = [tag for tag in tags if _is_tag(tag, scheme)]
    first, transitions, last = legal_transitions(tags, scheme)
    steps: set[Step] = {(None, tags[i]) for i in np.flatnonzero(first)}
    steps |= {(tags[i], None) for i in np.flatnonzero(last)}
    return steps | {(tags[i], tags[j]) for i, j in np.argwhere(transitions)}


def _is_tag(tag: str, scheme: str) -> bool:
    try:
        legal_transitions([tag], scheme)
    except DataError:
        return False
    return True


def _about_schemes(schemes: dict[str, str]) -> Iterator[Finding]:
    if len(set(schemes.values())) > 1:
        told = ", ".join(f"{name} {scheme}" for name, scheme in schemes.items())
        yield Finding(
            "warning",
            f"the splits' tags follow different schemes: {told}",
            "a model that learnt one is measured by another",
            "write all files in the scheme of train, as `unmask.data.labelled.tags.convert` does "
            "in Python",
        )
