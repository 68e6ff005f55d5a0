from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from unmask.batch import pack
from unmask.checkpoint.assemble import assemble
from unmask.models.config import CONFIGS, FamilyName
from unmask.tasks.task import Model
from unmask.train.config import OptimConfig
from unmask.train.gradients import clip
from unmask.train.optim import Optimizers
from unmask.train.row_adamw import RowAdamW, look_up_sparsely

CONFIG = OptimConfig(weight_decay=0.1, learning_rate=0.05)
LOOKED_UP = ([3, 3, 0], [5], [0, 5, 7, 7], [2], [3, 7])
SHARES = (0.0, 0.5, 1.0, 0.7, 0.2)


class Lookup(Model):
    """A table of 9 rows, of which no step reads all, and a matrix."""

    def __init__(self, *, sparse: bool) -> None:
        nn.Module.__init__(self)
        generator = torch.Generator().manual_seed(0)
        self.table = nn.Embedding(9, 4)
        self.matrix = nn.Linear(4, 2)
        for parameter in self.parameters():
            parameter.data.normal_(generator=generator)
        self.table.sparse = sparse
        self.optimizers = Optimizers(self, CONFIG, {"table.weight": 0.5})

    def step(self, number: int) -> None:
        rows = torch.tensor(LOOKED_UP[number])
        self.matrix(self.table(rows)).square().sum().backward()
        self.optimizers.step(SHARES[number])
        self.optimizers.zero_grad()


def weights(model: nn.Module) -> dict[str, Tensor]:
    return {name: parameter.detach().clone() for name, parameter in model.named_parameters()}


def test_it_is_adamw_at_every_row_after_every_step() -> None:
    sparse, dense = Lookup(sparse=True), Lookup(sparse=False)
    assert [type(member) for member in sparse.optimizers.members] == [RowAdamW, torch.optim.AdamW]

    for number in range(len(LOOKED_UP)):
        sparse.step(number)
        dense.step(number)
        for name, expected in weights(dense).items():
            torch.testing.assert_close(weights(sparse)[name], expected, rtol=1e-6, atol=1e-7)


def test_a_row_without_gradient_costs_no_moments() -> None:
    model = Lookup(sparse=True)

    model.step(0)
    model.step(1)

    state = model.optimizers.members[0].state[model.table.weight]
    assert sorted(state["rows"].tolist()) == [0, 3, 5]
    assert state["exp_avg"].shape == state["exp_avg_sq"].shape == (3, 4)


@pytest.mark.parametrize("then_sparse", [True, False])
@pytest.mark.parametrize("first_sparse", [True, False])
def test_a_stored_state_goes_on_by_either_form(first_sparse: bool, then_sparse: bool) -> None:
    """A run begun by one process may go on by two, whose gradients are dense."""
    undisturbed, first = Lookup(sparse=False), Lookup(sparse=first_sparse)
    for number in range(len(LOOKED_UP)):
        undisturbed.step(number)
    for number in range(3):
        first.step(number)
    then = Lookup(sparse=then_sparse)
    then.load_state_dict(first.state_dict())
    then.optimizers.load(first.optimizers.tensors())

    for number in range(3, len(LOOKED_UP)):
        then.step(number)

    for name, expected in weights(undisturbed).items():
        torch.testing.assert_close(weights(then)[name], expected, rtol=1e-6, atol=1e-7)


def test_a_table_that_a_decoder_shares_stays_dense(make_model: Callable[..., Model]) -> None:
    model = make_model()

    look_up_sparsely(model)

    assert not model.get_submodule("encoder.embedding.tokens").sparse


@pytest.mark.parametrize("family", CONFIGS)
def test_a_step_of_every_family_is_that_of_dense_gradients(family: FamilyName) -> None:
    padding = {"pad_token_id": 1} if family == "mpnet" else {}
    config = CONFIGS[family](**{**CONFIGS[family].preset("tiny"), "vocab_size": 50, **padding})
    batch = pack([[7, 9, 9, 12], [7, 30]])
    after = []
    for sparse in (False, True):
        torch.manual_seed(0)
        model = assemble(config.with_dropout(0.0), {"classifier"}, 3).train()
        if sparse:
            look_up_sparsely(model)
            assert model.get_submodule("encoder.embedding.tokens").sparse
        optimizers = Optimizers(model, OptimConfig())
        model.heads["classifier"](model.encoder(batch)).square().sum().backward()
        clip(model.parameters(), 1.0)
        optimizers.step(1.0)
        after.append(weights(model))
    for name, expected in after[0].items():
        torch.testing.assert_close(after[1][name], expected, rtol=1e-5, atol=1e-6)


def test_a_gradient_never_holds_many_more_rows_than_the_table() -> None:
    config = CONFIGS["bert"].model_validate(
        {"vocab_size": 9, "hidden_size": 4, "num_hidden_layers": 1, "num_attention_heads": 1,
         "intermediate_size": 4}
    )  # fmt: skip
    model = assemble(config, ())
    table = model.encoder.get_submodule("embedding.tokens").weight
    assert isinstance(table, nn.Parameter)
    tokens = [1, 2, 3, 4, 5, 1, 2]
    model.encoder(pack([tokens])).sum().backward()
    assert table.grad is not None
    expected = 20 * table.grad
    table.grad = None
    look_up_sparsely(model)

    for _ in range(20):
        model.encoder(pack([tokens])).sum().backward()

    assert table.grad._nnz() <= len(table) + len(tokens)
    torch.testing.assert_close(table.grad.to_dense(), expected)
