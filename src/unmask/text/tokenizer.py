"""Text to token ids and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer as Backend

from unmask.errors import DataError
from unmask.text import folder, saving
from unmask.text.bulk import BulkEncoder
from unmask.text.enclosing import mark_special
from unmask.text.fingerprint import fingerprint
from unmask.text.kinds import Kind, continuations, kind_of, lowercases, needs_blank
from unmask.text.layout import Layout, read_layout
from unmask.text.normalise import close_spaces, replace_surrogates
from unmask.text.reading import MaskReader, plain
from unmask.text.special import SpecialIds, SpecialTokens


@dataclass(frozen=True)
class Encoded:
    """One text's tokens, and where each stands in it; all three have the same length."""

    ids: list[int]
    offsets: list[tuple[int, int]]
    """First and past-the-last code point of the token in the original text."""
    word_ids: list[int | None]
    """Which word, counted from 0, each token is part of."""


class Tokenizer:
    """A WordPiece, byte-level BPE or Unigram tokenizer, of Hugging Face's files.

    Special tokens that stand in a text are text like any other, so that no user can type a
    separator; `encode_with_mask` alone reads the mask token.
    """

    def __init__(
        self,
        backend: Backend,
        special: SpecialTokens,
        model_max_length: int | None = None,
        place: str = "tokenizer",
        closes_spaces: bool = False,
    ) -> None:
        """Takes over the backend: truncation and padding are switched off on it.

        `closes_spaces` makes `decode` join "don ' t" to "don't", as transformers does where
        tokenizer_config.json sets `clean_up_tokenization_spaces`.

        Raises:
            DataError: A kind that no encoder here comes with, a vocabulary that lacks a special
                token other than the mask, or special tokens that do not enclose texts.
        """
        kind = kind_of(backend)
        if kind is None:
            raise DataError(
                f"{place}: the model is `{type(backend.model).__name__}`; expected WordPiece, "
                "byte-level BPE or Unigram, the kinds that encoders come with."
            )
        self.kind: Kind = kind
        backend.no_truncation()
        backend.no_padding()
        self.backend = backend
        self.special = SpecialIds.of(special, backend.get_vocab(), place)
        if self.special.mask is None:
            special = replace(special, mask=None)
        self.special_tokens = special
        self.model_max_length = model_max_length
        self.place = place
        self.closes_spaces = closes_spaces
        mark_special(backend, special, self.special)
        self.layout: Layout = read_layout(backend, place)
        """What stands around one text and around two."""
        backend.encode_special_tokens = True  # True: as text, not as the token

    @classmethod
    def load(cls, path: Path | str) -> Tokenizer:
        """Reads a folder, or one of its files: tokenizer.json, vocab.txt, vocab.json, *.model.

        Raises:
            DataError: Nothing there, broken, of another kind, or without the special tokens.
        """
        stored = folder.read(Path(path))
        return cls(
            stored.backend,
            stored.special,
            stored.model_max_length,
            stored.place,
            stored.closes_spaces,
        )

    def with_max_length(self, tokens: int) -> Tokenizer:
        """The same tokenizer for a model that reads at most this many tokens."""
        longest = min(tokens, self.model_max_length or tokens)
        return Tokenizer(self.backend, self.special_tokens, longest, self.place, self.closes_spaces)

    def save(self, path: Path | str, *, reads_segments: bool | None = None) -> None:
        """Writes the files that `load` and transformers' AutoTokenizer read, equal ids in both.

        `reads_segments` is whether the model beside them tells two texts apart by `token_type_ids`,
        which transformers' classes else give or leave out by their own habit.
        """
        saving.write(
            Path(path),
            self.backend,
            self.special_tokens,
            self.model_max_length,
            self.layout == Layout.bert(self.special.cls, self.special.sep),
            closes_spaces=self.closes_spaces,
            reads_segments=reads_segments,
        )

    @property
    def vocab_size(self) -> int:
        """V, special tokens included."""
        return self.backend.get_vocab_size(with_added_tokens=True)

    @property
    def mask_token(self) -> str:
        """The mask token's text; see `require_mask` for its id."""
        self.require_mask()
        assert self.special_tokens.mask is not None
        return self.special_tokens.mask

    def require_mask(self) -> int:
        """The mask token's id.

        Raises:
            DataError: The vocabulary has no mask token.
        """
        if self.special.mask is None:
            raise DataError(
                f"{self.place}: the vocabulary has no mask token (`{SpecialTokens().mask}`, or "
                "`mask_token` in tokenizer_config.json), which masked language modelling and "
                "filling blanks need. Use a tokenizer that has one, or train one with "
                "`unmask tokenizer`."
            )
        return self.special.mask

    @property
    def lowercase(self) -> bool:
        """Whether text is lower-cased before it is split."""
        return lowercases(self.backend)

    @cached_property
    def sha256(self) -> str:
        """A hash of all that decides the ids; the same after saving and loading."""
        usual = Layout.bert(self.special.cls, self.special.sep)
        layout = None if self.layout == usual else self.layout
        return fingerprint(self.backend, self.special_tokens.all(), layout)

    @cached_property
    def is_continuation(self) -> npt.NDArray[np.bool_]:
        """(V,) bool, True for pieces that continue a word ("##...", or those without "Ġ", "▁")."""
        return continuations(self.backend, self.vocab_size) & ~self.is_special

    @cached_property
    def is_special(self) -> npt.NDArray[np.bool_]:
        """(V,) bool, True for the five special tokens and any others marked special."""
        flags = np.zeros(self.vocab_size, dtype=np.bool_)
        flags[list(self.special.all())] = True
        for i, token in self.backend.get_added_tokens_decoder().items():
            flags[i] |= token.special
        return flags

    def encode(self, text: str) -> list[int]:
        """One text's ids, without those around it; special tokens in it stay text."""
        encoding = self._reader.encode(replace_surrogates(text), add_special_tokens=False)
        return list(encoding.ids)

    def encode_with_mask(self, text: str) -> list[int]:
        """As `encode`, but the mask token written out in the text becomes the mask id.

        Raises:
            DataError: The vocabulary has no mask token.
        """
        self.require_mask()
        if self.mask_token not in text:
            return self.encode(text)
        return self._mask_reader.encode(text)

    def encode_with_offsets(self, text: str) -> Encoded:
        """As `encode`, with each token's place in the original text, in code points."""
        return self.encode_many_with_offsets([text])[0]

    def encode_many_with_offsets(self, texts: Sequence[str]) -> list[Encoded]:
        """The same of many texts."""
        safe = [replace_surrogates(text) for text in texts]
        encodings = self._reader.encode_batch(safe, add_special_tokens=False)
        return [Encoded(each.ids, each.offsets, each.word_ids) for each in encodings]

    def encode_words(
        self, words: Sequence[str]
    ) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.int64]]:
        """As `encode_bulk`, each word as it is inside a text, after a blank.

        So does transformers with `is_split_into_words=True`, which refuses byte-level BPE without
        `add_prefix_space`; there the blank is set here.
        """
        blank = " " if needs_blank(self.backend) else ""
        return self.encode_bulk([blank + word for word in words] if blank else words)

    def encode_bulk(
        self, texts: Sequence[str]
    ) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.int64]]:
        """The ids of many texts end to end, as `encode` gives them, and each text's length.

        What the fast path covers goes there (see `fast.py`), the rest to `tokenizers`.

        Returns:
            ids (N,) uint32 and lengths (len(texts),) int64, N the sum of the lengths.
        """
        return self._bulk.encode(texts)

    def decode(self, ids: Sequence[int], skip_special_tokens: bool = True) -> str:
        """The text of token ids, as transformers' `decode` writes it."""
        text = self.backend.decode(list(ids), skip_special_tokens=skip_special_tokens)
        return close_spaces(text) if self.closes_spaces else text

    def id_to_token(self, i: int) -> str:
        """The token of an id in 0..vocab_size-1."""
        token = self.backend.id_to_token(i) if i >= 0 else None
        if token is None:
            raise IndexError(f"token id {i} is outside 0..{self.vocab_size - 1}")
        return token

    def token_to_id(self, token: str) -> int | None:
        """The id of a token, None if it is not in the vocabulary."""
        return self.backend.token_to_id(token)

    def vocabulary(self) -> dict[str, int]:
        """Every token's id, special tokens included, in the order of the ids."""
        return dict(sorted(self.backend.get_vocab().items(), key=lambda item: item[1]))

    @cached_property
    def _bulk(self) -> BulkEncoder:
        return BulkEncoder(self._reader)

    @cached_property
    def _reader(self) -> Backend:
        return plain(self.backend)

    @cached_property
    def _mask_reader(self) -> MaskReader:
        return MaskReader(self.backend, self.mask_token)
