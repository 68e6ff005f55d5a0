"""What DistilBERT has and no other family."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from unmask.checkpoint import native
from unmask.checkpoint.describe import configured_parameters, describe
from unmask.checkpoint.transfer import with_head
from unmask.errors import DataError
from unmask.models.config import DistilBertConfig


class Case:
    """Sizes of the pairs here."""

    name = "DistilBert"
    sizes: dict[str, Any] = {  # noqa: RUF012
        "vocab_size": 61,
        "dim": 48,
        "n_layers": 2,
        "n_heads": 3,
        "hidden_dim": 80,
        "max_position_embeddings": 24,
    }


def test_base_has_the_published_size() -> None:
    # Sanh et al. 2019, table 3: 66 million
    ours = configured_parameters(DistilBertConfig(), frozenset())
    assert round(ours / 1e6) == 66


@pytest.mark.parametrize(
    ("kind", "rate"),
    [
        ("ForSequenceClassification", 0.5),
        ("ForMultipleChoice", 0.5),
        ("ForTokenClassification", 0.2),
        ("ForQuestionAnswering", 0.4),
    ],
)
def test_each_head_drops_out_at_its_own_rate(
    make_pair: Callable[..., Any], tmp_path: Path, kind: str, rate: float
) -> None:
    rates = {"dropout": 0.2, "attention_dropout": 0.3, "qa_dropout": 0.4}
    pair = make_pair(Case, kind, **rates, seq_classif_dropout=0.5)
    assert pair.theirs.dropout.p == rate
    [head] = pair.ours.model.heads.values()
    assert head.dropout.rate == rate
    block = pair.ours.model.encoder.blocks[0]
    assert (block.dropout.rate, block.attention.dropout.rate) == (0.2, 0.3)
    native.save(pair.ours, tmp_path / "ours")
    written = json.loads((tmp_path / "ours" / "config.json").read_text())
    assert {name: written[name] for name in rates} == rates
    assert written["seq_classif_dropout"] == 0.5
    assert written["dim"] == 48
    assert "hidden_size" not in written


@pytest.mark.parametrize("head", ["pooled_classifier", "classifier", "span"])
def test_a_pretrained_model_is_fine_tuned_under_a_fresh_head(
    make_pair: Callable[..., Any], tmp_path: Path, head: str
) -> None:
    bundle = make_pair(Case, "ForMaskedLM").ours
    model, has_pooler = with_head(bundle, head, 3, torch.Generator().manual_seed(0))
    assert not has_pooler
    assert list(model.heads) == [head]
    native.save(bundle, tmp_path / "ours")
    assert describe(tmp_path / "ours")["architecture"] == "DistilBertForMaskedLM"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"n_heads": 5}, "not a multiple of num_attention_heads"),
        ({"qa_dropout": 1.0}, "`qa_dropout` is 1.0"),
        ({"tie_word_embeddings": False}, "`tie_word_embeddings` is false"),
        ({"n_layers": 3}, "distilbert.transformer.layer.2"),
    ],
)
def test_what_cannot_be_built_or_does_not_fit_is_told(
    make_pair: Callable[..., Any], fields: dict[str, Any], message: str
) -> None:
    pair = make_pair(Case, "ForMaskedLM")
    file = pair.folder / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **fields}))
    with pytest.raises(DataError) as caught:
        native.load(pair.folder)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("vocab_projector.weight", r"`vocab_projector\.weight` differs"),
        ("distilbert.embeddings.token_type_embeddings.weight", "1 not expected: .*token_type"),
    ],
)
def test_tensors_that_it_does_not_have_are_refused(
    make_pair: Callable[..., Any], name: str, message: str
) -> None:
    pair = make_pair(Case, "ForMaskedLM")
    tensors = load_file(pair.folder / "model.safetensors")
    tensors[name] = torch.ones(61, 48)
    save_file(tensors, pair.folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(DataError, match=message):
        native.load(pair.folder)
