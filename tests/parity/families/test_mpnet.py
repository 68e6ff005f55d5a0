"""What MPNet has and no other family."""

from __future__ import annotations

import json
from collections.abc import Callable
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
from unmask.errors import DataError
from unmask.models.config import MpnetConfig


def test_distances_beyond_the_exact_buckets_are_theirs(
    make_pair: Callable[..., Any], assert_close: Callable[..., None]
) -> None:
    case = type("Case", (), {"name": "MPNet", "sizes": {"vocab_size": 50, "hidden_size": 24}})
    pair = make_pair(
        case,
        "Model",
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=302,
    )
    ids = torch.randint(2, 50, (1, 300), generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        theirs = pair.theirs(ids).last_hidden_state[0]
        assert_close(pair.ours.model.encoder(pack(ids.tolist())), theirs)
    assert pair.ours.config.max_length == 300


@pytest.mark.parametrize("head", ["pooled_classifier", "classifier", "span"])
@pytest.mark.parametrize("kind", ["Model", "ForMaskedLM"])
def test_a_pretrained_model_is_fine_tuned_under_a_fresh_head(
    make_pair: Callable[..., Any], tmp_path: Path, kind: str, head: str
) -> None:
    case = type("Case", (), {"name": "MPNet", "sizes": {"vocab_size": 50, "hidden_size": 24}})
    bundle = make_pair(case, kind, num_hidden_layers=1, num_attention_heads=2).ours
    model, has_pooler = with_head(bundle, head, 3, torch.Generator().manual_seed(0))
    assert not has_pooler  # the pooler there is never trained
    assert (model.encoder is bundle.model.encoder, list(model.heads)) == (True, [head])
    native.save(bundle, tmp_path / "ours")
    found = describe(tmp_path / "ours")
    assert found["architecture"] == f"MPNet{kind}"
    assert found["total_parameters"] == sum(p.numel() for p in bundle.model.parameters())


def change(folder: Any, **fields: Any) -> None:
    file = folder / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **fields}))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"relative_attention_num_buckets": 64}, "`relative_attention_num_buckets` is 64"),
        ({"pad_token_id": 0}, "a padding token of id 1"),
        ({"max_position_embeddings": 2}, "`max_position_embeddings` is 2"),
        ({"num_attention_heads": 5}, "not a multiple of num_attention_heads"),
    ],
)
def test_what_other_tools_would_compute_otherwise_is_refused(
    make_pair: Callable[..., Any], fields: dict[str, Any], message: str
) -> None:
    case = type("Case", (), {"name": "MPNet", "sizes": {"vocab_size": 50, "hidden_size": 24}})
    pair = make_pair(case, "Model", num_hidden_layers=1, num_attention_heads=2)
    change(pair.folder, **fields)
    with pytest.raises(DataError, match=r"config\.json") as caught:
        native.load(pair.folder)
    assert message in str(caught.value)


def test_a_head_has_no_dropout_of_its_own() -> None:
    with pytest.raises(ValidationError, match="drop out as its blocks do"):
        MpnetConfig(classifier_dropout=0.2)


def test_the_defaults_are_the_published_model_and_missing_fields_mean_theirs() -> None:
    theirs = transformers.MPNetConfig()
    assert theirs.relative_attention_num_buckets == 32
    assert (theirs.max_position_embeddings, theirs.layer_norm_eps) == (512, 1e-12)
    # microsoft/mpnet-base, config.json
    assert (MpnetConfig().max_length, MpnetConfig().layer_norm_eps) == (512, 1e-5)
