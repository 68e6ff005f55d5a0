"""Raw text made safe for the tokenizer without moving any character, and decoded text made neat.

What BERT's own normaliser does afterwards, in `tokenizers`: it drops NUL, U+FFFD and control
characters, turns every white space into a blank, sets blanks around CJK ideographs, and, if
asked, lower-cases and strips accents (google-research/bert, `tokenization.BasicTokenizer`).
"""

from __future__ import annotations

import re

_SURROGATE = re.compile("[\ud800-\udfff]")


def replace_surrogates(text: str) -> str:
    """The text with each lone surrogate replaced by U+FFFD, so that offsets stay as they are.

    Python strings may hold them (a JSON escape cut in half), UTF-8 and `tokenizers` cannot.

    >>> replace_surrogates("a\\ud800b")
    'a�b'
    """
    if text.isascii():
        return text
    try:
        text.encode()  # about ten times quicker than the search on clean text
    except UnicodeEncodeError:
        return _SURROGATE.sub("\ufffd", text)
    return text


_CLOSED_SPACES = (
    *((f" {mark}", mark) for mark in ".?!,"),
    (" ' ", "'"),
    *((f" {ending}", ending) for ending in ("n't", "'m", "'s", "'ve", "'re")),
)
"""In the order of transformers' `clean_up_tokenization`, which matters."""


def close_spaces(text: str) -> str:
    """Joins "don ' t" to "don't", as transformers does after decoding where a file asks for it.

    >>> close_spaces("it 's me !")
    "it's me!"
    """
    for apart, joined in _CLOSED_SPACES:
        text = text.replace(apart, joined)
    return text
