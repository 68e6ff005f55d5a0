from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import transformers

from unmask.batch import Batch, pack
from unmask.checkpoint.assemble import assemble
from unmask.checkpoint.bundle import Bundle
from unmask.checkpoint.native import save
from unmask.models.config import LeftToRightConfig
from unmask.nn.encoder import Encoder
from unmask.nn.init import initialise
from unmask.tasks.task import Model

LENGTHS = (9, 3, 24, 1, 8, 8)


def make(dropout: float = 0.0) -> tuple[LeftToRightConfig, Model]:
    config = LeftToRightConfig(
        vocab_size=61,
        hidden_size=32,
        num_hidden_layers=3,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=32,
        hidden_dropout_prob=dropout,
        attention_probs_dropout_prob=dropout,
    )
    model = assemble(config, {"mlm"})
    initialise(model, 0.2, torch.Generator().manual_seed(0))
    return config, model.eval()


def batch(lengths: tuple[int, ...] = LENGTHS) -> Batch:
    generator = torch.Generator().manual_seed(0)
    return pack([torch.randint(5, 61, (n,), generator=generator).tolist() for n in lengths])


def changed_from(packed: Batch, positions: dict[int, int]) -> Batch:
    """Other tokens in each of these sequences, from the position given on."""
    ids, starts = packed.input_ids.clone(), packed.starts().tolist()
    for sequence, position in positions.items():
        tail = slice(starts[sequence] + position, starts[sequence] + packed.lengths[sequence])
        ids[tail] = 5 + (ids[tail] + 7) % 56
    return replace(packed, input_ids=ids)


@pytest.mark.parametrize("lengths", [LENGTHS, (8, 8, 8)], ids=["uneven", "even"])
@pytest.mark.parametrize("dropout", [0.0, 0.1], ids=["sdpa", "written-out"])
def test_no_token_sees_what_follows_it(lengths: tuple[int, ...], dropout: float) -> None:
    _, model = make(dropout)
    model.train(dropout > 0)
    packed = batch(lengths)
    other = changed_from(packed, {0: 5, 2: 3})

    def hidden(given: Batch) -> torch.Tensor:
        torch.manual_seed(0)  # the same dropout
        found: torch.Tensor = model.encoder(given)
        return found

    before, after = hidden(packed), hidden(other)

    same = packed.position_ids < 100
    for sequence, position in {0: 5, 2: 3}.items():
        start = int(packed.starts()[sequence])
        same[start + position : start + packed.lengths[sequence]] = False
    assert torch.allclose(before[same], after[same], rtol=0.0, atol=1e-6)
    assert (before[~same] - after[~same]).abs().min(dim=0).values.max() > 1e-3


def test_rows_that_are_asked_for_come_out_the_same() -> None:
    _, model = make()
    packed = batch()
    rows = torch.tensor([0, 4, 8, 9, 13, 20, 35, 36, 44, 52])

    with torch.no_grad():
        some, whole = model.encoder(packed, rows), model.encoder(packed)

    assert torch.allclose(some, whole[rows], rtol=0.0, atol=1e-5)


def test_packing_changes_nothing() -> None:
    _, model = make()
    packed = batch()
    with torch.no_grad():
        together = model.encoder(packed).split(list(packed.lengths))
        for ids, found in zip(packed.input_ids.split(list(packed.lengths)), together, strict=True):
            assert torch.allclose(model.encoder(pack([ids.tolist()])), found, rtol=0, atol=1e-5)


def test_hidden_states_and_logits_are_those_of_a_causal_bert(tmp_path: Path) -> None:
    config, model = make()
    save(Bundle(model, None, None, config, None), tmp_path / "model")
    file = tmp_path / "model" / "config.json"
    given = json.loads(file.read_text())
    assert given["model_type"] == "left-to-right"
    file.write_text(json.dumps({**given, "model_type": "bert", "is_decoder": True}))
    theirs = transformers.BertLMHeadModel.from_pretrained(
        tmp_path / "model", attn_implementation="eager"
    ).eval()
    packed = batch()

    with torch.no_grad():
        logits = model.heads["mlm"](model.encoder(packed)).split(list(packed.lengths))
        for ids, ours in zip(packed.input_ids.split(list(packed.lengths)), logits, strict=True):
            expected = theirs(input_ids=ids[None]).logits[0]
            assert torch.allclose(ours, expected, rtol=0, atol=1e-5 * max(1, expected.abs().max()))


def test_it_is_the_same_encoder_but_for_the_context() -> None:
    _, model = make()
    encoder: Encoder = model.encoder
    assert type(encoder) is Encoder
    assert not list(encoder.context.parameters())
