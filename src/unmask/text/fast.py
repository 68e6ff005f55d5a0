"""Bulk encoding by `tokie`, for texts where its ids are proven equal to those of `tokenizers`.

Both normalise and split character by character, so equality on every character of a set, seen
in contexts that tell words, blanks, punctuation and over-long words apart, carries over to all
texts over that set. tests/text/test_fast.py shows the former for each character and fuzzes the
latter. Not in the set: U+007F, private, unassigned and lately assigned characters (the two
libraries know different versions of Unicode), and scripts not looked at yet.
"""

from __future__ import annotations

import json
import logging
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer as Backend

try:
    import tokie
except ImportError:  # the extra `fast` only changes speed
    tokie = None  # type: ignore[assignment]

logger = logging.getLogger(__name__)

COVERED_RANGES = (
    (0x0000, 0x007E),  # ASCII
    (0x00A0, 0x036F),  # Latin, phonetic and modifier letters, combining marks
    (0x0370, 0x0377),  # Greek ...
    (0x0384, 0x038A),
    (0x038C, 0x038C),
    (0x038E, 0x03A1),
    (0x03A3, 0x03FF),
    (0x0400, 0x0527),  # Cyrillic
    (0x1E00, 0x1EFF),  # Latin with two marks, as in Vietnamese
    (0x2000, 0x2064),  # typographic punctuation and blanks
    (0x2070, 0x2071),  # super- and subscripts ...
    (0x2074, 0x208E),
    (0x20A0, 0x20BA),  # currencies
    (0x2100, 0x2189),  # letter-like symbols, fractions, Roman numerals
    (0x2190, 0x23F3),  # arrows, mathematics, technical symbols
    (0x2460, 0x26FF),  # circled numbers, boxes, shapes, symbols
    (0x2701, 0x27BF),  # dingbats
    (0x3000, 0x3029),  # CJK punctuation ...
    (0x3030, 0x303F),
    (0x3041, 0x3096),  # Hiragana
    (0x3099, 0x30FF),  # Katakana
    (0x3400, 0x4DB5),  # CJK ideographs ...
    (0x4E00, 0x9FCB),
    (0xAC00, 0xD7A3),  # Hangul syllables
    (0xFB00, 0xFB06),  # Latin ligatures
    (0xFE0E, 0xFE0F),  # text and emoji presentation
    (0xFEFF, 0xFEFF),  # byte order mark
    (0xFF01, 0xFFBE),  # full-width and half-width forms
    (0xFFFD, 0xFFFD),  # replacement character
    (0x1F300, 0x1F320),  # emoji ...
    (0x1F330, 0x1F335),
    (0x1F337, 0x1F37C),
    (0x1F380, 0x1F393),
    (0x1F3A0, 0x1F3C4),
    (0x1F3C6, 0x1F3CA),
    (0x1F3E0, 0x1F3F0),
    (0x1F400, 0x1F43E),
    (0x1F440, 0x1F440),
    (0x1F442, 0x1F4F7),
    (0x1F4F9, 0x1F4FC),
    (0x1F500, 0x1F53D),
    (0x1F550, 0x1F567),
    (0x1F5FB, 0x1F640),
    (0x1F645, 0x1F64F),
    (0x1F680, 0x1F6C5),
)
"""First and last code point of each stretch in which `tokie` equals `tokenizers`."""

_LONGEST_WORD = 4096
"""Characters; the comparison writes words of the limit out, which a file may set to anything."""

_OUTSIDE = re.compile(
    "[^" + "".join(f"\\U{first:08x}-\\U{last:08x}" for first, last in COVERED_RANGES) + "]"
)
_ASCII = bytes(range(0x7F))


class Encoder:
    """Encodes texts that `covers` accepts, without special tokens."""

    def __init__(self, engine: Any) -> None:
        """Takes a `tokie.Tokenizer` that knows no added tokens, so that `[SEP]` is text."""
        self._engine = engine

    @staticmethod
    def covers(text: str) -> bool:
        """Whether the ids of this text are proven equal; costs far less than encoding it."""
        if text.isascii():
            return "\x7f" not in text
        try:
            rest = text.encode().translate(None, _ASCII)  # four times quicker than searching all
        except UnicodeEncodeError:  # a lone surrogate
            return False
        return _OUTSIDE.search(rest.decode()) is None

    def encode(self, texts: Sequence[str]) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.int64]]:
        """The ids of the texts end to end (N,), and the length of each text.

        Uses as many threads as the process may use cores (`os.sched_setaffinity` bounds them).
        """
        if not texts:
            return np.zeros(0, dtype=np.uint32), np.zeros(0, dtype=np.int64)
        ids, lengths = self._engine.encode_batch_flat(list(texts), add_special_tokens=False)
        return ids, lengths.astype(np.int64)


def build(backend: Backend) -> Encoder | None:
    """The fast path, or None: `tokie` is not installed, or this tokenizer is not one we proved."""
    if tokie is None:
        return None
    parts = json.loads(backend.to_str())
    if not _is_proven(parts):
        return None
    parts |= {"added_tokens": [], "post_processor": None, "truncation": None, "padding": None}
    try:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "tokenizer.json"
            file.write_text(json.dumps(parts, ensure_ascii=False), encoding="utf-8")
            encoder = Encoder(tokie.Tokenizer.from_json(str(file)))
    except (tokie.TokieError, OSError) as error:  # also no room for a temporary file
        logger.warning("tokie cannot read this tokenizer (%s): encoding will be slower", error)
        return None
    if not _agrees(encoder, backend):
        logger.warning("this tokie gives other ids than tokenizers: encoding will be slower")
        return None
    return encoder


def _is_proven(parts: dict[str, Any]) -> bool:
    """Whether it is BERT's WordPiece in a setting that the tests compare."""
    normalizer = dict(parts["normalizer"] or {})
    lowercase = normalizer.get("lowercase")
    # tokie strips accents exactly when it lower-cases, whatever strip_accents says
    strips_as_lowercase = normalizer.pop("strip_accents", None) in (None, lowercase)
    model = parts["model"]
    return bool(
        strips_as_lowercase
        and normalizer
        == {
            "type": "BertNormalizer",
            "clean_text": True,
            "handle_chinese_chars": True,
            "lowercase": lowercase,
        }
        and parts["pre_tokenizer"] == {"type": "BertPreTokenizer"}
        and model["continuing_subword_prefix"] == "##"
        and model["max_input_chars_per_word"] <= _LONGEST_WORD
        and "" not in model["vocab"]
        and all(token["special"] for token in parts["added_tokens"])
    )


def _agrees(encoder: Encoder, backend: Backend) -> bool:
    """Compares on each covered character once: a later `tokie` may know another Unicode."""
    characters = [chr(i) for first, last in COVERED_RANGES for i in range(first, last + 1)]
    limit = backend.model.max_input_chars_per_word
    texts = [
        # In parts, since an encoding by `tokenizers` takes hundreds of bytes a token.
        *(" ".join(characters[i : i + 2048]) for i in range(0, len(characters), 2048)),
        "a" * limit + " " + "a" * (limit + 1),
        "a[SEP]b",
        "\u00e9A\u0301",
    ]
    ids, _ = encoder.encode(texts)
    expected = [i for text in texts for i in backend.encode(text, add_special_tokens=False).ids]
    return list(ids.tolist()) == expected
