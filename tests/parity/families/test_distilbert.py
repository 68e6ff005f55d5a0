"""What DistilBERT has and no other family."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from unmask.checkpoint import native
from unmask.checkpoint.describe import configured_parameters, describe
from unmask.checkpoint.transfer import with_head
from unmask.models.config import DistilBertConfig


@pytest.fixture
def distilbert(cases: Mapping[str, Any]) -> Any:
    return cases["distilbert"]


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
    make_pair: Callable[..., Any], tmp_path: Path, kind: str, rate: float, distilbert: Any
) -> None:
    rates = {"dropout": 0.2, "attention_dropout": 0.3, "qa_dropout": 0.4}
    pair = make_pair(distilbert, kind, **rates, seq_classif_dropout=0.5)
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
    make_pair: Callable[..., Any], tmp_path: Path, head: str, distilbert: Any
) -> None:
    bundle = make_pair(distilbert, "ForMaskedLM").ours
    model, has_pooler = with_head(bundle, head, 3, torch.Generator().manual_seed(0))
    assert not has_pooler
    assert list(model.heads) == [head]
    native.save(bundle, tmp_path / "ours")
    assert describe(tmp_path / "ours")["architecture"] == "DistilBertForMaskedLM"
