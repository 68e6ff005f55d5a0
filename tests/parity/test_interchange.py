"""Folders that both tools read and write."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from unmask.checkpoint import native
from unmask.checkpoint.huggingface.folder import load_folder, save_folder
from unmask.tasks.masked_lm import MaskedLM

CLASSES = ["BertModel", "BertForMaskedLM", "BertForPreTraining", "BertForNextSentencePrediction"]


def state_of(folder: Path) -> dict[str, torch.Tensor]:
    found: dict[str, torch.Tensor] = {}
    for file in sorted(folder.glob("*.safetensors")):
        found |= load_file(file)
    return found


def assert_same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> None:
    assert one.keys() == other.keys()
    for name, tensor in one.items():
        assert tensor.dtype == other[name].dtype
        assert torch.equal(tensor, other[name]), name


@pytest.mark.parametrize("name", CLASSES)
def test_import_and_export_give_back_every_tensor(
    make_pair: Callable[..., Any], tmp_path: Path, name: str
) -> None:
    pair = make_pair(name)
    native.save(pair.ours, tmp_path / "ours")
    assert_same(state_of(tmp_path / "ours"), state_of(pair.folder))
    again = native.load(tmp_path / "ours")
    assert again.config == pair.ours.config
    assert_same(again.model.state_dict(), pair.ours.model.state_dict())
    config = json.loads((tmp_path / "ours" / "config.json").read_text())
    assert config["architectures"] == [name]


def test_transformers_gives_our_logits_from_our_folder(
    make_pair: Callable[..., Any],
    make_both: Callable[..., Any],
    assert_close: Callable[..., None],
    tmp_path: Path,
) -> None:
    pair, both = make_pair("BertForPreTraining"), make_both((1, 5, 24, 9))
    native.save(pair.ours, tmp_path / "ours")
    theirs, report = transformers.AutoModelForPreTraining.from_pretrained(
        tmp_path / "ours", output_loading_info=True
    )
    assert not any(report.values())
    assert_same(theirs.state_dict(), pair.theirs.state_dict())
    masked_lm = transformers.AutoModelForMaskedLM.from_pretrained(tmp_path / "ours")
    with torch.no_grad():
        expected = both.real(masked_lm.eval()(**both.padded).logits)
        hidden = pair.ours.model.encoder(both.batch)
        assert_close(pair.ours.model.heads["mlm"](hidden), expected)


def test_their_shards_are_read(make_pair: Callable[..., Any], tmp_path: Path) -> None:
    pair = make_pair("BertForMaskedLM")
    pair.theirs.save_pretrained(tmp_path / "shards", max_shard_size="30KB")
    assert len(list((tmp_path / "shards").glob("*.safetensors"))) > 2
    bundle = load_folder(tmp_path / "shards")
    assert_same(bundle.model.state_dict(), pair.ours.model.state_dict())


def test_our_shards_are_read_by_both(make_pair: Callable[..., Any], tmp_path: Path) -> None:
    pair = make_pair("BertForMaskedLM")
    save_folder(pair.ours, tmp_path, max_shard_bytes=30_000)
    (tmp_path / "model.safetensors").unlink()  # theirs
    files = list(tmp_path.glob("model-*-of-*.safetensors"))
    assert len(files) > 2
    theirs = transformers.AutoModelForMaskedLM.from_pretrained(tmp_path)
    assert_same(theirs.state_dict(), pair.theirs.state_dict())
    assert_same(load_folder(tmp_path).model.state_dict(), pair.ours.model.state_dict())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_read_as_float32(
    make_pair: Callable[..., Any], tmp_path: Path, dtype: torch.dtype
) -> None:
    pair = make_pair("BertForMaskedLM")
    pair.theirs.to(dtype).save_pretrained(tmp_path / "half")
    state = load_folder(tmp_path / "half").model.state_dict()
    for name, tensor in pair.ours.model.state_dict().items():
        assert state[name].dtype == torch.float32
        assert torch.equal(state[name], tensor.to(dtype).float())


def test_older_names_and_stored_copies_are_read(make_pair: Callable[..., Any]) -> None:
    pair = make_pair("BertForMaskedLM")
    state = state_of(pair.folder)
    for name in [name for name in state if "LayerNorm" in name]:
        older = name.replace("LayerNorm.weight", "LayerNorm.gamma")
        state[older.replace("LayerNorm.bias", "LayerNorm.beta")] = state.pop(name)
    state["cls.predictions.decoder.weight"] = state[
        "bert.embeddings.word_embeddings.weight"
    ].clone()
    state["cls.predictions.decoder.bias"] = state.pop("cls.predictions.bias")
    state["bert.embeddings.position_ids"] = torch.arange(24)[None]
    save_file(state, pair.folder / "model.safetensors")
    assert_same(load_folder(pair.folder).model.state_dict(), pair.ours.model.state_dict())


def test_the_output_layer_stays_tied_to_the_embedding(make_pair: Callable[..., Any]) -> None:
    model = make_pair("BertForMaskedLM").ours.model
    assert model.heads["mlm"].decoder.weight is model.encoder.embedding.tokens.weight
    assert model.get_parameter("encoder.embedding.tokens.weight").requires_grad


@pytest.mark.parametrize(
    ("name", "next_sentence"), [("BertForMaskedLM", False), ("BertForPreTraining", True)]
)
def test_the_heads_decide_the_task(
    make_pair: Callable[..., Any], name: str, next_sentence: bool
) -> None:
    task = make_pair(name).ours.task
    assert isinstance(task, MaskedLM)
    assert task.next_sentence is next_sentence


def test_an_encoder_alone_has_no_task(make_pair: Callable[..., Any]) -> None:
    assert make_pair("BertModel").ours.task is None
