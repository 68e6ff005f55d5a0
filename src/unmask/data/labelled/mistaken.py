"""Findings about files read as what they hardly are: texts as words, or words as texts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice, pairwise

from unmask.data.finding import Finding
from unmask.data.labelled.examples import Example, TaggedExample, TextExample

_LOOKED_AT = 20_000
"""Examples at a file's beginning."""
_SPACES = 3
"""A word with so many is none: numbers such as `10 000 000` have fewer."""
_SHARE_OF_TEXTS = 0.05
"""Share of such words from which a file is taken for one of texts."""
_LONG_SENTENCE = 100
"""Words that a file's only sentence has where blank lines were forgotten."""
_SHARE_OF_WORDS = 0.95
"""Share of texts without a space from which a file is taken for one of words."""
_FEW = 20
"""Texts below which their lengths say nothing."""
_SHARE_OF_GAPS = 0.01
"""Of the texts, those after a blank line; sentences are shorter than a hundred words."""
_SHOWN = 60


def about(splits: Mapping[str, Sequence[Example]]) -> Iterator[Finding]:
    """Findings about each split, none of them empty."""
    for name, examples in splits.items():
        if isinstance(examples[0], TaggedExample):
            yield from _about_tagged(name, examples)
        elif isinstance(examples[0], TextExample):
            yield from _about_texts(name, examples)


def _about_tagged(name: str, examples: Sequence[Example]) -> Iterator[Finding]:
    tagged = [e for e in islice(examples, _LOOKED_AT) if isinstance(e, TaggedExample)]
    words = [example.text[start:end] for example in tagged for start, end in example.words]
    texts = [word for word in words if word.count(" ") >= _SPACES]
    if len(texts) > _SHARE_OF_TEXTS * len(words):
        longer = "..." if len(texts[0]) > _SHOWN else ""
        yield Finding(
            "warning",
            f"{name}: {len(texts):,} of {len(words):,} words are whole texts, first "
            f'"{texts[0][:_SHOWN]}{longer}"',
            "each of them is tagged as if it were one word, so that nothing of use is learnt",
            "texts with a label each are for classification (--task classification, `unmask "
            "finetune classification`); for tags write a word a line, with a blank line after "
            "each sentence",
        )
    elif len(tagged) == 1 and len(words) >= _LONG_SENTENCE:
        yield Finding(
            "warning",
            f"{name}: all {len(words):,} words are one sentence, for no line between them is blank",
            "one example can be neither divided nor shuffled",
            "write a blank line after each sentence",
        )


def _about_texts(name: str, examples: Sequence[Example]) -> Iterator[Finding]:
    texts = [e for e in islice(examples, _LOOKED_AT) if isinstance(e, TextExample)]
    single = sum(e.text_pair is None and " " not in e.text.strip() for e in texts)
    lines = [int(line) for e in texts if (line := e.place.rpartition(":")[2]).isdecimal()]
    gaps = sum(after > before + 1 for before, after in pairwise(lines))
    is_words = len(texts) >= _FEW and single >= _SHARE_OF_WORDS * len(texts)
    if is_words and gaps >= max(1, _SHARE_OF_GAPS * len(texts)):
        yield Finding(
            "warning",
            f"{name}: {single:,} of the first {len(texts):,} texts are single words, and lines are "
            f"left out between them, as blank ones are ({gaps:,} times): this looks like a file "
            "of tagged words in CoNLL's columns",
            "each word is learnt by itself, without the sentence that tells its tag",
            "read it as what it is: --task tagging, `unmask finetune tagging`",
        )
