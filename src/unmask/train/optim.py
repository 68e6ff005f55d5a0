"""Optimizers: AdamW for everything, or Muon for the matrices inside the blocks."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from unmask.nn.linear import Linear
from unmask.tasks.task import Model
from unmask.train.config import OptimConfig
from unmask.train.row_adamw import RowAdamW

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
"""Coefficients of the quintic iteration (Jordan et al. 2024, kellerjordan.github.io/posts/muon)."""


_IN_BLOCK = re.compile(r"(^|\.)encoder\.blocks\.")
"""In the names of parameters, of the one encoder or of a generator's."""


class Muon(torch.optim.Optimizer):
    """Momentum whose update is replaced by the nearest matrix with equal singular values.

    Jordan et al. 2024. The update of an (m, n) matrix is scaled by 0.2 sqrt(max(m, n)), so that
    its entries are about as large as AdamW's (Liu et al. 2025, arXiv 2502.16982, equation 4).
    A fused projection is taken apart into its `parts` first: three matrices, not one tall one.
    """

    def __init__(
        self,
        params: Iterable[tuple[Tensor, int]],
        learning_rate: float,
        momentum: float,
        iterations: int,
        weight_decay: float,
    ) -> None:
        pairs = list(params)
        self.parts = [parts for _, parts in pairs]
        defaults = {
            "lr": learning_rate,
            "momentum": momentum,
            "iterations": iterations,
            "weight_decay": weight_decay,
        }
        super().__init__([parameter for parameter, _ in pairs], defaults)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """One update of every parameter that has a gradient."""
        assert closure is None
        for group in self.param_groups:
            pieces: dict[tuple[int, int], list[tuple[Tensor, Tensor]]] = {}
            for parameter, parts in zip(group["params"], self.parts, strict=True):
                if parameter.grad is None:
                    continue
                direction = self._with_momentum(parameter, group["momentum"])
                parameter.mul_(1.0 - group["lr"] * group["weight_decay"])
                for target, update in zip(
                    parameter.chunk(parts), direction.chunk(parts), strict=True
                ):
                    rows, columns = update.shape
                    shape = (min(rows, columns), max(rows, columns))
                    pieces.setdefault(shape, []).append((target, update))
            for (_, longest), members in pieces.items():
                self._apply(members, longest, group["lr"], group["iterations"])

    def _with_momentum(self, parameter: Tensor, momentum: float) -> Tensor:
        """Nesterov's look-ahead over the running mean gradient."""
        state = self.state[parameter]
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(parameter)
        assert parameter.grad is not None
        state["momentum"].lerp_(parameter.grad, 1.0 - momentum)
        return parameter.grad.lerp(state["momentum"], momentum)

    @staticmethod
    def _apply(
        members: list[tuple[Tensor, Tensor]], longest: int, rate: float, iterations: int
    ) -> None:
        """Matrices of one shape go through the iteration together."""
        wide = torch.stack([u if u.shape[0] <= u.shape[1] else u.T for _, u in members])
        for (target, update), result in zip(members, orthogonalised(wide, iterations), strict=True):
            turned = result if update.shape[0] <= update.shape[1] else result.T
            target.add_(turned.to(target.dtype), alpha=-rate * 0.2 * longest**0.5)


def orthogonalised(matrices: Tensor, iterations: int) -> Tensor:
    """(B, m, n) with m <= n to matrices with the same singular vectors and values near one.

    In bfloat16, as its authors do: the result needs no more, and a CPU with bf16 doubles its rate.
    """
    a, b, c = NEWTON_SCHULZ
    x = matrices / (matrices.norm(dim=(1, 2), keepdim=True) + 1e-7)
    x = x.bfloat16()
    for _ in range(iterations):
        gram = x @ x.mT  # (B, m, m)
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    result: Tensor = x.to(matrices.dtype)
    return result


class Optimizers:
    """The optimizers of one run, stepped, scheduled and stored as one."""

    def __init__(
        self, model: Model, config: OptimConfig, scales: Mapping[str, float] | None = None
    ) -> None:
        """`scales` multiply AdamW's rate by parameter name; parameters without gradient rest."""
        matrices, others = _sorted(model, muon=config.name == "muon")
        sparse = {id(m.weight) for m in model.modules() if isinstance(m, nn.Embedding) and m.sparse}
        groups: dict[tuple[bool, float, float], list[nn.Parameter]] = {}
        for name, parameter in others:
            decay = config.weight_decay if parameter.ndim > 1 else 0.0
            kind = (id(parameter) in sparse, (scales or {}).get(name, 1.0), decay)
            groups.setdefault(kind, []).append(parameter)
        tables, plain = (
            [
                {"params": members, "weight_decay": decay, "lr": scale * config.learning_rate}
                for (is_table, scale, decay), members in groups.items()
                if is_table == wanted
            ]
            for wanted in (True, False)
        )
        self.names = {id(parameter): name for name, parameter in model.named_parameters()}
        self.members: list[torch.optim.Optimizer] = []
        if matrices:
            self.members.append(
                Muon(
                    matrices,
                    config.muon_learning_rate,
                    config.muon_momentum,
                    config.muon_iterations,
                    config.weight_decay,
                )
            )
        betas = (config.beta1, config.beta2)
        if tables:
            self.members.append(RowAdamW(tables, betas, config.epsilon))
        if plain:
            self.members.append(
                torch.optim.AdamW(plain, betas=betas, eps=config.epsilon, fused=True)
            )
        self.peaks = [[float(g["lr"]) for g in member.param_groups] for member in self.members]

    def step(self, learning_rate_share: float) -> None:
        """One update at a share 0..1 of the peak learning rates."""
        for member, peaks in zip(self.members, self.peaks, strict=True):
            for group, peak in zip(member.param_groups, peaks, strict=True):
                group["lr"] = peak * learning_rate_share
            member.step()

    def zero_grad(self) -> None:
        """Forgets all gradients."""
        for member in self.members:
            member.zero_grad(set_to_none=True)

    def tensors(self) -> dict[str, Tensor]:
        """The state as `parameter name.slot`, for a file of tensors."""
        return {
            f"{self.names[id(parameter)]}.{slot}": value
            for member in self.members
            for parameter in member.state
            for slot, value in _slots(member, parameter).items()
        }

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Takes back what `tensors` gave."""
        for member in self.members:
            for group in member.param_groups:
                for parameter in group["params"]:
                    prefix = f"{self.names[id(parameter)]}."
                    slots: dict[str, Any] = {
                        name.removeprefix(prefix): value.to(parameter.device, copy=True)
                        for name, value in tensors.items()
                        if name.startswith(prefix) and "." not in name.removeprefix(prefix)
                    }
                    if isinstance(member, RowAdamW):
                        if slots:
                            member.load_dense(parameter, slots)
                    else:
                        member.state[parameter] = slots


def _slots(member: torch.optim.Optimizer, parameter: Tensor) -> dict[str, Tensor]:
    if isinstance(member, RowAdamW):
        return member.dense_state(parameter)
    slots: dict[str, Tensor] = member.state[parameter]
    return slots


def _sorted(
    model: Model, *, muon: bool
) -> tuple[list[tuple[nn.Parameter, int]], list[tuple[str, nn.Parameter]]]:
    """Muon's matrices with their parts, and AdamW's parameters with their names."""
    matrices: list[tuple[nn.Parameter, int]] = []
    others: list[tuple[str, nn.Parameter]] = []
    parts = {id(m.weight): m.parts for m in model.modules() if isinstance(m, Linear)}
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        if muon and parameter.ndim == 2 and _IN_BLOCK.search(name):
            matrices.append((parameter, parts.get(id(parameter), 1)))
        else:
            others.append((name, parameter))
    return matrices, others
