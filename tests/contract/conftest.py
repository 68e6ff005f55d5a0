"""One optimizer step of the real loop, with its gradient caught instead of applied."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from torch import Tensor

from unmask.tasks.task import Model

TOLERANCES = {torch.float64: 1e-10, torch.float32: 1e-5}
"""Largest difference, as a share of the model's largest gradient entry."""


@dataclass
class Catcher:
    """Stands where the optimizers stand."""

    model: Model
    gradients: dict[str, Tensor] = field(default_factory=dict)

    def step(self, _share: float) -> None:
        for name, parameter in self.model.named_parameters():
            assert parameter.grad is not None, name
            self.gradients[name] = parameter.grad.clone()

    def zero_grad(self) -> None:
        self.model.zero_grad(set_to_none=True)

    def tensors(self) -> dict[str, Tensor]:
        return {}


@dataclass(frozen=True)
class Step:
    """What one step came to."""

    losses: dict[str, float]
    """Mean of each term, in nats."""
    gradients: dict[str, Tensor]
    """By parameter."""
    num_forwards: int
    """Micro-batches of this process."""


@pytest.fixture
def one_step(rehearse: Callable[..., Any]) -> Callable[..., Step]:
    """The gradient of the loop's first step; takes what `rehearse` takes, and a dtype."""

    def take(model: Model, dtype: torch.dtype, *, train: dict[str, Any], **parts: Any) -> Step:
        model.to(dtype)
        rehearsal = rehearse(
            model=model, train={"steps": 1, **train}, optim={"clip_norm": 1e9}, **parts
        )
        rehearsal.optimizers = rehearsal.keeper.optimizers = catcher = Catcher(model)
        forwards: list[int] = []
        handle = model.register_forward_pre_hook(lambda *_: forwards.append(model.training))
        rehearsal.go()
        handle.remove()
        (numbers,) = [numbers for _, _, numbers in rehearsal.log.steps]
        losses = {name: value for name, value in numbers.items() if name.endswith("_loss")}
        return Step(losses, catcher.gradients, sum(forwards))

    return take


@pytest.fixture
def assert_same_step() -> Callable[[Step, Step, torch.dtype], None]:
    """Losses and gradients agree within the contract's tolerance."""

    def check(found: Step, expected: Step, dtype: torch.dtype) -> None:
        tolerance = TOLERANCES[dtype]
        assert found.losses == pytest.approx(expected.losses, rel=tolerance)
        assert found.gradients.keys() == expected.gradients.keys()
        largest = max(float(g.abs().max()) for g in expected.gradients.values())
        assert largest > 1e-3, "a gradient of nothing proves nothing"
        differences = {
            name: float((found.gradients[name] - gradient).abs().max()) / largest
            for name, gradient in expected.gradients.items()
        }
        assert {n: d for n, d in differences.items() if not d <= tolerance} == {}

    return check
