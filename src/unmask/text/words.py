"""How often each word of a text stands in it, as BERT's normaliser and splitter see words."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable

from tokenizers import Tokenizer as Backend

from unmask.text.normalise import replace_surrogates

logger = logging.getLogger(__name__)

_DROPPED = b"\x0b\x0c"
"""White space to `bytes.split`, but control characters, hence nothing at all, to BERT."""
_MOST_CHUNKS = 1_000_000
"""Distinct stretches between blanks held at once, before they are counted as words."""
_MOST_WORDS = 10_000_000
"""Distinct words held; each takes about 150 bytes."""


def count_words(texts: Iterable[str], backend: Backend, max_word_length: int) -> Counter[str]:
    """Counts the words of all texts, each text read once; longer words are left out.

    Exact: neither normaliser nor splitter looks past a blank or a line end, so it is enough to
    split each distinct stretch between them once, which is faster than letting `tokenizers` count
    (docs/decisions/0004). Memory grows with the distinct words, of which the rarest are forgotten
    beyond ten million; the log says so.
    """
    words: Counter[str] = Counter()
    chunks: Counter[bytes] = Counter()
    for text in texts:
        chunks.update(replace_surrogates(text).encode().translate(None, _DROPPED).split())
        if len(chunks) > _MOST_CHUNKS:
            _add_words(words, chunks, backend, max_word_length)
            chunks.clear()
    _add_words(words, chunks, backend, max_word_length)
    return words


def _add_words(
    words: Counter[str], chunks: Counter[bytes], backend: Backend, max_word_length: int
) -> None:
    normalise = backend.normalizer.normalize_str
    split = backend.pre_tokenizer.pre_tokenize_str
    for chunk, count in chunks.items():
        for word, _ in split(normalise(chunk.decode())):
            if len(word) <= max_word_length:
                words[word] += count
    if len(words) > _MOST_WORDS:
        least = drop_rarest(words, _MOST_WORDS)
        logger.warning(
            "more than %d distinct words: those counted up to %d times so far were forgotten",
            _MOST_WORDS,
            least,
        )


def drop_rarest(counts: Counter[str], most: int) -> int:
    """Drops the rarest until at most half of `most` are left; the highest count that was dropped.

    Lossy counting: calling it whenever there are too many bounds the memory, and what is frequent
    stays, though its count may miss what came before it was last dropped (Manku and Motwani 2002,
    "Approximate frequency counts over data streams").

    >>> counts = Counter(a=1, b=7, c=2, d=1)
    >>> drop_rarest(counts, 2), counts
    (2, Counter({'b': 7}))
    """
    least = 0
    while len(counts) > most // 2:
        least += 1
        for word in [word for word, count in counts.items() if count <= least]:
            del counts[word]
    return least
