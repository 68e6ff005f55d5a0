"""Which tags a data set has, by what scheme, and their numbers."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from unmask.data.labelled.examples import TaggedExample
from unmask.data.labelled.grammar import OUTSIDE, PREFIXES, UNNAMED, Tag, parsed
from unmask.data.labelled.tags import detect_scheme, illegal
from unmask.errors import DataError
from unmask.tasks.targets.labels import number_of

logger = logging.getLogger(__name__)


def given_tags(example: TaggedExample) -> tuple[str, ...]:
    """The example's tags.

    Raises:
        DataError: It has none.
    """
    if example.tags is None:
        raise DataError(f"{example.place}: the words have no tags.")
    return example.tags


def scheme_of(examples: Sequence[TaggedExample]) -> str:
    """The scheme that these examples are tagged by, see `tags.detect_scheme`.

    Raises:
        DataError: Untagged examples, or tags of no scheme.
    """
    sequences = [given_tags(example) for example in examples]
    try:
        return detect_scheme(sequences)
    except DataError as error:
        odd = (e for e in examples if any(not parsed(tag, "bioes") for tag in given_tags(e)))
        place = next(odd, examples[0]).place
        raise DataError(f"{place}: {error} The flag is --scheme.") from error


def scheme_of_labels(labels: Sequence[str]) -> str:
    """The scheme of a model's labels, as far as they tell; IOB1 has fewer `B-` than `I-`."""
    try:
        return detect_scheme([[label] for label in labels])
    except DataError:
        return "plain"


def labels_of(examples: Sequence[TaggedExample], scheme: str) -> tuple[str, ...]:
    """The labels of a model for these examples: `O` first, then by the alphabet.

    In a scheme with spans, each kind of span has all its tags, in the order B, I, E, S, whether
    they occur or not, so that small training sets know them all; BILOU's become BIOES's.

    Raises:
        DataError: A tag that the scheme does not have, or only one tag.
    """
    places: dict[str, str] = {}
    for example in examples:
        for tag in given_tags(example):
            places.setdefault(tag, example.place)
    if len(places) < 2:
        raise DataError(
            f"{examples[0].place}: all words of all {len(examples)} examples have the same tag "
            f"({', '.join(places) or 'there are no words'}); expected at least two to tell apart."
        )
    if scheme == "plain":
        return tuple(sorted(places, key=lambda tag: (tag != "O", tag)))
    kinds = sorted({_read(text, scheme, place).label for text, place in places.items()} - {""})
    prefixes = [prefix for prefix in "BIES" if prefix in PREFIXES[scheme]]
    return ("O", *(_written(prefix, kind) for kind in kinds for prefix in prefixes))


def warn_of_illegal(examples: Sequence[TaggedExample], scheme: str) -> None:
    """Says once how many sentences break their scheme."""
    broken = [example for example in examples if illegal(given_tags(example), scheme)]
    if not broken:
        return
    example = broken[0]
    number, reason = illegal(given_tags(example), scheme)[0]
    logger.warning(
        "%s: word %d, %s, which %s does not have (%d of %d sentences have such). They are trained "
        "on as they are; `unmask doctor` lists them.",
        example.place,
        number + 1,
        reason,
        scheme,
        len(broken),
        len(examples),
    )


def tag_numbers(
    example: TaggedExample, numbers: Mapping[str, int], scheme: str
) -> NDArray[np.int64]:
    """(W,) which label each word has; `numbers` are those of the labels, in order.

    Raises:
        DataError: It has no tags, or one that is none of the labels.
    """
    tags = spelled(given_tags(example), scheme)
    try:
        return np.array([numbers[tag] for tag in tags], dtype=np.int64)
    except KeyError as error:
        number_of(list(numbers), str(error.args[0]), example.place)
        raise


def continuations(labels: Sequence[str], scheme: str) -> NDArray[np.int64]:
    """(K,) the label of a word's later pieces, given its first's: `I-X` after `B-X`, if there is.

    As transformers' `run_ner.py` does with `--label_all_tokens`. Plain tags go on as they are.
    """
    if scheme == "plain":
        return np.arange(len(labels))
    numbers = {label: i for i, label in enumerate(labels)}
    inner = [f"I{label[1:]}" if label[:2] in ("B", "B-") else label for label in labels]
    return np.array([numbers.get(tag, i) for i, tag in enumerate(inner)], dtype=np.int64)


def spelled(tags: Sequence[str], scheme: str) -> list[str]:
    """The tags in BIOES's letters where they have BILOU's; what is no tag stays as it is.

    >>> spelled(["B-PER", "L-PER", "U-LOC", "O"], "bioes")
    ['B-PER', 'E-PER', 'S-LOC', 'O']
    """
    if scheme != "bioes":
        return list(tags)
    read = [(text, parsed(text, scheme)) for text in tags]
    return [text if tag in (None, OUTSIDE) else _written(*tag) for text, tag in read]


def _read(text: str, scheme: str, place: str) -> Tag:
    tag = parsed(text, scheme)
    if tag is None or tag.prefix not in PREFIXES[scheme]:
        raise DataError(
            f"{place}: `{text}` is no tag of {scheme}; expected O or "
            f"{', '.join(f'{prefix}-...' for prefix in PREFIXES[scheme] if prefix != 'O')}. Mend "
            "it, or set another by --scheme (plain takes any tag)."
        )
    return tag


def _written(prefix: str, kind: str) -> str:
    return prefix if kind == UNNAMED else f"{prefix}-{kind}"
