"""BERT against transformers' own, on random weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from unmask.checkpoint.huggingface.bert import FAMILY, KEYS
from unmask.checkpoint.huggingface.keys import to_theirs
from unmask.nn.trace import record
from unmask.tasks import masked_lm
from unmask.tasks.masked_lm import MaskedLM

LABELLED = [(2,), (24,), (7, 7, 7), (1, 5, 24, 9, 8)]
LENGTHS = [(1,), *LABELLED]
CONFIGS: list[dict[str, Any]] = [
    {},
    {"num_attention_heads": 1, "num_hidden_layers": 1, "hidden_act": "relu"},
    {"hidden_size": 40, "num_attention_heads": 5, "hidden_act": "gelu_new", "vocab_size": 103},
    {"type_vocab_size": 4, "layer_norm_eps": 1e-5, "intermediate_size": 7, "pad_token_id": 3},
]


@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
@pytest.mark.parametrize("sizes", CONFIGS, ids=lambda sizes: ",".join(sizes) or "plain")
def test_every_hidden_state_and_attention_is_theirs(
    make_pair: Callable[..., Any],
    make_both: Callable[..., Any],
    assert_close: Callable[..., None],
    sizes: dict[str, Any],
    lengths: tuple[int, ...],
) -> None:
    pair, both = make_pair("BertModel", **sizes), make_both(lengths)
    with torch.no_grad():
        theirs = pair.theirs(**both.padded, output_hidden_states=True, output_attentions=True)
        with record(pair.ours.model.encoder) as trace:
            final = pair.ours.model.encoder(both.batch)
        pooled = pair.ours.model.heads["pooler"](final[both.batch.starts()])
    assert len(trace.hidden_states) == len(theirs.hidden_states)
    for our_states, their_states in zip(trace.hidden_states, theirs.hidden_states, strict=True):
        assert_close(our_states, both.real(their_states))
    assert_close(pooled, theirs.pooler_output)
    for our_weights, their_weights in zip(trace.attentions, theirs.attentions, strict=True):
        for i, length in enumerate(lengths):
            assert_close(our_weights[i], their_weights[i, :, :length, :length])


@pytest.mark.parametrize("lengths", LABELLED, ids=str)
def test_masked_lm_logits_and_loss_are_theirs(
    make_pair: Callable[..., Any],
    make_both: Callable[..., Any],
    assert_close: Callable[..., None],
    lengths: tuple[int, ...],
) -> None:
    pair, both = make_pair("BertForMaskedLM"), make_both(lengths)
    assert set(pair.ours.model.heads) == {"mlm"}
    with torch.no_grad():
        theirs = pair.theirs(**both.padded, labels=both.labels["labels"])
        ours = pair.ours.model(both.batch, pair.ours.task)["mlm"]
    assert_close(ours, both.real(theirs.logits)[masked_lm.picked(both.batch)])
    assert_close(masked_lm.loss(ours, both.batch), theirs.loss)


@pytest.mark.parametrize("lengths", LABELLED, ids=str)
@pytest.mark.parametrize(
    ("dtype", "rate"), [(torch.float32, 1e-5), (torch.float64, 1e-10)], ids=str
)
def test_pretraining_outputs_losses_and_gradients_are_theirs(
    make_pair: Callable[..., Any],
    make_both: Callable[..., Any],
    assert_close: Callable[..., None],
    lengths: tuple[int, ...],
    dtype: torch.dtype,
    rate: float,
) -> None:
    pair, both = make_pair("BertForPreTraining", dtype), make_both(lengths)
    model, task = pair.ours.model, pair.ours.task
    theirs = pair.theirs(**both.padded, **both.labels)
    theirs.loss.backward()

    outputs = model(both.batch, task)
    counts = task.counts(both.batch)
    terms = [
        term.weight * term.total / counts[term.name] for term in task.loss(outputs, both.batch)
    ]
    torch.stack(terms).sum().backward()

    assert task.next_sentence
    picked = masked_lm.picked(both.batch)
    assert_close(outputs["mlm"], both.real(theirs.prediction_logits)[picked], rate)
    assert_close(outputs["nsp"], theirs.seq_relationship_logits, rate)
    assert_close(sum(terms), theirs.loss, rate)
    gradients = {name: parameter.grad for name, parameter in model.named_parameters()}
    ours = to_theirs(KEYS.rules(FAMILY.blocks(pair.ours.config), gradients), gradients)
    expected = {name: parameter.grad for name, parameter in pair.theirs.named_parameters()}
    assert ours.keys() == expected.keys()
    for name, gradient in expected.items():
        assert_close(ours[name], gradient, rate)


def test_reading_few_rows_changes_neither_values_nor_gradients(
    make_pair: Callable[..., Any], make_both: Callable[..., Any]
) -> None:
    pair, both = make_pair("BertForPreTraining", torch.float64), make_both((1, 5, 24, 9, 8))
    encoder, batch = pair.ours.model.encoder, both.batch
    rows = MaskedLM(next_sentence=True).rows(batch)
    weight = torch.randn(len(rows), encoder.hidden_size, dtype=torch.float64)

    results = []
    for hidden in (encoder(batch, rows), encoder(batch)[rows]):
        encoder.zero_grad()
        (hidden * weight).sum().backward()
        results.append([hidden.detach(), *(p.grad.clone() for p in encoder.parameters())])
    for few, all_rows in zip(*results, strict=True):
        torch.testing.assert_close(few, all_rows, rtol=1e-10, atol=1e-10)
