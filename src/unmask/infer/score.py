"""How likely a masked language model finds a whole text: its pseudo-log-likelihood."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from unmask.checkpoint.bundle import Bundle
from unmask.errors import UsageError
from unmask.infer.batcher import Cloze, answers
from unmask.infer.inputs import enclose, place_of, require_masked_lm, warn_of
from unmask.tasks.predicting import answering

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Score:
    """The figures of one text of T tokens, `[CLS]` and `[SEP]` not counted."""

    text: str
    pseudo_log_likelihood: float
    """Sum over the tokens of log p(token | all other tokens), nats, at most 0."""
    pseudo_perplexity: float
    """exp(-pseudo_log_likelihood / T), at least 1; compares texts of different lengths."""
    tokens: list[str]
    """(T,)"""
    log_probabilities: list[float]
    """(T,) nats, each token's summand."""


def score(bundle: Bundle, texts: Sequence[str]) -> list[Score]:
    """Scores each text: every token is masked in turn and asked for, given all the others.

    Salazar et al. 2020 (arXiv 1910.14659), equations 1 and 4. A higher pseudo-log-likelihood
    means that the model finds the text more natural. It is no log-likelihood: its exponentials
    do not sum to one over texts. A mask token in a text is text here, and an unknown piece
    counts as the token `[UNK]`, which a model hardly ever predicts.

    Raises:
        UsageError: No masked language model head, or a text without a token.
        DataError: A text longer than the model reads, no tokenizer, or one without a mask token.
    """
    require_masked_lm(bundle)
    tokenizer = bundle.require_tokenizer()
    mask = tokenizer.require_mask()
    sequences: list[list[int]] = []
    before, after = len(tokenizer.layout.start), len(tokenizer.layout.end)
    for i, text in enumerate(texts):
        ids = tokenizer.encode(text)
        if not ids:
            raise UsageError(f"{place_of(i, text)}: has no token, so there is nothing to score.")
        sequences.append(enclose(bundle, ids, place_of(i, text)))
    warn_of(bundle, sequences)
    _warn_of_masks(texts, tokenizer.mask_token)

    summands: list[list[float]] = [[] for _ in texts]
    with answering(bundle.model):
        for members, logits in answers(bundle, _masked_copies(sequences, mask, before, after)):
            hidden = [sequences[cloze.text][cloze.asked[0]] for cloze in members]
            targets = torch.tensor(hidden, device=logits.device)[:, None]  # (M, 1)
            found = logits.log_softmax(dim=-1).gather(1, targets).squeeze(1)  # (M,)
            for cloze, value in zip(members, found.tolist(), strict=True):
                summands[cloze.text].append(value)

    return [
        _score(
            text,
            [tokenizer.id_to_token(i) for i in sequence[before : len(sequence) - after]],
            values,
        )
        for text, sequence, values in zip(texts, sequences, summands, strict=True)
    ]


def _warn_of_masks(texts: Sequence[str], mask_token: str) -> None:
    index = next((i for i, text in enumerate(texts) if mask_token in text), None)
    if index is not None:
        logger.warning(
            "%s: the %s in it is scored as text, piece by piece, and not as a blank. To see what "
            "could stand there, fill it in.",
            place_of(index, texts[index]),
            mask_token,
        )


def _masked_copies(
    sequences: Sequence[list[int]], mask: int, before: int, after: int
) -> Iterator[Cloze]:
    """A copy for each token but the special ones at the ends, made when its batch is due: a text
    of T tokens has T of them, together T squared ids.
    """
    for text in sorted(range(len(sequences)), key=lambda i: len(sequences[i])):
        whole = sequences[text]
        for position in range(before, len(whole) - after):
            yield Cloze(text, [*whole[:position], mask, *whole[position + 1 :]], [position])


def _score(text: str, tokens: list[str], values: list[float]) -> Score:
    total = math.fsum(values)
    try:
        perplexity = math.exp(-total / len(values))
    except OverflowError:
        perplexity = math.inf
    return Score(text, total, perplexity, tokens, values)
