from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from unmask.batch import Batch, pack
from unmask.checkpoint.assemble import assemble
from unmask.models.config import DebertaV2Config
from unmask.nn.block import PostNormBlock
from unmask.nn.context import make_context
from unmask.nn.encoder import Encoder
from unmask.nn.init import initialise
from unmask.nn.trace import record
from unmask.tasks.task import Model


@pytest.fixture
def encoder(make_model: Callable[..., torch.nn.Module]) -> Encoder:
    found = make_model().encoder
    assert isinstance(found, Encoder)
    return found.eval()


@pytest.fixture
def batch() -> Batch:
    return pack([[2, 9, 8, 3], [7], [2, 30, 31, 32, 33, 34, 35, 3]])


def test_weights_sum_to_one_for_every_head_and_token(encoder: Encoder, batch: Batch) -> None:
    with record(encoder) as trace:
        encoder(batch)

    assert [[tuple(w.shape) for w in block] for block in trace.attentions] == [
        [(2, 4, 4), (2, 1, 1), (2, 8, 8)]
    ] * 2
    for weights in (w for block in trace.attentions for w in block):
        torch.testing.assert_close(weights.sum(-1), torch.ones(weights.shape[:2]))


def test_weights_times_values_are_what_attention_gives(encoder: Encoder, batch: Batch) -> None:
    with record(encoder) as trace:
        encoder(batch)

    for block, entering, weights in zip(
        encoder.blocks, trace.hidden_states, trace.attentions, strict=False
    ):
        assert isinstance(block, PostNormBlock)
        attention = block.attention
        value = attention.qkv(entering).chunk(3, dim=-1)[2]  # (N, D)
        parts = [v.unflatten(-1, (2, -1)).transpose(0, 1) for v in value.split([4, 1, 8])]
        mixed = [(w @ v).transpose(0, 1).flatten(1) for w, v in zip(weights, parts, strict=True)]
        context = make_context(batch.lengths, torch.device("cpu"))
        expected = attention(entering, context)
        torch.testing.assert_close(
            attention.output(torch.cat(mixed)), expected, rtol=1e-5, atol=1e-5
        )


def test_hidden_states_lead_from_the_embedding_to_the_output(
    encoder: Encoder, batch: Batch
) -> None:
    with record(encoder) as trace:
        final = encoder(batch)

    embedded = encoder.embedding(batch.input_ids, batch.position_ids, batch.token_type_ids)
    assert len(trace.hidden_states) == 3
    assert torch.equal(trace.hidden_states[0], embedded)
    assert torch.equal(trace.hidden_states[-1], final)


def test_recording_changes_no_answer_and_stops_at_the_end(encoder: Encoder, batch: Batch) -> None:
    plain = encoder(batch)
    with record(encoder) as trace:
        recorded = encoder(batch)

    assert torch.equal(encoder(batch), plain)
    assert torch.equal(recorded, plain)
    assert len(trace.hidden_states) == 3


def test_rows_that_were_asked_for_are_all_that_the_last_block_gives(
    encoder: Encoder, batch: Batch
) -> None:
    with record(encoder) as trace:
        found = encoder(batch, torch.tensor([0, 5]))

    assert [len(hidden) for hidden in trace.hidden_states] == [13, 13, 2]
    assert torch.equal(trace.hidden_states[-1], found)


def test_a_row_that_is_asked_for_by_name_is_all_the_same(encoder: Encoder, batch: Batch) -> None:
    with record(encoder) as trace:
        encoder(batch=batch, rows=torch.tensor([0, 5]))

    assert [len(hidden) for hidden in trace.hidden_states] == [13, 13, 2]


def test_what_a_part_computes_by_itself_is_not_recorded(encoder: Encoder, batch: Batch) -> None:
    with record(encoder) as trace:
        encoder(batch)
        encoder.embedding(batch.input_ids, batch.position_ids, batch.token_type_ids)

    assert len(trace.hidden_states) == 3


class EveryOther:
    """A task that reads every other position."""

    def rows(self, batch: Batch) -> Tensor:
        return torch.arange(batch.num_tokens)[::2]

    def outputs(self, _heads: Any, hidden: Tensor, _batch: Batch) -> dict[str, Tensor]:
        return {"hidden": hidden}


@pytest.fixture(params=[True, False], ids=["by distance", "by content alone"])
def asked_twice(request: pytest.FixtureRequest) -> Model:
    """A DeBERTa whose mask decoder asks the last block twice."""
    compares = {} if request.param else {"relative_attention": False, "norm_rel_ebd": "none"}
    config = DebertaV2Config(
        vocab_size=64,
        hidden_size=24,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=40,
        max_position_embeddings=26,
        position_buckets=8,
        **compares,
    )
    model = assemble(config, {"mlm"})
    initialise(model, 0.3, torch.Generator().manual_seed(0))
    return model.eval()


def answered(model: Model, states: Tensor, queries: Tensor, weights: list[Tensor]) -> Tensor:
    """What the last block makes of `queries` (M, D) that look at `states` (N, D) as recorded."""
    block: Any = model.encoder.blocks[-1]
    value = block.attention.qkv(states).chunk(3, dim=-1)[2]
    parts = [v.unflatten(-1, (2, -1)).transpose(0, 1) for v in value.split([4, 1, 8])]
    mixed = [(w @ v).transpose(0, 1).flatten(1) for w, v in zip(weights, parts, strict=True)]
    x = block.attention_norm(queries + block.attention.output(torch.cat(mixed)))
    normed: Tensor = block.feedforward_norm(x + block.feedforward(x))
    return normed


@pytest.mark.parametrize("earlier", [[], [[5, 6]]], ids=["first", "after another batch"])
def test_what_a_mask_decoder_asks_of_the_last_block_is_recorded(
    asked_twice: Model, batch: Batch, earlier: list[list[int]]
) -> None:
    model, encoder = asked_twice, asked_twice.encoder
    with torch.no_grad(), record(encoder) as trace:
        for ids in earlier:
            encoder(pack([ids]))
        start = len(trace.hidden_states), len(trace.attentions)
        found = model(batch, EveryOther())["hidden"]

    embedded, before, first, second = trace.hidden_states[start[0] :]
    usual, *asked = trace.attentions[start[1] :]
    ids = batch.input_ids, batch.position_ids, batch.token_type_ids
    assert torch.equal(embedded, encoder.embedding(*ids))
    assert torch.equal(second, found)
    assert [tuple(w.shape) for w in usual] == [(2, 4, 4), (2, 1, 1), (2, 8, 8)]
    queries = before[::2] + model.decoder.positions(batch.position_ids[::2])
    for weights, found in zip(asked, (first, second), strict=True):
        assert [tuple(w.shape) for w in weights] == [(2, 2, 4), (2, 1, 1), (2, 4, 8)]
        expected = answered(model, before, queries, weights)
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
        queries = found


def test_a_mask_decoder_that_reads_everything_asks_for_every_row(
    asked_twice: Model, batch: Batch
) -> None:
    with torch.no_grad(), record(asked_twice.encoder) as trace:
        found = asked_twice.decoder(asked_twice.encoder, batch, None)

    assert [len(hidden) for hidden in trace.hidden_states] == [13] * 4
    assert torch.equal(trace.hidden_states[-1], found)
    for block in trace.attentions:
        assert [tuple(w.shape) for w in block] == [(2, 4, 4), (2, 1, 1), (2, 8, 8)]
