"""Whole words of a domain added to a vocabulary that spells them in pieces."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from tokenizers import Tokenizer as Backend
from tokenizers import pre_tokenizers

from unmask.errors import DataError, UsageError
from unmask.text.kinds import BLANK
from unmask.text.normalise import replace_surrogates
from unmask.text.tokenizer import Tokenizer

logger = logging.getLogger(__name__)

Origins = list[list[int]]
"""For each new id the old ids that its vector is the mean of."""
_LONGEST = 50
"""Characters of a word that is worth a token."""
_PASSES = 4
_MARGIN = 0.5
"""By how much (nats) a new Unigram piece beats the pieces that spelled it."""


@dataclass(frozen=True)
class Extension:
    """A larger tokenizer, whose old tokens have their old ids."""

    tokenizer: Tokenizer
    origins: Origins
    """(V,) each old token its own."""
    words: list[str]
    """The words that are one token now, the most frequent first."""


def words_in(texts: Iterable[str], tokenizer: Tokenizer) -> Counter[str]:
    """How often each word of letters stands in the texts, as the tokenizer normalises them."""
    normalizer = tokenizer.backend.normalizer
    split = pre_tokenizers.BertPreTokenizer().pre_tokenize_str
    counted: Counter[str] = Counter()
    for text in texts:
        counted.update(replace_surrogates(text).split())
    words: Counter[str] = Counter()
    for stretch, count in counted.items():
        normal = stretch if normalizer is None else normalizer.normalize_str(stretch)
        for word, _ in split(normal):
            if word.isalpha() and len(word) <= _LONGEST:
                words[word] += count
    return words


def costly_words(
    words: Counter[str], tokenizer: Tokenizer, most: int, min_frequency: int
) -> list[str]:
    """The most frequent words of more than one piece; ties in the order of the alphabet."""
    known = sorted((word for word, count in words.items() if count >= min_frequency),
                   key=lambda word: (-words[word], word))  # fmt: skip
    _, sizes = tokenizer.encode_words(known)
    return [word for word, size in zip(known, sizes.tolist(), strict=True) if size > 1][:most]


def extend(tokenizer: Tokenizer, words: Sequence[str]) -> Extension:
    """The tokenizer with these words as tokens of their own, as a word is after a blank.

    New ids follow the old ones. WordPiece gets the words themselves; byte-level BPE the merges that
    lead from a word's pieces to it, with what lies between; Unigram a piece that is a little more
    probable than those that spelled it. Words that are one token already, and those that do not
    become one, are left out.

    Raises:
        UsageError: No word could be added.
    """
    ids, sizes = tokenizer.encode_words(words)
    unknown = tokenizer.special.unk
    pieces = [part.tolist() for part in np.split(ids.astype(np.int64), np.cumsum(sizes)[:-1])]
    spelled = dict(zip(words, pieces, strict=True)) if len(words) else {}
    costly = {
        word: found for word, found in spelled.items() if len(found) > 1 and unknown not in found
    }
    origins: Origins = [[i] for i in range(tokenizer.vocab_size)]
    add = {"WordPiece": _wordpiece, "byte-level BPE": _bytes, "Unigram": _unigram}[tokenizer.kind]
    grown = add(tokenizer, costly, origins)
    _, now = grown.encode_words(list(costly))
    whole = [word for word, size in zip(costly, now.tolist(), strict=True) if size == 1]
    if not whole:
        raise UsageError(
            f"{tokenizer.place}: none of {len(words)} words could be made a token of its own: each "
            "is one already, has a character that the vocabulary does not know, or is split before "
            "pieces are looked for. Give more text, or learn a vocabulary anew (--retrain)."
        )
    if len(whole) < len(words):
        logger.warning(
            "%d of %d words were not added: they are one token already, or could not be made one",
            len(words) - len(whole),
            len(words),
        )
    return Extension(grown, origins, whole)


def origins_of(old: Tokenizer, new: Tokenizer) -> Origins:
    """For each token of an unrelated vocabulary the old ids that spell it.

    The same token if it is there, special tokens by their roles, else the old pieces of its text;
    the unknown token where these are none.
    """
    had = vars(old.special)
    roles = {i: had[role] for role, i in vars(new.special).items()}
    origins: Origins = []
    for token, i in new.vocabulary().items():
        if roles.get(i) is not None:
            origins.append([roles[i]])
            continue
        same = old.token_to_id(token)
        if same is not None:
            origins.append([same])
            continue
        text = new.backend.decode([i], skip_special_tokens=False)
        if new.kind == "WordPiece" and new.is_continuation[i]:
            text = token.removeprefix(new.backend.model.continuing_subword_prefix)
        origins.append(old.encode(text.replace("\ufffd", "")) or [old.special.unk])
    return origins


def _wordpiece(tokenizer: Tokenizer, words: dict[str, list[int]], origins: Origins) -> Tokenizer:
    parts = json.loads(tokenizer.backend.to_str())
    vocabulary = parts["model"]["vocab"]
    for word, pieces in words.items():
        if word not in vocabulary:  # as "[MASK]" is, though the reader splits it
            vocabulary[word] = len(origins)
            origins.append(pieces)
    return _made(tokenizer, parts)


def _bytes(tokenizer: Tokenizer, words: dict[str, list[int]], origins: Origins) -> Tokenizer:
    """In some passes, since a merge that one word brings may spell another word otherwise."""
    grown = tokenizer
    for _ in range(_PASSES):
        ids, sizes = grown.encode_words(list(words))
        spelled = np.split(ids.astype(np.int64), np.cumsum(sizes)[:-1])
        if all(size <= 1 for size in sizes.tolist()):
            break
        parts = json.loads(grown.backend.to_str())
        vocabulary, merges = parts["model"]["vocab"], parts["model"]["merges"]
        known = {tuple(merge) for merge in merges}
        added = {token["content"] for token in parts["added_tokens"]}
        for pieces in spelled:
            left = grown.id_to_token(int(pieces[0]))
            from_old = list(origins[int(pieces[0])])
            for i in pieces[1:].tolist():
                right = grown.id_to_token(i)
                from_old += origins[i]
                if left + right in added:
                    break
                if left + right not in vocabulary:
                    vocabulary[left + right] = len(origins)
                    origins.append(list(from_old))
                if (left, right) not in known:
                    known.add((left, right))
                    merges.append([left, right])
                left += right
        grown = _made(tokenizer, parts)
    return grown


def _unigram(tokenizer: Tokenizer, words: dict[str, list[int]], origins: Origins) -> Tokenizer:
    parts = json.loads(tokenizer.backend.to_str())
    vocabulary = parts["model"]["vocab"]
    # A piece's id is its place, so that tokens added behind the pieces become pieces themselves.
    for i in range(len(vocabulary), len(origins)):
        vocabulary.append([tokenizer.id_to_token(i), 0.0])
    scores = [score for _, score in vocabulary]
    present = {piece for piece, _ in vocabulary}
    for word, pieces in words.items():
        if BLANK + word not in present:
            vocabulary.append([BLANK + word, sum(scores[i] for i in pieces) + _MARGIN])
            origins.append(pieces)
    return _made(tokenizer, parts)


def _made(tokenizer: Tokenizer, parts: dict[str, Any]) -> Tokenizer:
    try:
        backend = Backend.from_str(json.dumps(parts))
    except Exception as error:  # `tokenizers` raises nothing finer
        raise DataError(
            f"{tokenizer.place}: words could not be added to it ({str(error)[:200]})."
        ) from error
    return Tokenizer(
        backend,
        tokenizer.special_tokens,
        tokenizer.model_max_length,
        tokenizer.place,
        tokenizer.closes_spaces,
    )
