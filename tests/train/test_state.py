from __future__ import annotations

import json

import pytest
import torch

from unmask.data.loader import Cursor
from unmask.train.distributed import World
from unmask.train.state import RunState, random_state, restore_random_state, seed_dropout

ALONE = World(0, 1, torch.device("cpu"))


def test_a_state_comes_back_from_json() -> None:
    state = RunState(global_step=7, stage=1, cursor=Cursor(2, 3), seconds=0.1 + 0.2, rollbacks=1)

    stored = json.loads(json.dumps({**state.as_dict(), "identity": {"more": "than that"}}))

    assert RunState.from_dict(stored) == state


def test_a_state_that_lacks_a_number_is_refused() -> None:
    stored = RunState().as_dict()
    del stored["num_tokens"]

    with pytest.raises(KeyError, match="num_tokens"):
        RunState.from_dict(stored)


def test_the_generators_go_on_where_they_were() -> None:
    seed_dropout(ALONE, 5)
    torch.rand(3)
    stored = random_state(ALONE)
    expected = torch.rand(4)

    torch.rand(10)
    restore_random_state(stored, ALONE, seed=5)

    assert torch.equal(torch.rand(4), expected)
    assert {(name, tensor.dtype) for name, tensor in stored.items()} == {("cpu.0", torch.uint8)}


def test_every_process_drops_differently_and_a_new_one_has_a_seed_of_its_own() -> None:
    draws = []
    for rank in (0, 1, 2):
        seed_dropout(World(rank, 3, torch.device("cpu")), 2**63 - 1)
        draws.append(torch.rand(1).item())
    stored = random_state(ALONE)

    restore_random_state(stored, World(1, 2, torch.device("cpu")), seed=2**63 - 1)

    assert len(set(draws)) == 3
    assert torch.rand(1).item() == draws[1]
