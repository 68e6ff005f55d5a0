"""Biases by distance: their buckets, their gradient, and that few rows read what all rows do."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional
from transformers.models.mpnet.modeling_mpnet import MPNetEncoder

from unmask.nn import written_out
from unmask.nn.attention import SelfAttention
from unmask.nn.context import make_context
from unmask.nn.projections import QueryKeyValue
from unmask.nn.relative_bias import BiasedSelfAttention, RelativeBiasContext, bucket

LENGTHS = (3, 150, 40, 40, 1)


def positions(lengths: tuple[int, ...]) -> torch.Tensor:
    return torch.cat([torch.arange(length) for length in lengths])


@pytest.fixture
def context() -> RelativeBiasContext:
    torch.manual_seed(0)
    return RelativeBiasContext(32, 4, 128).double()


@pytest.fixture
def attention() -> BiasedSelfAttention:
    torch.manual_seed(1)
    return BiasedSelfAttention(QueryKeyValue(24), 4, 0.0).double()


@pytest.mark.parametrize(("num_buckets", "max_distance"), [(32, 128), (16, 20), (8, 512)])
def test_buckets_are_those_of_t5(num_buckets: int, max_distance: int) -> None:
    distances = torch.arange(-700, 701)
    theirs = MPNetEncoder.relative_position_bucket(distances, num_buckets, max_distance)
    assert torch.equal(bucket(distances, num_buckets, max_distance), theirs)


def test_every_pair_of_tokens_has_the_bias_of_its_distance(context: RelativeBiasContext) -> None:
    biases = context((5, 300), positions((5, 300))).biases
    where = torch.arange(300)
    buckets = bucket(where[None, :] - where[:, None], 32, 128)
    assert torch.equal(biases, context.table(buckets).permute(2, 0, 1))


@pytest.mark.parametrize("lengths", [(150,), (40, 40), LENGTHS], ids=str)
def test_attention_is_what_its_weights_say(
    context: RelativeBiasContext, attention: BiasedSelfAttention, lengths: tuple[int, ...]
) -> None:
    x = torch.randn(sum(lengths), 24, dtype=torch.float64)
    made = context(lengths, positions(lengths))
    with torch.no_grad():
        value = attention.qkv(x)[:, 48:].view(-1, 4, 6)
        expected = [
            torch.einsum("hqk,khw->qhw", weights, v).flatten(1)
            for weights, v in zip(
                attention.probabilities(x, made), value.split(lengths), strict=True
            )
        ]
        answered = attention(x, made)
    torch.testing.assert_close(answered, attention.output(torch.cat(expected)))
    trained = attention(x, made)  # by way of the plain products
    torch.testing.assert_close(trained, answered)


@pytest.mark.parametrize("lengths", [(40, 40), LENGTHS], ids=str)
@pytest.mark.parametrize("picked", ["starts", "some", "one"])
def test_few_rows_read_what_all_rows_do_and_teach_the_table_the_same(
    context: RelativeBiasContext,
    attention: BiasedSelfAttention,
    lengths: tuple[int, ...],
    picked: str,
) -> None:
    where = positions(lengths)
    rows = {
        "starts": (where == 0).nonzero().squeeze(1),
        "some": torch.arange(len(where))[2::7],
        "one": torch.tensor([len(where) // 2]),
    }[picked]
    x = torch.randn(len(where), 24, dtype=torch.float64)
    weight = torch.randn(len(rows), 24, dtype=torch.float64)
    few = attention(x, context(lengths, where).at(rows), rows)
    every = attention(x, context(lengths, where))[rows]
    few_gradient, every_gradient = (
        torch.autograd.grad((output * weight).sum(), context.table.weight)[0]
        for output in (few, every)
    )
    assert few_gradient.any()
    torch.testing.assert_close(few, every)
    torch.testing.assert_close(few_gradient, every_gradient)


@pytest.mark.parametrize("shape", [(1, 2, 5, 7), (3, 2, 5, 7)], ids=str)
@pytest.mark.parametrize("masked", [False, True])
def test_what_is_added_has_the_gradient_of_torchs_attention(
    shape: tuple[int, ...], masked: bool
) -> None:
    generator = torch.Generator().manual_seed(2)
    q, k, v, bias = (
        torch.randn(size, generator=generator, dtype=torch.float64, requires_grad=True)
        for size in ((3, 2, 5, 4), (3, 2, 7, 4), (3, 2, 7, 4), shape)
    )
    mask = torch.arange(7).expand(3, 1, 1, 7) < torch.tensor([7, 4, 1]).view(3, 1, 1, 1)
    added = bias.masked_fill(~mask, float("-inf")) if masked else bias
    theirs = functional.scaled_dot_product_attention(q, k, v, attn_mask=added.expand(3, 2, 5, 7))
    ours = written_out.attend(q, k, v, mask if masked else None, 0.0, bias)
    torch.testing.assert_close(ours, theirs)
    weight = torch.randn(ours.shape, generator=generator, dtype=torch.float64)
    for one, other in zip(
        torch.autograd.grad((ours * weight).sum(), (q, k, v, bias)),
        torch.autograd.grad((theirs * weight).sum(), (q, k, v, bias)),
        strict=True,
    ):
        torch.testing.assert_close(one, other)


def test_without_biases_it_is_plain_attention_with_the_same_dropout(
    context: RelativeBiasContext, attention: BiasedSelfAttention
) -> None:
    plain = SelfAttention(QueryKeyValue(24), 4, 0.3).double()
    plain.load_state_dict(attention.state_dict())
    attention.dropout.rate = 0.3
    torch.nn.init.zeros_(context.table.weight)
    where = positions(LENGTHS)
    x = torch.randn(len(where), 24, dtype=torch.float64)
    torch.manual_seed(5)
    biased = attention(x, context(LENGTHS, where))
    torch.manual_seed(5)
    torch.testing.assert_close(biased, plain(x, make_context(LENGTHS, x.device)))
    assert not torch.allclose(biased, attention.eval()(x, context(LENGTHS, where)))
