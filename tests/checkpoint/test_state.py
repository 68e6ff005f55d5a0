from __future__ import annotations

from pathlib import Path

import pytest
import torch

from unmask.checkpoint.state import load_training_state, save_training_state
from unmask.errors import DataError


def test_everything_comes_back_bit_for_bit(tmp_path: Path) -> None:
    whole = torch.randn(4, 6, generator=torch.Generator().manual_seed(0))
    optimizer = {
        "step": torch.tensor(7.0),
        "momentum/a": whole[:2],
        "momentum/b": whole[2:].t(),
        "half": whole.to(torch.bfloat16),
    }
    rng = {"cpu": torch.get_rng_state()}
    state = {"step": 7, "loss": 0.1 + 0.2, "tiny": 5e-324, "cursor": {"epoch": 1, "sample": 9}}
    save_training_state(tmp_path, optimizer_tensors=optimizer, state=state, rng=rng)
    loaded = load_training_state(tmp_path)
    assert loaded.state == state
    for stored, expected in ((loaded.optimizer_tensors, optimizer), (loaded.rng, rng)):
        assert stored.keys() == expected.keys()
        for name, tensor in expected.items():
            assert stored[name].dtype == tensor.dtype
            assert torch.equal(stored[name], tensor)


def test_an_optimizer_without_state_is_stored_too(tmp_path: Path) -> None:
    save_training_state(tmp_path, optimizer_tensors={}, state={}, rng={})
    assert load_training_state(tmp_path).optimizer_tensors == {}


def test_only_json_and_safetensors_are_written(tmp_path: Path) -> None:
    save_training_state(tmp_path, optimizer_tensors={}, state={}, rng={})
    assert {path.suffix for path in tmp_path.iterdir()} == {".json", ".safetensors"}


def test_not_a_number_is_refused_when_saving(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        save_training_state(tmp_path, optimizer_tensors={}, state={"x": float("nan")}, rng={})


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    save_training_state(tmp_path, optimizer_tensors={}, state={}, rng={})
    (tmp_path / "rng.safetensors").unlink()
    with pytest.raises(DataError, match=r"rng\.safetensors"):
        load_training_state(tmp_path)
