"""Examines labelled examples: what will hurt a model that learns from them, and what to do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from unmask.data.finding import Finding
from unmask.data.labelled import balance, lengths, mistaken, overlap, structure
from unmask.data.labelled.examples import Example
from unmask.data.rejects import Rejects
from unmask.text.tokenizer import Tokenizer

_ORDER = {"error": 0, "warning": 1, "note": 2}


def examine(
    train: Sequence[Example],
    others: Mapping[str, Sequence[Example]],
    tokenizer: Tokenizer | None = None,
    max_length: int | None = None,
) -> list[Finding]:
    """Findings about a training set and the others (validation, test) by name, errors first.

    All examples are of one kind. `max_length` is the tokens that the model reads at once; without
    it the tokenizer's limit counts, and without a tokenizer nothing is said about tokens. Labels,
    repeats and structure are looked at in all examples, tokens in a sample.
    """
    splits = {"train": train, **others}
    empty = [name for name, examples in splits.items() if not examples]
    findings = [
        Finding(
            "error",
            f"{name}: no examples",
            "there is nothing to learn from or to measure on",
            "check the file and the columns that were read",
        )
        for name in empty
    ]
    present = {name: examples for name, examples in splits.items() if examples}
    limit = max_length or (tokenizer.model_max_length if tokenizer is not None else None)
    findings += mistaken.about(present)
    findings += balance.about(present)
    findings += overlap.about(present)
    findings += structure.about(present)
    if tokenizer is not None:
        for name, examples in present.items():
            findings += lengths.about(name, examples, tokenizer, limit)
    return in_order(findings)


def examine_reading(name: str, rejects: Rejects, max_reject_rate: float) -> list[Finding]:
    """Findings about how a file was read: what was rejected, left out or mended, and how often.

    More rejects than the rate allows are errors, for a run would stop at them.
    """
    return in_order(_about_reading(name, rejects, max_reject_rate))


def in_order(findings: Iterator[Finding] | list[Finding]) -> list[Finding]:
    """Errors first, then warnings, then notes."""
    return sorted(findings, key=lambda finding: _ORDER[finding.severity])


def _about_reading(name: str, rejects: Rejects, max_reject_rate: float) -> Iterator[Finding]:
    stops = rejects.exceed(max_reject_rate)
    why = "they are neither learnt nor measured"
    fix = "repair them in the file, or set the columns and labels so that they can be read"
    if stops:
        why = (
            f"a run stops at them: {len(rejects):,} in all, more than --data.max-reject-rate "
            f"{max_reject_rate:g} allows"
        )
        fix += "; --data.max-reject-rate goes on without them"
    for reason, count in rejects.reasons.most_common():
        first = rejects.first_of[reason]
        yield Finding(
            "error" if stops else "warning",
            f"{name}: {count:,} of {rejects.num_records:,} records cannot be read "
            f"({reason}; first {first.place}: {first.reason})",
            why,
            fix,
        )
    for note, count in rejects.notes.most_common():
        yield Finding(
            "note",
            f"{name}: {count:,} examples {note}",
            "the figures are about the others, or about the mended ones",
            "leave it if that is what you want, otherwise change the file or the setting",
        )
