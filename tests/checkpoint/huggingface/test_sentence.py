"""Folders of sentence encoders, read from and written for sentence-transformers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sentence_transformers as st
import torch
from safetensors.torch import load_file, save_file
from sentence_transformers.sentence_transformer import modules
from torch import nn
from transformers import BertConfig, BertModel

import unmask
from unmask.checkpoint import native
from unmask.errors import DataError
from unmask.tasks.sentence import SentenceEmbedding
from unmask.tasks.sentence_config import DenseConfig
from unmask.text.config import TokenizerConfig
from unmask.text.train import train_wordpiece

TEXTS = ["the cat sat on the mat", "a dog", "", "who ran away? the old man of the sea, who else"]
Make = Callable[..., Path]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """A random encoder under these modules, as sentence-transformers saves it."""

    def made(*parts: nn.Module, length: int | None = None, **settings: Any) -> Path:
        tokenizer = train_wordpiece(TEXTS * 3, TokenizerConfig(vocab_size=90, min_frequency=1))
        torch.manual_seed(3)
        config = BertConfig(
            vocab_size=tokenizer.vocab_size,
            hidden_size=12,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=24,
            max_position_embeddings=32,
            initializer_range=0.4,
        )
        BertModel(config).save_pretrained(tmp_path / "encoder")
        tokenizer.save(tmp_path / "encoder")
        first = modules.Transformer(str(tmp_path / "encoder"), max_seq_length=length)
        model = st.SentenceTransformer(modules=[first, *parts], device="cpu", **settings)
        model.save(str(tmp_path / "theirs"))
        return tmp_path / "theirs"

    return made


def assert_alike(ours: Path, theirs: Path) -> None:
    found = unmask.load(ours).encode(TEXTS)
    expected = st.SentenceTransformer(str(theirs), device="cpu").encode(TEXTS)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    "parts",
    [
        (modules.Pooling(12, "mean"),),
        (modules.Pooling(12, "cls"), modules.Normalize()),
        (modules.Pooling(12, ("mean", "max")), modules.Dense(24, 5)),
        (
            modules.Pooling(12, "weightedmean"),
            modules.Dense(12, 7, bias=False, activation_function=nn.Identity()),
            modules.Dense(7, 4, activation_function=nn.GELU()),
            modules.Normalize(),
        ),
    ],
    ids=["mean", "cls", "joined", "dense"],
)
def test_what_they_save_is_read_and_what_we_save_they_read(
    parts: tuple[nn.Module, ...], make: Make, tmp_path: Path
) -> None:
    theirs = make(*parts)
    assert_alike(theirs, theirs)

    native.save(native.load(theirs), tmp_path / "ours")

    assert_alike(tmp_path / "ours", theirs)
    assert_alike(theirs, tmp_path / "ours")
    again = native.load(tmp_path / "ours")
    assert again.task == native.load(theirs).task
    for name, tensor in native.load(theirs).model.state_dict().items():
        assert torch.equal(again.model.state_dict()[name], tensor), name


def test_old_names_and_old_folders_are_read(make: Make, tmp_path: Path) -> None:
    """The encoder in a folder of its own, and a flag for each way of pooling."""
    theirs = make(modules.Pooling(12, "mean"), length=8)
    old = tmp_path / "old"
    (old / "0_Transformer").mkdir(parents=True)
    for file in theirs.iterdir():
        if file.is_file() and file.name not in ("modules.json", "README.md"):
            file.rename(old / "0_Transformer" / file.name)
    pooled = {"word_embedding_dimension": 12, "pooling_mode_cls_token": True,
              "pooling_mode_mean_tokens": False}  # fmt: skip
    (old / "1_Pooling").mkdir()
    (old / "1_Pooling" / "config.json").write_text(json.dumps(pooled))
    kinds = [("0_Transformer", "Transformer"), ("1_Pooling", "Pooling")]
    listed = [
        {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for i, (path, kind) in enumerate(kinds)
    ]
    (old / "modules.json").write_text(json.dumps(listed))
    bundle = native.load(old)
    assert isinstance(bundle.task, SentenceEmbedding)
    assert bundle.task.config.pooling == ("cls",)
    assert_alike(old, old)


def test_prompts_similarity_and_length_are_kept(make: Make, tmp_path: Path) -> None:
    theirs = make(
        modules.Pooling(12, "mean", include_prompt=False),
        length=10,
        prompts={"query": "who ran ", "document": ""},
        default_prompt_name="query",
        similarity_fn_name="dot",
    )
    native.save(native.load(theirs), tmp_path / "ours")
    model = st.SentenceTransformer(str(theirs), device="cpu")
    for folder in (theirs, tmp_path / "ours"):
        engine = unmask.load(folder)
        assert engine.max_seq_length == 10
        assert engine.similarity_fn_name == "dot"
        assert engine.prompts == {"query": "who ran ", "document": ""}
        for name in (None, "query", "document"):
            np.testing.assert_allclose(
                engine.encode(TEXTS, prompt_name=name),
                model.encode(TEXTS, prompt_name=name),
                rtol=0,
                atol=1e-5,
            )


def test_dense_layers_that_do_not_fit_are_told(make: Make) -> None:
    theirs = make(modules.Pooling(12, "mean"), modules.Dense(12, 5))
    file = theirs / "2_Dense" / "model.safetensors"
    tensors = load_file(file)
    save_file({**tensors, "linear.more": torch.ones(1)}, file)
    with pytest.raises(DataError, match=r"2_Dense.*linear\.more"):
        native.load(theirs)
    save_file({"linear.weight": torch.ones(5, 11), "linear.bias": tensors["linear.bias"]}, file)
    with pytest.raises(DataError, match="2_Dense"):
        native.load(theirs)


@pytest.mark.parametrize(
    ("file", "changed", "message"),
    [
        ("modules.json", [{"type": "models.Evil", "path": ""}], "`models.Evil` is not built here"),
        ("modules.json", [], "expected Transformer and Pooling first"),
        ("modules.json", [{"type": "a.Transformer", "path": "../.."}] * 2, "modules are"),
        ("modules.json", {"a": 1}, "expected a list"),
        ("1_Pooling/config.json", {"pooling_mode": "median"}, "pooling by median"),
        ("2_Dense/config.json", {"in_features": 12, "out_features": 5, "use_residual": True},
         "only False is built here"),
        ("2_Dense/config.json", {"in_features": 12, "out_features": 5,
                                 "activation_function": "os.system"}, "the activation is"),
        ("2_Dense/config.json", {"in_features": 11, "out_features": 5}, "vectors of 11 dimensions"),
        ("sentence_bert_config.json", {"max_seq_length": "many"}, "expected a number"),
        ("config_sentence_transformers.json", {"default_prompt_name": "x"}, "none of the prompts"),
    ],
    ids=str,
)  # fmt: skip
def test_files_that_cannot_be_believed_are_refused(
    file: str, changed: Any, message: str, make: Make
) -> None:
    theirs = make(modules.Pooling(12, "mean"), modules.Dense(12, 5))
    (theirs / file).write_text(json.dumps(changed))
    with pytest.raises(DataError, match=message):
        native.load(theirs)


def test_a_module_may_not_lead_out_of_the_folder(make: Make) -> None:
    theirs = make(modules.Pooling(12, "mean"))
    listed = json.loads((theirs / "modules.json").read_text())
    listed[1]["path"] = "../1_Pooling"
    (theirs / "modules.json").write_text(json.dumps(listed))
    with pytest.raises(DataError, match="leads out of the folder"):
        native.load(theirs)


def test_a_dense_layer_is_a_setting() -> None:
    assert DenseConfig(in_features=3, out_features=2).activation == "tanh"
