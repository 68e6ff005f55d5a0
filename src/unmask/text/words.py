"""How often each word of a text stands in it, as BERT's normaliser and splitter see words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from tokenizers import Tokenizer as Backend

from unmask.text.normalise import replace_surrogates

_DROPPED = b"\x0b\x0c"
"""White space to `bytes.split`, but control characters, hence nothing at all, to BERT."""
_MOST_CHUNKS = 1_000_000
"""Distinct stretches between blanks held at once, before they are counted as words."""


def count_words(texts: Iterable[str], backend: Backend, max_word_length: int) -> Counter[str]:
    """Counts the words of all texts, each text read once; longer words are left out.

    Exact: neither normaliser nor splitter looks past a blank or a line end, so it is enough to
    split each distinct stretch between them once. Faster than letting `tokenizers` count, too
    (training on 18 MB of novels takes 2.8 s instead of 3.8 s on two cores).
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
