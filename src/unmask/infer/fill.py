"""Filling blanks: what could stand where a text says `[MASK]`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TypedDict

import torch
from torch import Tensor

from unmask.checkpoint.bundle import Bundle
from unmask.errors import UsageError
from unmask.infer.batcher import Cloze, answers
from unmask.infer.inputs import (
    enclose,
    place_of,
    require_masked_lm,
    warn_of,
)
from unmask.tasks.predicting import answering
from unmask.text.tokenizer import Tokenizer

_LOOKS_LIKE_A_MASK = re.compile(r"\[\s*mask\s*\]|<mask>|_{2,}|\[blank\]", re.IGNORECASE)


class Prediction(TypedDict):
    """One proposal for one mask, with the keys of transformers' fill-mask pipeline."""

    score: float
    """Its probability among the whole vocabulary, 0..1, also where candidates were given."""
    token: int
    """Its id."""
    token_str: str
    """Its text; continuing pieces keep their `##`."""
    sequence: str
    """The text with this one mask filled, decoded."""


Answer = list[Prediction] | list[list[Prediction]]
"""For a text with one mask its predictions; with several, a list of such lists, one a mask."""


def fill(
    bundle: Bundle, texts: Sequence[str], *, top_k: int, candidates: Sequence[str] | None = None
) -> list[Answer]:
    """The best tokens for every mask of every text, best first.

    Several masks of one text are filled each on its own, as if the others stayed unknown: their
    probabilities are not joint. With `candidates`, at most as many predictions as candidates.
    Special tokens other than the mask that stand in a text are text, unlike in transformers.

    Raises:
        UsageError: No masked language model head, a text without a mask, a candidate that is not
            one token, or `top_k` outside 1..vocab_size.
        DataError: A text longer than the model reads, no tokenizer, or one without a mask token.
    """
    require_masked_lm(bundle)
    tokenizer = bundle.require_tokenizer()
    vocab_size = bundle.config.vocab_size
    if not 1 <= top_k <= vocab_size:
        raise UsageError(
            f"top_k: {top_k}; expected 1 to {vocab_size}, the vocabulary of {bundle.name}."
        )
    allowed = None if candidates is None else torch.tensor(candidate_ids(tokenizer, candidates))
    clozes = [_cloze(bundle, tokenizer, i, text) for i, text in enumerate(texts)]
    warn_of(bundle, [cloze.input_ids for cloze in clozes])
    results: dict[int, Answer] = {}
    with answering(bundle.model):
        for members, logits in answers(bundle, sorted(clozes, key=lambda c: len(c.input_ids))):
            scores, tokens = (best.tolist() for best in _best(logits, top_k, allowed))
            start = 0
            for cloze in members:
                rows = slice(start, start + len(cloze.asked))
                results[cloze.text] = _answer(tokenizer, cloze, scores[rows], tokens[rows])
                start = rows.stop
    return [results[i] for i in range(len(texts))]


def candidate_ids(tokenizer: Tokenizer, candidates: Sequence[str]) -> list[int]:
    """The id of each candidate, without repetitions: an entry of the vocabulary as it stands,
    else a word that the tokenizer makes one known token of ("Paris" to "paris").

    transformers (`targets`) takes the first piece of a longer word and warns; a probability of
    "un" is no probability of "unbelievable", so here that is an error.

    Raises:
        UsageError: No candidates, or some that are not one known token, all of them named.
    """
    ids: list[int] = []
    faults: list[str] = []
    for word in candidates:
        known = tokenizer.token_to_id(word)
        if known is not None and tokenizer.kind != "WordPiece" and tokenizer.is_continuation[known]:
            known = None  # the entry "Paris" is a word's end there, the word is "ĠParis", "▁Paris"
        pieces = tokenizer.encode_words([word])[0].tolist() if known is None else [known]
        if not pieces:
            faults.append(f"{word!r} is no token at all")
        elif known is None and tokenizer.special.unk in pieces:
            faults.append(f"{word!r} is not in the vocabulary")
        elif len(pieces) > 1:
            shown = " ".join(tokenizer.id_to_token(i) for i in pieces)
            faults.append(f"{word!r} is {len(pieces)} tokens ({shown})")
        ids += pieces[:1]
    if faults:
        raise UsageError(
            f"candidates: {'; '.join(faults)}; expected words of one token each, because a mask "
            "stands for one. Leave these out, or compare whole sentences by their score."
        )
    if not ids:
        raise UsageError("candidates: none given; expected at least one word, or leave them away.")
    return list(dict.fromkeys(ids))


def _cloze(bundle: Bundle, tokenizer: Tokenizer, index: int, text: str) -> Cloze:
    mask, place = tokenizer.require_mask(), place_of(index, text)
    ids = tokenizer.encode_with_mask(text)
    if mask not in ids:
        raise UsageError(_no_mask(place, text, tokenizer.mask_token))
    whole = enclose(bundle, ids, place)
    return Cloze(index, whole, [position for position, i in enumerate(whole) if i == mask])


def _no_mask(place: str, text: str, mask_token: str) -> str:
    similar = _LOOKS_LIKE_A_MASK.search(text)
    found = f" It has `{similar[0]}`, but this model's mask is `{mask_token}`." if similar else ""
    return (
        f"{place}: has no {mask_token}, so there is no blank to fill.{found} Write {mask_token} "
        f'where a word is missing: "Paris is the {mask_token} of France.". BERT is no text '
        "generator: it fills blanks, looking at both sides of them, and does not continue a text. "
        "To judge a text as it stands, ask for its score."
    )


def _best(logits: Tensor, top_k: int, allowed: Tensor | None) -> tuple[Tensor, Tensor]:
    """Probabilities and ids of the best tokens, (M, k) each, k at most the number allowed."""
    probabilities = logits.softmax(dim=-1)  # (M, V)
    if allowed is None:
        scores, tokens = probabilities.topk(top_k)
        return scores, tokens
    allowed = allowed.to(logits.device)
    scores, places = probabilities[:, allowed].topk(min(top_k, len(allowed)))
    return scores, allowed[places]


def _answer(
    tokenizer: Tokenizer, cloze: Cloze, scores: list[list[float]], tokens: list[list[int]]
) -> Answer:
    """As transformers' `FillMaskPipeline.postprocess` writes it.

    With several masks the special tokens stay in `sequence`, because the masks left open are
    special too; padding that is predicted is left out.
    """
    single = len(cloze.asked) == 1

    def prediction(position: int, score: float, token: int) -> Prediction:
        filled = [token if at == position else i for at, i in enumerate(cloze.input_ids)]
        kept = [i for i in filled if i != tokenizer.special.pad]
        return Prediction(
            score=score,
            token=token,
            token_str=tokenizer.decode([token], skip_special_tokens=False),
            sequence=tokenizer.decode(kept, skip_special_tokens=single),
        )

    per_mask = [
        [prediction(position, score, token) for score, token in zip(*best, strict=True)]
        for position, *best in zip(cloze.asked, scores, tokens, strict=True)
    ]
    return per_mask[0] if single else per_mask
