"""The five tokens that mean something beyond text, and what a tokenizer calls them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields

from unmask.errors import DataError

_USUAL = {
    "pad": ("[PAD]", "<pad>"),
    "unk": ("[UNK]", "<unk>"),
    "cls": ("[CLS]", "<s>"),
    "sep": ("[SEP]", "</s>"),
    "mask": ("[MASK]", "<mask>"),
}
"""BERT's names and RoBERTa's; ALBERT and MPNet mix them."""
_INSTEAD = {"cls": "bos_token", "sep": "eos_token"}
"""The roles that enclose a text, where a tokenizer names no others."""


@dataclass(frozen=True)
class SpecialTokens:
    """The text of each special token; `mask` is None where the vocabulary has none."""

    pad: str = "[PAD]"
    unk: str = "[UNK]"
    cls: str = "[CLS]"
    sep: str = "[SEP]"
    mask: str | None = "[MASK]"

    def all(self) -> tuple[str, ...]:
        """The texts that are there, in the order of a fresh vocabulary."""
        texts = (self.pad, self.unk, self.cls, self.sep, self.mask)
        return tuple(text for text in texts if text is not None)

    @classmethod
    def from_settings(
        cls, settings: Mapping[str, object], place: str, vocabulary: Collection[str] = ()
    ) -> SpecialTokens:
        """Reads `pad_token`, `unk_token`, ... of a Hugging Face file.

        What it leaves open is the first of the usual names that the vocabulary has, then
        `bos_token` and `eos_token` for the two that enclose a text, then BERT's name.

        Raises:
            DataError: A name is neither a string nor an object with `content`.
        """
        names: dict[str, str] = {}
        for field in fields(cls):
            role = field.name
            usual = next((text for text in _USUAL[role] if text in vocabulary), None)
            named = _text(settings, f"{role}_token", place)
            instead = _text(settings, _INSTEAD[role], place) if role in _INSTEAD else None
            found = named or usual or instead
            if found is not None:
                names[role] = found
        return cls(**names)


ROBERTA = SpecialTokens("<pad>", "<unk>", "<s>", "</s>", "<mask>")
"""As RoBERTa, XLM-RoBERTa and most byte-level vocabularies call them."""
ALBERT = SpecialTokens("<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]")
"""As ALBERT calls them."""
MPNET = SpecialTokens("<pad>", "[UNK]", "<s>", "</s>", "<mask>")
"""As MPNet calls them."""


@dataclass(frozen=True)
class SpecialIds:
    """The id of each special token, 0..vocab_size-1; `mask` is None where there is none."""

    pad: int
    unk: int
    cls: int
    sep: int
    mask: int | None

    def all(self) -> frozenset[int]:
        """The ids that are there."""
        ids = (self.pad, self.unk, self.cls, self.sep, self.mask)
        return frozenset(i for i in ids if i is not None)

    @classmethod
    def of(cls, tokens: SpecialTokens, vocabulary: Mapping[str, int], place: str) -> SpecialIds:
        """Looks each special token up; a missing mask token is None.

        Raises:
            DataError: One of the other four is not in the vocabulary.
        """
        needed = (tokens.pad, tokens.unk, tokens.cls, tokens.sep)
        missing = [text for text in needed if text not in vocabulary]
        if missing:
            raise DataError(
                f"{place}: the vocabulary of {len(vocabulary)} entries lacks "
                f"{', '.join(f'`{text}`' for text in missing)}; an encoder needs padding, unknown, "
                "start and separator tokens. If they have other names, give them in "
                'tokenizer_config.json ("unk_token": ...).'
            )
        mask = None if tokens.mask is None else vocabulary.get(tokens.mask)
        pad, unk, start, separator = (vocabulary[text] for text in needed)
        return cls(pad, unk, start, separator, mask)


def _text(settings: Mapping[str, object], key: str, place: str) -> str | None:
    value = settings.get(key)
    if isinstance(value, Mapping):
        value = value.get("content")
    if value is None or (isinstance(value, str) and value):
        return value
    raise DataError(
        f"{place}: `{key}` is {value!r:.80}; expected the token's text, or an object with "
        "`content`."
    )
