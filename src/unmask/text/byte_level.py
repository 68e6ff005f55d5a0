"""Byte-level BPE, as RoBERTa and DeBERTa have it, put together from the parts in `tokenizers`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors

from unmask.text.special import SpecialTokens

Merge = tuple[str, str]


def build_byte_level(
    vocabulary: Mapping[str, int], merges: Sequence[Merge], *, add_prefix_space: bool
) -> Tokenizer:
    """A byte-level BPE tokenizer, without anything around texts yet (GPT-2, encoder.py)."""
    backend = Tokenizer(models.BPE(dict(vocabulary), list(merges), fuse_unk=False))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=add_prefix_space)
    backend.decoder = decoders.ByteLevel()
    return backend


def enclose_as_roberta(
    backend: Tokenizer, special: SpecialTokens, *, add_prefix_space: bool, trim_offsets: bool
) -> None:
    """`<s> A </s></s> B </s>`, and offsets without the blank before a word."""
    cls, sep = backend.token_to_id(special.cls), backend.token_to_id(special.sep)
    if cls is not None and sep is not None:
        backend.post_processor = processors.RobertaProcessing(
            (special.sep, sep), (special.cls, cls), trim_offsets, add_prefix_space
        )
