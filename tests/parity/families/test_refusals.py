"""Folders of one family that do not fit, and what is said of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from unmask.checkpoint import native
from unmask.errors import DataError


@pytest.mark.parametrize(
    ("family", "kind", "fields", "message"),
    [
        (
            "albert",
            "ForMaskedLM",
            {"num_hidden_groups": 5},
            "a group without layers would never be visited",
        ),
        (
            "albert",
            "ForMaskedLM",
            {"tie_word_embeddings": False},
            "`tie_word_embeddings` is false",
        ),
        ("albert", "ForMaskedLM", {"hidden_act": "swish"}, '`hidden_act` is "swish"'),
        ("albert", "ForMaskedLM", {"embedding_size": 0}, "`embedding_size` is 0"),
        ("albert", "ForMaskedLM", {"inner_group_num": 2}, "albert_layers.1"),
        ("electra", "ForPreTraining", {"summary_type": "mean"}, '`summary_type` is "mean"'),
        (
            "electra",
            "ForPreTraining",
            {"tie_word_embeddings": False},
            "`tie_word_embeddings` is false",
        ),
        (
            "electra",
            "ForPreTraining",
            {"embedding_size": 48},
            "not expected: electra.embeddings_project",
        ),
        ("electra", "ForPreTraining", {"is_decoder": True}, "`is_decoder` is true"),
        ("distilbert", "ForMaskedLM", {"n_heads": 5}, "not a multiple of num_attention_heads"),
        ("distilbert", "ForMaskedLM", {"qa_dropout": 1.0}, "`qa_dropout` is 1.0"),
        (
            "distilbert",
            "ForMaskedLM",
            {"tie_word_embeddings": False},
            "`tie_word_embeddings` is false",
        ),
        ("distilbert", "ForMaskedLM", {"n_layers": 4}, "distilbert.transformer.layer.3"),
        (
            "mpnet",
            "Model",
            {"relative_attention_num_buckets": 64},
            "`relative_attention_num_buckets` is 64",
        ),
        ("mpnet", "Model", {"pad_token_id": 0}, "a padding token of id 1"),
        ("mpnet", "Model", {"max_position_embeddings": 2}, "`max_position_embeddings` is 2"),
        ("mpnet", "Model", {"num_attention_heads": 5}, "not a multiple of num_attention_heads"),
    ],
)
def test_what_cannot_be_built_or_does_not_fit_is_told(
    make_pair: Callable[..., Any],
    cases: Mapping[str, Any],
    family: str,
    kind: str,
    fields: dict[str, Any],
    message: str,
) -> None:
    pair = make_pair(cases[family], kind)
    file = pair.folder / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **fields}))
    with pytest.raises(DataError, match=str(pair.folder)) as caught:
        native.load(pair.folder)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("family", "name", "message"),
    [
        ("electra", "generator_lm_head.weight", r"`generator_lm_head\.weight` differs"),
        (
            "electra",
            "electra.pooler.dense.weight",
            r"1 not expected: electra\.pooler\.dense\.weight",
        ),
        (
            "electra",
            "discriminator_predictions.dense.weight",
            "1 not expected: discriminator",
        ),
        ("distilbert", "vocab_projector.weight", r"`vocab_projector\.weight` differs"),
        (
            "distilbert",
            "distilbert.embeddings.token_type_embeddings.weight",
            "1 not expected: .*token_type",
        ),
    ],
)
def test_tensors_that_a_family_does_not_have_are_refused(
    make_pair: Callable[..., Any], cases: Mapping[str, Any], family: str, name: str, message: str
) -> None:
    pair = make_pair(cases[family], "ForMaskedLM")
    tensors = load_file(pair.folder / "model.safetensors")
    tensors[name] = torch.ones(61, pair.ours.config.embedding_width)
    save_file(tensors, pair.folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(DataError, match=message):
        native.load(pair.folder)
