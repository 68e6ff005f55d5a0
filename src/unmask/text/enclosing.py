"""Special tokens made known to a backend, and the template that puts them around texts."""

from __future__ import annotations

from typing import Any

from tokenizers import AddedToken, Tokenizer, processors

from unmask.text.kinds import kind_of
from unmask.text.special import SpecialIds, SpecialTokens


def mark_special(backend: Tokenizer, special: SpecialTokens, ids: SpecialIds) -> None:
    """Makes the special tokens known to decoding, and sets what encloses texts where nothing does.

    Only tokens that are not marked yet are touched, so that their matching rules stay. A mask in
    byte-level BPE takes the blank before it, which would else be a token by itself: so the models'
    own files have it, and it wins over transformers' DebertaTokenizer, which leaves the blank where
    no file says so.
    """
    marked = {token.content for token in backend.get_added_tokens_decoder().values()}
    is_bytes = kind_of(backend) == "byte-level BPE"
    backend.add_special_tokens(
        [
            AddedToken(
                text, normalized=False, special=True, lstrip=is_bytes and text == special.mask
            )
            for text in special.all()
            if text not in marked and backend.token_to_id(text) is not None
        ]
    )
    given = backend.post_processor
    if given is None or isinstance(given, processors.ByteLevel):
        made = template(special, ids, doubled=special.sep == "</s>")
        backend.post_processor = made if given is None else processors.Sequence([given, made])


def template(special: SpecialTokens, ids: SpecialIds, *, doubled: bool) -> Any:
    """`[CLS] A [SEP] B [SEP]`, or with two separators between the texts."""
    between = f"{special.sep}:0 " * (1 + doubled)
    return processors.TemplateProcessing(
        single=f"{special.cls}:0 $A:0 {special.sep}:0",
        pair=f"{special.cls}:0 $A:0 {between}$B:1 {special.sep}:1",
        special_tokens=[(special.cls, ids.cls), (special.sep, ids.sep)],
    )
