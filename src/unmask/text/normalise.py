"""Raw text made safe for the tokenizer, without moving any character.

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
