"""The same loss and gradient, whatever the micro-batch, packing, order or number of processes."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from unmask.batch import IGNORED, Batch
from unmask.data.loader import Cursor, Source, take
from unmask.data.masking import Masker
from unmask.tasks.task import Model

LENGTH = 12
BATCH_SIZE = 8

both_terms = pytest.mark.parametrize("next_sentence", [False, True], ids=["mlm", "mlm+nsp"])
both_types = pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["fp64", "fp32"])


@dataclass(frozen=True)
class Reordered:
    """The same samples in another order within the batch."""

    source: Source

    def __len__(self) -> int:
        return len(self.source)

    def batch(self, sample_ids: np.ndarray, epochs: np.ndarray, /) -> Batch:
        order = np.random.default_rng(1).permutation(len(sample_ids))
        return self.source.batch(sample_ids[order], epochs[order])


@dataclass(frozen=True)
class Starved:
    """Masks, then takes back every label of two thirds of the sequences."""

    masker: Masker

    def __call__(self, batch: Batch, epochs: Any, _progress: float = 0.0) -> Batch:
        masked = self.masker(batch, epochs)
        lengths = torch.tensor(masked.lengths)
        starving = torch.repeat_interleave(masked.sample_ids % 3 != 0, lengths)
        labels = masked.labels["mlm"].masked_fill(starving, IGNORED)
        return replace(masked, labels={**masked.labels, "mlm": labels})


@both_types
@both_terms
@pytest.mark.parametrize(("micro_batch_tokens", "num_forwards"), [(2 * LENGTH, 4), (1, 8)])
def test_accumulation_does_not_change_the_gradient(
    micro_batch_tokens: int,
    num_forwards: int,
    next_sentence: bool,
    dtype: torch.dtype,
    make_model: Callable[..., Model],
    make_sentences: Callable[..., Source],
    one_step: Callable[..., Any],
    assert_same_step: Callable[..., None],
) -> None:
    model = make_model(next_sentence=next_sentence)
    source = make_sentences(longest=LENGTH, uneven=False, pairs=next_sentence)
    whole = one_step(model, dtype, source=source, train={"batch_size": BATCH_SIZE})
    settings = {"batch_size": BATCH_SIZE, "micro_batch_tokens": micro_batch_tokens}

    parts = one_step(model, dtype, source=source, train=settings)

    assert (whole.num_forwards, parts.num_forwards) == (1, num_forwards)
    assert_same_step(parts, whole, dtype)


@both_types
@both_terms
@pytest.mark.parametrize("micro_batch_tokens", [1, 30, 60])
def test_uneven_counts_of_picked_tokens_do_not_change_the_gradient(
    micro_batch_tokens: int,
    next_sentence: bool,
    dtype: torch.dtype,
    make_model: Callable[..., Model],
    make_masker: Callable[..., Masker],
    one_step: Callable[..., Any],
    assert_same_step: Callable[..., None],
) -> None:
    model = make_model(next_sentence=next_sentence)
    starved = Starved(make_masker())
    whole = one_step(model, dtype, transform=starved, train={"batch_size": BATCH_SIZE})
    settings = {"batch_size": BATCH_SIZE, "micro_batch_tokens": micro_batch_tokens}

    parts = one_step(model, dtype, transform=starved, train=settings)

    assert parts.num_forwards > whole.num_forwards == 1
    assert_same_step(parts, whole, dtype)


@both_types
@both_terms
def test_order_within_the_batch_does_not_change_the_gradient(
    next_sentence: bool,
    dtype: torch.dtype,
    make_model: Callable[..., Model],
    make_sentences: Callable[..., Source],
    one_step: Callable[..., Any],
    assert_same_step: Callable[..., None],
) -> None:
    model = make_model(next_sentence=next_sentence)
    source = make_sentences(pairs=next_sentence)
    settings = {"batch_size": BATCH_SIZE, "micro_batch_tokens": 50}
    in_order = one_step(model, dtype, source=source, train=settings)

    reordered = one_step(model, dtype, source=Reordered(source), train=settings)

    assert_same_step(reordered, in_order, dtype)


@pytest.mark.parametrize("micro_batch_tokens", [1, 30])
def test_neither_packing_nor_order_changes_the_gradient_of_any_family(
    micro_batch_tokens: int,
    family: str,
    make_of: Callable[..., tuple[Model, Any]],
    make_sentences: Callable[..., Source],
    make_masker: Callable[..., Masker],
    one_step: Callable[..., Any],
    assert_same_step: Callable[..., None],
) -> None:
    """Some sequences have no picked token, and with one token a micro-batch each goes alone."""
    model, _ = make_of(family, {"mlm"})
    source, starved = make_sentences(), Starved(make_masker())
    settings = {"batch_size": BATCH_SIZE}
    whole = one_step(model, torch.float64, source=source, transform=starved, train=settings)

    settings["micro_batch_tokens"] = micro_batch_tokens
    for one in (source, Reordered(source)):
        parts = one_step(model, torch.float64, source=one, transform=starved, train=settings)
        assert parts.num_forwards > whole.num_forwards == 1
        assert_same_step(parts, whole, torch.float64)


@both_types
@both_terms
@pytest.mark.parametrize("rate", [0.15, 0.5])
def test_packing_gives_the_gradient_of_a_padded_batch(
    rate: float,
    next_sentence: bool,
    dtype: torch.dtype,
    make_model: Callable[..., Model],
    make_sentences: Callable[..., Source],
    make_masker: Callable[..., Masker],
    one_step: Callable[..., Any],
    assert_same_step: Callable[..., None],
) -> None:
    model = make_model(next_sentence=next_sentence)
    source, mask = make_sentences(pairs=next_sentence), make_masker(seed=3, rate=rate)
    settings = {"batch_size": BATCH_SIZE}
    packed = one_step(model, dtype, source=source, transform=mask, train=settings)
    sample_ids, epochs, _ = take(source, Cursor(), BATCH_SIZE, seed=0)
    batch = mask(source.batch(sample_ids, epochs), epochs)
    assert len(set(batch.lengths)) > 4

    losses = padded_losses(dict(model.named_parameters()), batch, next_sentence=next_sentence)
    torch.stack(list(losses.values())).sum().backward()

    gradients = {name: parameter.grad for name, parameter in model.named_parameters()}
    values = {f"{name}_loss": loss.item() for name, loss in losses.items()}
    assert_same_step(packed, replace(packed, losses=values, gradients=gradients), dtype)


def padded_losses(
    weights: dict[str, Tensor], batch: Batch, *, next_sentence: bool
) -> dict[str, Tensor]:
    """Mean losses by a plain dense BERT (Devlin et al. 2019) over (B, T) with padding."""
    lengths = list(batch.lengths)

    def pad(packed: Tensor, filler: int) -> Tensor:
        rows = packed.split(lengths)
        return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=filler)

    def linear(x: Tensor, name: str) -> Tensor:
        return functional.linear(x, weights[f"{name}.weight"], weights[f"{name}.bias"])

    def norm(x: Tensor, name: str) -> Tensor:
        weight, bias = weights[f"{name}.weight"], weights[f"{name}.bias"]
        return functional.layer_norm(x, x.shape[-1:], weight, bias, eps=1e-12)

    ids, segments = pad(batch.input_ids, 0), pad(batch.token_type_ids, 0)  # (B, T)
    is_real = pad(torch.ones_like(batch.input_ids), 0).bool()
    tables = [weights[f"encoder.embedding.{n}.weight"] for n in ("tokens", "segments", "positions")]
    summed = tables[0][ids] + tables[1][segments] + tables[2][: ids.shape[1]]  # (B, T, D)
    x = norm(summed, "encoder.embedding.norm")
    for block in ("encoder.blocks.0", "encoder.blocks.1"):
        # (B, H, T, K) each
        q, k, v = (
            part.unflatten(-1, (2, -1)).transpose(1, 2)
            for part in linear(x, f"{block}.attention.qkv").chunk(3, dim=-1)
        )
        scores = (q @ k.transpose(-1, -2)) / math.sqrt(q.shape[-1])
        scores = scores.masked_fill(~is_real[:, None, None, :], float("-inf"))
        attended = (scores.softmax(-1) @ v).transpose(1, 2).flatten(2)  # (B, T, D)
        x = norm(x + linear(attended, f"{block}.attention.output"), f"{block}.attention_norm")
        inner = functional.gelu(linear(x, f"{block}.feedforward.widen"))
        x = norm(x + linear(inner, f"{block}.feedforward.narrow"), f"{block}.feedforward_norm")

    transformed = norm(functional.gelu(linear(x, "heads.mlm.transform")), "heads.mlm.norm")
    logits = transformed @ tables[0].T + weights["heads.mlm.decoder.bias"]  # (B, T, V)
    losses = {"mlm": functional.cross_entropy(logits.mT, pad(batch.labels["mlm"], IGNORED))}
    if next_sentence:
        pooled = torch.tanh(linear(x[:, 0], "heads.nsp.pooler.dense"))  # (B, D)
        judged = linear(pooled, "heads.nsp.classifier")
        losses["nsp"] = functional.cross_entropy(judged, batch.labels["nsp"])
    return losses
