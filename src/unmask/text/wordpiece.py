"""BERT's tokenizer put together from the parts in `tokenizers`."""

from __future__ import annotations

from collections.abc import Mapping

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers

from unmask.text.config import TokenizerConfig
from unmask.text.special import SpecialTokens

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
