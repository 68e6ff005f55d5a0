"""The random numbers by which a generator's tokens are drawn, known before any forward pass."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from unmask.batch import IGNORED, Batch
from unmask.data.masking import Masker
from unmask.data.randomness import Stream, absorb, sample_state, uniform

DRAW = "draw"
"""The label under which the numbers travel."""


class MaskerAndDraws:
    """Masks, and gives each picked position a number in 0..1.

    It depends on (seed, epoch, sample, position) alone, so that what a generator puts there does
    not depend on the batch, its neighbours or the process.
    """

    def __init__(self, masker: Masker, seed: int) -> None:
        self._masker = masker
        self._seed = seed

    def __call__(self, batch: Batch, epochs: NDArray[np.int64], progress: float = 0.0) -> Batch:
        """The masked batch with `labels["draw"]`, (N,) float32, IGNORED where nothing is drawn."""
        masked = self._masker(batch, epochs, progress)
        picked = (masked.labels["mlm"] != IGNORED).cpu().numpy()
        states = sample_state(self._seed, epochs, batch.sample_ids.cpu().numpy())
        lengths = np.array(batch.lengths, dtype=np.int64)
        of_token = np.repeat(absorb(states, Stream.GENERATOR), lengths)[picked]
        numbers = uniform(absorb(of_token, batch.position_ids.cpu().numpy()[picked]))
        draws = np.full(len(picked), IGNORED, dtype=np.float32)
        draws[picked] = numbers
        tensor = torch.from_numpy(draws).to(batch.input_ids.device)
        return replace(masked, labels={**masked.labels, DRAW: tensor})
