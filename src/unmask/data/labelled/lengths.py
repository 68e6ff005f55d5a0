"""Findings about tokens: texts longer than the model reads at once, and unknown ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from unmask.data.finding import Finding
from unmask.data.labelled.examples import Example
from unmask.data.labelled.overlap import parts
from unmask.text.tokenizer import Tokenizer

_MOST_EXAMPLES = 10_000
_MOST_CHARACTERS = 2**24
"""Bounds of the sample that is encoded, for time."""
_LONGEST = 8
"""Of the examples with most characters, so many are looked at too."""
_OFTEN = 0.01
_UNKNOWN_RATE = 0.01


def about(
    name: str, examples: Sequence[Example], tokenizer: Tokenizer, limit: int | None
) -> Iterator[Finding]:
    """Findings about one split; `limit` is tokens, `[CLS]` and `[SEP]` included."""
    sample, longest = _sample(examples)
    lengths, unknown, total = _count(sample, tokenizer)
    of_longest, _, _ = _count(longest, tokenizer)
    most = int(max(lengths.max(), of_longest.max()))
    told = "" if len(sample) == len(examples) else f" (of {len(sample):,} looked at)"
    if limit is not None:
        share = float((lengths > limit).mean())
        if most > limit:
            yield Finding(
                "warning" if share > _OFTEN else "note",
                f"{name}: {share:.1%} of the examples{told} are longer than the {limit} tokens "
                f"that the model reads at once; the longest has {most:,}",
                "they are read in several windows, which takes longer",
                "set the windows by --max-length and --stride, take a model that reads more at "
                "once, or shorten the texts",
            )
        else:
            yield Finding(
                "note",
                f"{name}: the longest example has {most:,} tokens of {limit}, half have at most "
                f"{np.median(lengths):.0f}{told}",
                "none is cut",
                "leave --max-length as it is",
            )
    if total and unknown / total > _UNKNOWN_RATE:
        yield Finding(
            "warning",
            f"{name}: {unknown / total:.1%} of the tokens{told} are unknown "
            f"({tokenizer.special_tokens.unk})",
            "what they stood for is lost: the model cannot read it",
            "take a model whose vocabulary knows this language and these signs, or check the "
            "file's encoding",
        )


def _sample(examples: Sequence[Example]) -> tuple[list[Example], list[Example]]:
    """Examples evenly spread over all, at least one, and those with most characters."""
    sizes = np.array([sum(map(len, parts(example))) for example in examples])
    number = min(len(examples), _MOST_EXAMPLES)
    spread = np.unique(np.linspace(0, len(examples) - 1, number).astype(np.int64))
    fit = int(_MOST_CHARACTERS / max(1.0, float(sizes[spread].mean())))
    if fit < len(spread):
        spread = spread[np.linspace(0, len(spread) - 1, max(1, fit)).astype(np.int64)]
    longest = np.argsort(-sizes, kind="stable")[:_LONGEST]
    sizes_left = np.cumsum(sizes[longest]) <= _MOST_CHARACTERS
    sizes_left[0] = True
    chosen = longest[sizes_left]
    return [examples[i] for i in spread], [examples[i] for i in chosen]


def _count(
    examples: Sequence[Example], tokenizer: Tokenizer
) -> tuple[npt.NDArray[np.int64], int, int]:
    """Tokens of each example, specials included; of the texts the unknown ones, and all."""
    places: dict[str, int] = {}
    for example in examples:
        for part in parts(example):
            places.setdefault(part, len(places))  # questions share their contexts
    ids, sizes = tokenizer.encode_bulk(list(places))
    ends = np.cumsum(sizes)
    before = np.concatenate([[0], np.cumsum(ids == tokenizer.special.unk)])
    unknown = before[ends] - before[ends - sizes]
    lengths: list[int] = []
    num_unknown = num_tokens = 0
    for example in examples:
        texts = [places[part] for part in parts(example)]
        num_parts = int(sizes[texts].sum())
        num_tokens += num_parts
        num_unknown += int(unknown[texts].sum())
        lengths.append(num_parts + len(texts) + 1)
    return np.array(lengths), num_unknown, num_tokens
