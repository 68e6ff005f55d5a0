"""One process; `contract` and `recipe` try two."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from unmask.errors import MachineError
from unmask.train.distributed import world


@pytest.fixture(autouse=True)
def without_torchrun(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WORLD_SIZE", "RANK", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)


def test_one_process_needs_no_group() -> None:
    model, tensor = nn.Linear(2, 2), torch.ones(3)
    with world("auto") as alone:
        assert (alone.rank, alone.size, alone.device) == (0, 1, torch.device("cpu"))
        assert alone.is_first
        assert alone.summed([1.5, 2.0]) == [1.5, 2.0]
        assert alone.gathered(tensor) == [tensor]
        assert alone.wrapped(model) is model
        with alone.accumulating(model, last=False):
            alone.barrier()
    assert not torch.distributed.is_initialized()


def test_a_gpu_that_is_not_there_is_named() -> None:
    with pytest.raises(MachineError, match="no GPU here: use cpu or auto"), world("cuda"):
        pass
