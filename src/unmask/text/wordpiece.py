"""BERT's tokenizer put together from the parts in `tokenizers`."""

from __future__ import annotations

from collections.abc import Mapping

from tokenizers import (
    AddedToken,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
)

from unmask.text.config import TokenizerConfig
from unmask.text.special import SpecialIds, SpecialTokens

CONTINUATION = "##"
"""What stands before a piece that continues a word (google-research/bert)."""


def build(
    vocabulary: Mapping[str, int], config: TokenizerConfig, special: SpecialTokens
) -> Tokenizer:
    """A WordPiece tokenizer over the vocabulary, with BERT's normaliser and word splitting."""
    model = models.WordPiece(
        dict(vocabulary),
        unk_token=special.unk,
        max_input_chars_per_word=config.max_word_length,
        continuing_subword_prefix=CONTINUATION,
    )
    backend = Tokenizer(model)
    backend.normalizer = normalizers.BertNormalizer(
        clean_text=True,
        handle_chinese_chars=config.split_chinese_characters,
        strip_accents=config.strip_accents,
        lowercase=config.lowercase,
    )
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.decoder = decoders.WordPiece(prefix=CONTINUATION)
    return backend


def mark_special(backend: Tokenizer, special: SpecialTokens, ids: SpecialIds) -> None:
    """Makes the special tokens known to decoding, and sets `[CLS] A [SEP] B [SEP]` if unset.

    Only tokens that are not marked yet are touched, so that their matching rules stay.
    """
    marked = {token.content for token in backend.get_added_tokens_decoder().values()}
    backend.add_special_tokens(
        [
            AddedToken(text, normalized=False, special=True)
            for text in special.all()
            if text not in marked and backend.token_to_id(text) is not None
        ]
    )
    if backend.post_processor is None:
        backend.post_processor = processors.TemplateProcessing(
            single=f"{special.cls}:0 $A:0 {special.sep}:0",
            pair=f"{special.cls}:0 $A:0 {special.sep}:0 $B:1 {special.sep}:1",
            special_tokens=[(special.cls, ids.cls), (special.sep, ids.sep)],
        )
