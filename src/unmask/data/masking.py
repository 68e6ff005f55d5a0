"""Masked language modelling's input: which positions to predict, and what stands there instead."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import log
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from unmask.batch import IGNORED, Batch
from unmask.data.config import MaskingConfig
from unmask.data.randomness import Counter, Stream, absorb, below, sample_state, uniform
from unmask.errors import DataError

_CLASSIC = MaskingConfig()
_SPAN_STOP_RATE = 0.2
_MAX_SPAN_WORDS = 10


class Specials(Protocol):
    """The ids of the special tokens, as far as masking asks."""

    @property
    def mask(self) -> int | None:
        """The id of the mask token, None where the vocabulary has none."""


class Vocabulary(Protocol):
    """What masking needs of a tokenizer."""

    @property
    def special(self) -> Specials:
        """The ids of the special tokens."""

    @property
    def is_special(self) -> NDArray[np.bool_]:
        """(V,) True for tokens that are never picked and never drawn."""

    @property
    def is_continuation(self) -> NDArray[np.bool_]:
        """(V,) True for pieces that go on with a word, as "##ing" does."""


@dataclass(frozen=True)
class _Eligible:
    """The L positions of a packed batch that may be picked, in order."""

    index: NDArray[np.int64]
    """(L,) where in the batch."""
    sequence: NDArray[np.int64]
    """(L,) of which sequence."""
    position: NDArray[np.int64]
    """(L,) where in that sequence."""
    state: NDArray[np.uint64]
    """(L,) the hash of (seed, epoch, sample) that all draws of the sequence start from."""
    opens_word: NDArray[np.bool_]
    """(L,) True at the first piece of a word."""
    opens_run: NDArray[np.bool_]
    """(L,) True where the position before is not eligible, or of another sequence."""
    ends: NDArray[np.int64]
    """(B,) how many eligible positions there are up to the end of each sequence."""

    def draw(self, stream: Stream, rows: NDArray[np.int64] | slice) -> NDArray[np.uint64]:
        """One hash for each of the rows, from its sequence and its position there."""
        return absorb(absorb(self.state[rows], stream), self.position[rows])


class Masker:
    """Picks positions and replaces their tokens, as BERT's data preparation does (80/10/10).

    A sequence's mask depends on (seed, epoch, sample id, token ids) alone: neither on its place in
    a batch, nor on its neighbours, nor on the process that asks. With `dynamic` off, every epoch
    counts as epoch 0.

    With n the sequence's non-special positions, the budget is max(1, round(rate * n)) positions,
    halves rounded to even as Python does; a sequence without such positions gets none.

    - "token": exactly the budget, uniformly (Devlin et al. 2019, section 3.1).
    - "word": whole words in random order, a word that would exceed the budget is skipped
      (google-research/bert, create_masked_lm_predictions with do_whole_word_mask), so it may stay
      below the budget; where no word fits, one is picked whole.
    - "span": exactly the budget, in spans that begin with a word and go on for a number of words
      that is geometric with p = 0.2, renormalised to 1..10 (SpanBERT, Joshi et al. 2020, section
      3.1); the last span is cut where the budget ends. No span crosses a special token.

    Replacement is drawn per position, for spans per span: all of it [MASK], all of it random
    tokens, or all of it unchanged, as SpanBERT has it.
    """

    def __init__(self, vocabulary: Vocabulary, config: MaskingConfig, seed: int) -> None:
        """Takes a tokenizer, or whatever has its arrays.

        Raises:
            DataError: The vocabulary has no mask token.
        """
        mask_id = vocabulary.special.mask
        if mask_id is None:
            raise DataError(
                "the vocabulary has no mask token ([MASK]), which masked language modelling puts "
                "in place of the words to predict: use a tokenizer that has one, such as one "
                "trained by `unmask tokenizer`"
            )
        self._mask_id = mask_id
        self._config = config
        self._seed = seed
        self._is_special = vocabulary.is_special
        self._is_continuation = vocabulary.is_continuation
        self._replacements = np.flatnonzero(~vocabulary.is_special)

    def __call__(self, batch: Batch, epoch: Counter) -> Batch:
        """Returns a new batch with masked `input_ids` and `labels["mlm"]`, (N,) int64.

        `epoch` is one number for all sequences or one per sequence, (B,). Labels are the original
        ids at the picked positions and IGNORED elsewhere; other labels stay.
        """
        original = batch.input_ids.cpu().numpy()
        eligible = self._eligible(batch, original, epoch)
        rows, origins = self._pick(eligible)
        picked = eligible.index[rows]

        labels = np.full_like(original, IGNORED)
        labels[picked] = original[picked]
        masked = original.copy()
        masked[picked] = self._replaced(original[picked], eligible, rows, origins)

        device = batch.input_ids.device
        return replace(
            batch,
            input_ids=torch.from_numpy(masked).to(device),
            labels={**batch.labels, "mlm": torch.from_numpy(labels).to(device)},
        )

    def _eligible(self, batch: Batch, ids: NDArray[np.int64], epoch: Counter) -> _Eligible:
        lengths = np.array(batch.lengths, dtype=np.int64)
        epochs = epoch if self._config.dynamic else 0
        states = sample_state(self._seed, epochs, batch.sample_ids.cpu().numpy())  # (B,)
        index = np.flatnonzero(~self._is_special[ids])
        sequence = np.repeat(np.arange(len(lengths)), lengths)[index]
        opens_run = np.ones(len(index), dtype=np.bool_)
        opens_run[1:] = (np.diff(index) > 1) | (np.diff(sequence) > 0)
        return _Eligible(
            index=index,
            sequence=sequence,
            position=index - (np.cumsum(lengths) - lengths)[sequence],
            state=states[sequence],
            opens_word=opens_run | ~self._is_continuation[ids[index]],
            opens_run=opens_run,
            ends=np.cumsum(np.bincount(sequence, minlength=len(lengths))),
        )

    def _pick(self, eligible: _Eligible) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Rows of the picked positions (M,), and for each the row whose draw replaces it (M,)."""
        counts = np.diff(eligible.ends, prepend=0)
        # np.rint and Python's round agree on every float: halves go to the even neighbour.
        budgets = np.maximum(1, np.rint(self._config.rate * counts).astype(np.int64))
        budgets = np.where(counts > 0, budgets, 0)
        if self._config.unit == "word":
            rows = _pick_words(eligible, budgets)
            return rows, rows
        if self._config.unit == "span":
            return _pick_spans(eligible, budgets)
        rows = _pick_tokens(eligible, budgets)
        return rows, rows

    def _replaced(
        self,
        original: NDArray[np.int64],
        eligible: _Eligible,
        rows: NDArray[np.int64],
        origins: NDArray[np.int64],
    ) -> NDArray[np.int64]:
        """What stands at the picked positions (M,): the mask, a random token, or the original."""
        action = uniform(eligible.draw(Stream.ACTION, origins))
        drawn = eligible.draw(Stream.REPLACEMENT, rows)
        random = self._replacements[below(drawn, len(self._replacements))]
        changed = action < self._config.mask_share + self._config.random_share
        tokens = np.where(changed, random, original)
        return np.where(action < self._config.mask_share, self._mask_id, tokens)


def _pick_tokens(eligible: _Eligible, budgets: NDArray[np.int64]) -> NDArray[np.int64]:
    """The rows with the smallest keys of each sequence, as many as its budget."""
    order = np.lexsort((eligible.draw(Stream.PICK, slice(None)), eligible.sequence))
    # The sort is by sequence first, so each sequence keeps its own range of rows.
    starts = eligible.ends - np.diff(eligible.ends, prepend=0)
    place = np.arange(len(order)) - starts[eligible.sequence]
    return order[place < budgets[eligible.sequence]]


def _pick_words(eligible: _Eligible, budgets: NDArray[np.int64]) -> NDArray[np.int64]:
    """The rows of whole words, taken in random order while they fit their sequence's budget."""
    first = np.flatnonzero(eligible.opens_word)
    lengths = np.diff(first, append=len(eligible.index))
    sequence = eligible.sequence[first]
    order = np.lexsort((eligible.draw(Stream.PICK, first), sequence))
    picked: list[int] = []
    left = budgets.tolist()
    fallback = [-1] * len(left)
    taken = [False] * len(left)
    for word, owner, length in zip(
        order.tolist(), sequence[order].tolist(), lengths[order].tolist(), strict=True
    ):
        if fallback[owner] < 0:
            fallback[owner] = word
        if length <= left[owner]:
            left[owner] -= length
            taken[owner] = True
            picked.append(word)
    picked += [word for word, done in zip(fallback, taken, strict=True) if word >= 0 and not done]
    words = np.zeros(len(first), dtype=np.bool_)
    words[picked] = True
    return np.flatnonzero(np.repeat(words, lengths))


def _pick_spans(
    eligible: _Eligible, budgets: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The rows of spans laid until each budget is spent, and for each the first row of its span."""
    order = np.lexsort((eligible.draw(Stream.PICK, slice(None)), eligible.sequence))
    start, stop = _spans(eligible)
    left = budgets.tolist()
    origin = np.full(len(order), -1, dtype=np.int64)
    for anchor, owner in zip(order.tolist(), eligible.sequence[order].tolist(), strict=True):
        if left[owner] and origin[anchor] < 0:
            span = origin[start[anchor] : stop[anchor]]
            free = np.flatnonzero(span < 0)[: left[owner]]
            span[free] = start[anchor]
            left[owner] -= len(free)
    rows = np.flatnonzero(origin >= 0)
    return rows, origin[rows]


def _spans(eligible: _Eligible) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """For each row (L,) the range of rows that a span drawn there covers."""
    size = len(eligible.index)
    bounds = np.append(np.flatnonzero(eligible.opens_word), size)
    runs = np.append(np.flatnonzero(eligible.opens_run), size)
    word = np.cumsum(eligible.opens_word) - 1
    run = np.cumsum(eligible.opens_run) - 1
    share = uniform(eligible.draw(Stream.SPAN_LENGTH, slice(None)))
    # The inverse of the geometric distribution's cumulative function, cut at the longest span.
    within = share * (1 - (1 - _SPAN_STOP_RATE) ** _MAX_SPAN_WORDS)
    words = 1 + (np.log1p(-within) / log(1 - _SPAN_STOP_RATE)).astype(np.int64)
    stop = bounds[np.minimum(word + words, len(bounds) - 1)]
    return bounds[word], np.minimum(stop, runs[run + 1])


def mask_tokens(
    batch: Batch,
    tokenizer: Vocabulary,
    config: MaskingConfig = _CLASSIC,
    seed: int = 0,
    epoch: int = 0,
) -> Batch:
    """Masks a batch for masked language modelling; see `Masker`, which it builds for one call.

    Worked example: of ten words, 15 % rounds to two; one, 19, becomes [MASK], id 4; the other,
    13, is among the tenth that stays, yet must be predicted.

    >>> from types import SimpleNamespace
    >>> from unmask.batch import pack
    >>> tokenizer = SimpleNamespace(
    ...     special=SimpleNamespace(mask=4),
    ...     is_special=np.arange(20) < 5,
    ...     is_continuation=np.zeros(20, dtype=bool),
    ... )
    >>> masked = mask_tokens(pack([[2, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 3]]), tokenizer)
    >>> masked.input_ids.tolist()
    [2, 10, 11, 12, 13, 14, 15, 16, 17, 18, 4, 3]
    >>> [label for label in masked.labels["mlm"].tolist() if label != IGNORED]
    [13, 19]

    Raises:
        DataError: The vocabulary has no mask token.
    """
    return Masker(tokenizer, config, seed)(batch, epoch)
