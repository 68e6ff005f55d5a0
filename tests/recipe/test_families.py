"""Pretraining families that have more than an encoder and a head."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError

from unmask.checkpoint import native
from unmask.nn.mask_decoder import EnhancedMaskDecoder, FinalStates
from unmask.recipe.config import Pretrain
from unmask.recipe.pretrain import pretrain

SIZES = {
    "num_hidden_layers": 2,
    "hidden_size": 32,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "max_position_embeddings": 32,
}


def hush(_: str) -> None:
    """Hears the run's lines and says none of them."""


@pytest.mark.parametrize(
    ("family", "sizes"),
    [
        ("deberta", {}),
        ("deberta-v2", {"position_buckets": 8, "conv_kernel_size": 3}),
        ("deberta-v2", {"position_buckets": 8, "enhanced_mask_decoder": False}),
    ],
    ids=["v1", "v2", "v2-plain"],
)
@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_deberta_is_trained_with_its_decoder_and_gone_on_with(
    make_recipe: Callable[..., Pretrain],
    tiny_corpus: Path,
    tmp_path: Path,
    family: str,
    sizes: dict[str, Any],
    optimizer: str,
) -> None:
    recipe = make_recipe(family=family, model={**SIZES, **sizes}, optim={"name": optimizer})
    pretrain(tiny_corpus, tmp_path / "run", recipe, say=hush)
    model = native.load(tmp_path / "run").model
    kind = EnhancedMaskDecoder if sizes.get("enhanced_mask_decoder", True) else FinalStates
    assert isinstance(model.decoder, kind)

    # Rates of zero: what is gone on with comes out as it went in.
    still = {"learning_rate": 1e-30, "weight_decay": 0.0}
    pretrain(
        tiny_corpus,
        tmp_path / "more",
        make_recipe(optim=still),
        model=tmp_path / "run",
        say=hush,
    )
    again = native.load(tmp_path / "more").model.state_dict()
    for name, tensor in model.state_dict().items():
        torch.testing.assert_close(again[name], tensor, rtol=0, atol=1e-12)


def test_heads_that_aim_by_positions_are_refused_where_none_are_added() -> None:
    with pytest.raises(ValidationError, match="family deberta-v2 adds no vector for each position"):
        Pretrain.model_validate({"family": "deberta-v2", "initial_attention": "neighbours"})
