from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

from unmask.batch import Batch, pack
from unmask.nn.encoder import Encoder

VOCAB_SIZE, LONGEST = 64, 64
TINY = settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
SEQUENCES = st.lists(
    st.lists(st.integers(0, VOCAB_SIZE - 1), min_size=1, max_size=LONGEST), min_size=1, max_size=7
)


@pytest.fixture
def encoder(make_model: Callable[..., torch.nn.Module]) -> Encoder:
    found = make_model().encoder
    assert isinstance(found, Encoder)
    return found.eval()


def batch_of(sequences: list[list[int]]) -> Batch:
    return pack(sequences, token_type_ids=[[i % 2 for i in range(len(s))] for s in sequences])


def gradients(encoder: Encoder, hidden: Tensor, weights: Tensor) -> Iterator[Tensor]:
    """Of a weighted sum of the hidden states, by every parameter."""
    parameters = list(encoder.parameters())
    yield from torch.autograd.grad((hidden * weights).sum(), parameters)


@TINY
@given(SEQUENCES)
def test_packing_changes_no_hidden_state(encoder: Encoder, sequences: list[list[int]]) -> None:
    alone = torch.cat([encoder(batch_of([sequence])) for sequence in sequences])

    together = encoder(batch_of(sequences))

    torch.testing.assert_close(together, alone, rtol=0.0, atol=1e-5)


@TINY
@given(SEQUENCES, st.randoms(use_true_random=False))
def test_order_changes_no_hidden_state(
    encoder: Encoder, sequences: list[list[int]], random: object
) -> None:
    order = list(range(len(sequences)))
    random.shuffle(order)  # type: ignore[attr-defined]
    batch = batch_of(sequences)
    parts = encoder(batch).split(list(batch.lengths))

    shuffled = encoder(batch_of([sequences[i] for i in order]))

    expected = torch.cat([parts[i] for i in order])
    torch.testing.assert_close(shuffled, expected, rtol=0.0, atol=1e-5)


@st.composite
def sequences_and_rows(draw: st.DrawFn) -> tuple[list[list[int]], list[int]]:
    sequences = draw(SEQUENCES)
    asking = [draw(st.booleans()) for _ in sequences]  # often some sequences have no row at all
    rows, start = [], 0
    for sequence, asks in zip(sequences, asking, strict=True):
        rows += [start + i for i in range(len(sequence)) if asks and draw(st.booleans())]
        start += len(sequence)
    return sequences, rows


@TINY
@given(sequences_and_rows())
def test_rows_that_are_read_come_out_the_same_in_value_and_gradient(
    encoder: Encoder, drawn: tuple[list[list[int]], list[int]]
) -> None:
    sequences, chosen = drawn
    encoder.double()
    batch, rows = batch_of(sequences), torch.tensor(chosen, dtype=torch.int64)
    generator = torch.Generator().manual_seed(0)
    weights = torch.randn(len(chosen), encoder.hidden_size, generator=generator).double()
    whole = encoder(batch)[rows]

    trimmed = encoder(batch, rows)

    assert trimmed.shape == (len(chosen), encoder.hidden_size)
    torch.testing.assert_close(trimmed, whole, rtol=0.0, atol=1e-10)
    found, expected = gradients(encoder, trimmed, weights), gradients(encoder, whole, weights)
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("lengths", [[1], [1, 1, 1], [64, 1, 63, 2, 1, 40, 39, 64], [5, 4, 5]])
@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_any_mix_of_lengths_can_be_trained_on(
    lengths: list[int], dropout: float, make_model: Callable[..., torch.nn.Module]
) -> None:
    encoder = make_model(hidden_dropout_prob=dropout, attention_probs_dropout_prob=dropout).encoder
    batch = batch_of([[i % VOCAB_SIZE for i in range(length)] for length in lengths])

    hidden = encoder.train()(batch)
    hidden.square().sum().backward()

    assert torch.isfinite(hidden).all()
    assert all(torch.isfinite(p.grad).all() for p in encoder.parameters() if p.grad is not None)


def test_every_setting_of_a_token_reaches_its_hidden_state(encoder: Encoder) -> None:
    plain = encoder(pack([[7, 8, 9]]))

    assert not torch.allclose(plain, encoder(pack([[7, 8, 9]], token_type_ids=[[0, 0, 1]])))
    assert not torch.allclose(plain[0], encoder(pack([[8, 7, 9]]))[1])


def test_blocks_are_visited_in_the_given_order(encoder: Encoder) -> None:
    batch = pack([[7, 8, 9, 10]])
    forwards = encoder(batch)
    encoder.order = (1, 0)
    backwards = encoder(batch)
    encoder.order = (0, 0)

    assert not torch.allclose(forwards, backwards)
    assert not torch.allclose(encoder(batch), backwards)


@pytest.mark.parametrize("rows", [None, [0, 3, 12], [5] * 9])
def test_the_rows_that_fill_up_a_batch_change_neither_values_nor_gradients(
    rows: list[int] | None, encoder: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    exact = encoder.double()
    batch = batch_of([[2, 9, 8, 3], [7], [2, 30, 31, 32, 33, 34, 35, 3]])  # 13 rows of 16
    asking = None if rows is None else torch.tensor(rows)
    filled = exact(batch, asking)
    monkeypatch.setattr("unmask.nn.encoder.rounded_up", lambda num_rows: num_rows)
    plain = exact(batch, asking)

    weights = torch.randn(plain.shape, generator=torch.Generator().manual_seed(0)).double()
    torch.testing.assert_close(filled, plain, rtol=0.0, atol=1e-10)
    for ours, theirs in zip(
        gradients(exact, filled, weights), gradients(exact, plain, weights), strict=True
    ):
        torch.testing.assert_close(ours, theirs, rtol=0.0, atol=1e-10)


def test_filling_up_a_batch_reads_no_other_row_of_a_table(encoder: Encoder) -> None:
    encoder.embedding.tokens.sparse = True  # type: ignore[union-attr,assignment]

    encoder(pack([[9, 8, 7]])).sum().backward()

    gradient = encoder.embedding.tokens.weight.grad  # type: ignore[union-attr]
    assert set(gradient.coalesce().indices()[0].tolist()) == {7, 8, 9}  # type: ignore[union-attr,operator]
