from __future__ import annotations

import pytest
import torch

from unmask.nn.attention import SelfAttention
from unmask.nn.context import make_context
from unmask.nn.projections import QueryKeyValue
from unmask.nn.written_out import attend

CPU = torch.device("cpu")


def attention(dropout_rate: float) -> SelfAttention:
    torch.manual_seed(0)
    return SelfAttention(QueryKeyValue(16), 4, dropout_rate).train()


@pytest.mark.parametrize("lengths", [(6, 6), (9, 2, 1, 8)])
def test_the_written_out_form_used_for_dropout_is_the_same_attention(
    lengths: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    fused, written_out = attention(0.0), attention(0.1)
    monkeypatch.setattr("unmask.nn.dropout.apply_mask", lambda x, *_: x)
    x = torch.randn(sum(lengths), 16)
    context = make_context(lengths, CPU)

    assert written_out.dropout.active
    torch.testing.assert_close(written_out(x, context), fused(x, context), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("rows", [None, [0, 5, 9, 10, 11, 19]])
def test_gradients_through_the_groups_are_those_of_each_sequence_alone(
    rows: list[int] | None,
) -> None:
    """The lengths make two groups, one of them padded."""
    module = attention(0.0).double()
    lengths = (80, 9, 2, 1, 8)
    x = torch.randn(sum(lengths), 16, dtype=torch.float64, requires_grad=True)
    asking = torch.arange(len(x)) if rows is None else torch.tensor(rows)
    context = make_context(lengths, CPU)
    assert [group.mask is None for group in context.groups] == [True, False]

    packed = module(x, context) if rows is None else module(x, context.at(asking), asking)
    alone = torch.cat([module(part, make_context((len(part),), CPU)) for part in x.split(lengths)])
    weight = torch.randn_like(packed)
    found = torch.autograd.grad((packed * weight).sum(), [x, *module.parameters()])
    wanted = torch.autograd.grad((alone[asking] * weight).sum(), [x, *module.parameters()])

    torch.testing.assert_close(packed, alone[asking])
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("rate", [0.0, 0.3])
@pytest.mark.parametrize("is_masked", [False, True])
def test_gradients_of_the_written_out_form_are_those_of_finite_differences(
    rate: float, is_masked: bool
) -> None:
    torch.manual_seed(0)
    mask = (
        torch.tensor([[True] * 4, [True, True, False, False]])[:, None, None] if is_masked else None
    )
    inputs = [torch.randn(2, 3, t, 5, dtype=torch.float64, requires_grad=True) for t in (3, 4, 4)]

    def same_drops(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        torch.manual_seed(1)
        return attend(q, k, v, mask, rate)

    assert torch.autograd.gradcheck(same_drops, inputs)


def test_dropout_falls_on_weights_and_keeps_their_mean() -> None:
    module = attention(0.25)
    x, context = torch.randn(5, 16), make_context((5,), CPU)
    plain = module.eval()(x, context)
    module.train()

    with torch.no_grad():
        found = torch.stack([module(x, context) for _ in range(4000)])

    assert found.std(dim=0).min() > 0
    # Five standard errors, the spread being measured too.
    assert ((found.mean(dim=0) - plain).abs() < 5 * found.std(dim=0) / 4000**0.5).all()
