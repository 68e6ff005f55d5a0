from __future__ import annotations

import pytest
import torch

from unmask.nn.attention import SelfAttention
from unmask.nn.context import make_context

CPU = torch.device("cpu")


def attention(dropout_rate: float) -> SelfAttention:
    torch.manual_seed(0)
    return SelfAttention(hidden_size=16, num_attention_heads=4, dropout_rate=dropout_rate).train()


@pytest.mark.parametrize("lengths", [(6, 6), (9, 2, 1, 8)])
def test_the_written_out_form_used_for_dropout_is_the_same_attention(
    lengths: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    fused, written_out = attention(0.0), attention(0.1)
    monkeypatch.setattr(written_out.dropout, "forward", lambda x: x)
    x = torch.randn(sum(lengths), 16)
    context = make_context(lengths, CPU)

    assert written_out.dropout.active
    torch.testing.assert_close(written_out(x, context), fused(x, context), rtol=1e-5, atol=1e-6)


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
