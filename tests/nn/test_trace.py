from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from unmask.batch import Batch, pack
from unmask.nn.block import PostNormBlock
from unmask.nn.context import make_context
from unmask.nn.encoder import Encoder
from unmask.nn.trace import record


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
