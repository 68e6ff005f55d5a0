"""AdamW for a table of which a step reads few rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.adamw import adamw

from unmask.tasks.task import Model


def look_up_sparsely(model: Model) -> None:
    """Lets the gradient of the tokens' vectors hold only the rows that were looked up.

    Not where another module shares these weights, as a tied decoder does: its gradient has every
    row. Gradients that are exchanged between processes must stay dense. Other tables are small, and
    some families read all of theirs.
    """
    tokens = model.encoder.get_submodule("embedding.tokens")
    if not isinstance(tokens, nn.Embedding) or not tokens.weight.requires_grad:
        return
    owners = [m for m in model.modules() for p in m.parameters(recurse=False) if p is tokens.weight]
    if len(owners) == 1:
        tokens.sparse = True
        tokens.weight.register_post_accumulate_grad_hook(_joined)  # type: ignore[no-untyped-call]


def _joined(table: Tensor) -> None:
    """Adds up rows that stand in a gradient several times, once they outnumber the table's."""
    gradient = table.grad
    if gradient is not None and gradient.is_sparse and gradient._nnz() > len(table):
        table.grad = gradient.coalesce()


class RowAdamW(torch.optim.Optimizer):
    """Plain AdamW (Loshchilov and Hutter 2019), reckoned where it is more than weight decay.

    A row that has never had a gradient has no moments, so all that AdamW does to it is decay.
    Moments are held for the other rows alone.
    """

    def __init__(
        self,
        params: Iterable[dict[str, Any]],
        betas: tuple[float, float],
        epsilon: float,
    ) -> None:
        """Takes groups of (V, D) tables, each with "lr" and "weight_decay"."""
        super().__init__(params, {"betas": betas, "eps": epsilon})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """One update of every table that has a gradient."""
        assert closure is None
        for group in self.param_groups:
            for table in group["params"]:
                if table.grad is not None:
                    self._update(table, group)

    def _update(self, table: Tensor, group: dict[str, Any]) -> None:
        assert table.grad is not None
        gradient = table.grad.coalesce()
        state = self.state[table] or self._admitted(table, torch.empty(0, dtype=torch.int64))
        (rows,) = gradient.indices()
        new = rows[state["places"][rows] < 0]
        if len(new):
            state = self._admitted(table, new)
        known = state["rows"]
        dense = torch.zeros_like(state["exp_avg"])
        dense[state["places"][rows]] = gradient.values()
        table.mul_(1.0 - group["lr"] * group["weight_decay"])
        updated = table.index_select(0, known)
        adamw(
            [updated],
            [dense],
            [state["exp_avg"]],
            [state["exp_avg_sq"]],
            [],
            [state["step"]],
            fused=True,
            amsgrad=False,
            beta1=group["betas"][0],
            beta2=group["betas"][1],
            lr=group["lr"],
            weight_decay=0.0,
            eps=group["eps"],
            maximize=False,
        )
        table.index_copy_(0, known, updated)

    def _admitted(self, table: Tensor, new: Tensor) -> dict[str, Tensor]:
        """The state with room for the moments of more rows."""
        state: dict[str, Tensor] = self.state[table]
        if not state:
            state |= {
                "step": torch.zeros((), device=table.device),
                "rows": torch.empty(0, dtype=torch.int64, device=table.device),
                "places": torch.full((len(table),), -1, device=table.device),
                "exp_avg": table.new_zeros(0, table.shape[1]),
                "exp_avg_sq": table.new_zeros(0, table.shape[1]),
            }
        first = len(state["rows"])
        state["places"][new] = torch.arange(first, first + len(new), device=table.device)
        state["rows"] = torch.cat([state["rows"], new])
        empty = table.new_zeros(len(new), table.shape[1])
        for name in ("exp_avg", "exp_avg_sq"):
            state[name] = torch.cat([state[name], empty])
        return state

    def dense_state(self, table: Tensor) -> dict[str, Tensor]:
        """The state as torch's AdamW has it: moments for every row, zero where there are none."""
        state = self.state[table]
        dense = {"step": state["step"]}
        for name in ("exp_avg", "exp_avg_sq"):
            dense[name] = torch.zeros_like(table).index_copy_(0, state["rows"], state[name])
        return dense

    def load_dense(self, table: Tensor, dense: dict[str, Tensor]) -> None:
        """Takes back what `dense_state` gave; a row without any moment needs none."""
        self.state.pop(table, None)
        rows = (dense["exp_avg_sq"] != 0).any(dim=1).nonzero().squeeze(1)
        state = self._admitted(table, rows)
        state["step"] = dense["step"]
        for name in ("exp_avg", "exp_avg_sq"):
            state[name] = dense[name].index_select(0, rows)
