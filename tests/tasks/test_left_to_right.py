from __future__ import annotations

import math

import numpy as np
import torch
from torch import nn

from unmask.batch import IGNORED, pack
from unmask.tasks.left_to_right import LeftToRight, next_tokens

TASK = LeftToRight()
BATCH = next_tokens(pack([[2, 7, 8, 3], [2, 3], [9]]), np.zeros(3, dtype=np.int64))


def test_each_token_is_asked_for_its_successor_within_its_sequence() -> None:
    assert BATCH.labels["next"].tolist() == [7, 8, 3, IGNORED, 3, IGNORED, IGNORED]
    assert TASK.rows(BATCH).tolist() == [0, 1, 2, 4]
    assert TASK.counts(BATCH) == {"next": 4.0}


def test_the_batch_that_it_was_made_of_stays_as_it_is() -> None:
    batch = pack([[2, 7, 3]])

    next_tokens(batch, np.zeros(1, dtype=np.int64))

    assert batch.input_ids.tolist() == [2, 7, 3]
    assert not batch.labels


def test_the_loss_is_the_summed_cross_entropy_over_all_successors() -> None:
    """Four successors, each given the probability 1/10."""
    outputs = TASK.outputs(nn.ModuleDict({"mlm": nn.Identity()}), torch.zeros(4, 10), BATCH)

    (term,) = TASK.loss(outputs, BATCH)

    assert (term.name, term.weight) == ("next", 1.0)
    assert math.isclose(float(term.total), 4 * math.log(10), rel_tol=1e-6)


def test_hits_are_right_successors() -> None:
    scores = nn.functional.one_hot(torch.tensor([7, 8, 0, 3]), 10).float()

    assert TASK.hits({"next": scores}, BATCH) == {"next": 3}
