"""What MPNet has and no other family."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from pydantic import ValidationError

from unmask.batch import pack
from unmask.checkpoint import native
from unmask.checkpoint.describe import describe
from unmask.checkpoint.transfer import with_head
from unmask.models.config import MpnetConfig


@pytest.fixture
def mpnet(cases: Mapping[str, Any]) -> Any:
    return cases["mpnet"]


def test_distances_beyond_the_exact_buckets_are_theirs(
    make_pair: Callable[..., Any], assert_close: Callable[..., None], mpnet: Any
) -> None:
    pair = make_pair(mpnet, "Model", max_position_embeddings=302)
    ids = torch.randint(2, 50, (1, 300), generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        theirs = pair.theirs(ids).last_hidden_state[0]
        assert_close(pair.ours.model.encoder(pack(ids.tolist())), theirs)
    assert pair.ours.config.max_length == 300


@pytest.mark.parametrize("head", ["pooled_classifier", "classifier", "span"])
@pytest.mark.parametrize("kind", ["Model", "ForMaskedLM"])
def test_a_pretrained_model_is_fine_tuned_under_a_fresh_head(
    make_pair: Callable[..., Any], tmp_path: Path, kind: str, head: str, mpnet: Any
) -> None:
    bundle = make_pair(mpnet, kind).ours
    model, has_pooler = with_head(bundle, head, 3, torch.Generator().manual_seed(0))
    assert not has_pooler  # the pooler there is never trained
    assert (model.encoder is bundle.model.encoder, list(model.heads)) == (True, [head])
    native.save(bundle, tmp_path / "ours")
    found = describe(tmp_path / "ours")
    assert found["architecture"] == f"MPNet{kind}"
    assert found["total_parameters"] == sum(p.numel() for p in bundle.model.parameters())


def test_a_head_has_no_dropout_of_its_own() -> None:
    with pytest.raises(ValidationError, match="drop out as its blocks do"):
        MpnetConfig(classifier_dropout=0.2)


def test_the_defaults_are_the_published_model_and_missing_fields_mean_theirs() -> None:
    theirs = transformers.MPNetConfig()
    assert theirs.relative_attention_num_buckets == 32
    assert (theirs.max_position_embeddings, theirs.layer_norm_eps) == (512, 1e-12)
    # microsoft/mpnet-base, config.json
    assert (MpnetConfig().max_length, MpnetConfig().layer_norm_eps) == (512, 1e-5)
