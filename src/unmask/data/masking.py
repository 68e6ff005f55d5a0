"""Masked language modelling's input: what stands at the positions that are to be predicted."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from unmask.batch import IGNORED, Batch
from unmask.data.config import MaskingConfig
from unmask.data.picking import Eligible, pick
from unmask.data.randomness import Counter, Stream, below, sample_state, uniform
from unmask.errors import DataError

_CLASSIC = MaskingConfig()


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


class Masker:
    """Picks positions and replaces their tokens, as BERT's data preparation does (80/10/10).

    A sequence's mask depends on (seed, epoch, sample id, token ids) alone: neither on its place in
    a batch, nor on its neighbours, nor on the process that asks. With `dynamic` off, every epoch
    counts as epoch 0.

    Of the positions that are no special tokens, `picking.pick` takes a share: single pieces, whole
    words or spans.

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

    def __call__(self, batch: Batch, epoch: Counter, progress: float = 0.0) -> Batch:
        """Returns a new batch with masked `input_ids` and `labels["mlm"]`, (N,) int64.

        `epoch` is one number for all sequences or one per sequence, (B,); `progress` is the share
        of the run's budget that is used, which decides the rate where there is a final one. Labels
        are the original ids at the picked positions and IGNORED elsewhere; other labels stay.
        """
        original = batch.input_ids.cpu().numpy()
        eligible = self._eligible(batch, original, epoch)
        rows, origins = pick(eligible, self._config.unit, self._config.rate_at(progress))
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

    def _eligible(self, batch: Batch, ids: NDArray[np.int64], epoch: Counter) -> Eligible:
        lengths = np.array(batch.lengths, dtype=np.int64)
        epochs = epoch if self._config.dynamic else 0
        states = sample_state(self._seed, epochs, batch.sample_ids.cpu().numpy())  # (B,)
        index = np.flatnonzero(~self._is_special[ids])
        sequence = np.repeat(np.arange(len(lengths)), lengths)[index]
        opens_run = np.ones(len(index), dtype=np.bool_)
        opens_run[1:] = (np.diff(index) > 1) | (np.diff(sequence) > 0)
        return Eligible(
            index=index,
            sequence=sequence,
            position=index - (np.cumsum(lengths) - lengths)[sequence],
            state=states[sequence],
            opens_word=opens_run | ~self._is_continuation[ids[index]],
            opens_run=opens_run,
            ends=np.cumsum(np.bincount(sequence, minlength=len(lengths))),
        )

    def _replaced(
        self,
        original: NDArray[np.int64],
        eligible: Eligible,
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
