"""Generator and discriminator, which no other family has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file

from unmask.checkpoint import native
from unmask.checkpoint.describe import configured_parameters, describe
from unmask.checkpoint.transfer import with_head
from unmask.models.config import ElectraConfig


@pytest.fixture
def electra(cases: Mapping[str, Any]) -> Any:
    return cases["electra"]


@pytest.mark.parametrize("width", [20, 48])
@pytest.mark.parametrize("activation", ["gelu", "relu"])
def test_the_discriminators_logits_and_gradients_are_theirs_and_come_back(
    make_pair: Callable[..., Any],
    make_both: Callable[..., Any],
    assert_close: Callable[..., None],
    assert_gradients_are_theirs: Callable[..., None],
    tmp_path: Path,
    width: int,
    activation: str,
    electra: Any,
) -> None:
    pair = make_pair(electra, "ForPreTraining", embedding_size=width, hidden_act=activation)
    assert list(pair.ours.model.heads) == ["rtd"]
    both = make_both(electra, (5, 24, 9, 8))
    theirs = both.real(pair.theirs(**both.padded).logits)
    ours = pair.ours.model.heads["rtd"](pair.ours.model.encoder(both.batch), both.batch)
    assert_close(ours, theirs)
    for logits in (ours, theirs):
        logits.square().sum().backward()
    assert_gradients_are_theirs(pair)

    native.save(pair.ours, tmp_path / "ours")
    again, report = transformers.AutoModelForPreTraining.from_pretrained(
        tmp_path / "ours", output_loading_info=True
    )
    assert type(again).__name__ == "ElectraForPreTraining"
    assert not any(report.values()), report
    stored, given = (
        load_file(folder / "model.safetensors") for folder in (tmp_path / "ours", pair.folder)
    )
    assert stored.keys() == given.keys()
    assert all(torch.equal(stored[name], tensor) for name, tensor in given.items())
    assert describe(tmp_path / "ours")["architecture"] == "ElectraForPreTraining"


@pytest.mark.parametrize("kind", ["ForPreTraining", "ForMaskedLM"])
@pytest.mark.parametrize("head", ["pooled_classifier", "classifier", "span"])
def test_either_is_fine_tuned_under_a_fresh_head(
    make_pair: Callable[..., Any], kind: str, head: str, electra: Any
) -> None:
    bundle = make_pair(electra, kind).ours
    model, has_pooler = with_head(bundle, head, 3, torch.Generator().manual_seed(0))
    assert not has_pooler
    assert (model.encoder is bundle.model.encoder, list(model.heads)) == (True, [head])


@pytest.mark.parametrize(
    ("sizes", "heads", "published"),
    [
        ({}, {"rtd"}, 14e6),
        (
            {
                "embedding_size": 768,
                "hidden_size": 768,
                "num_attention_heads": 12,
                "intermediate_size": 3072,
            },
            {"rtd"},
            110e6,
        ),
    ],
    ids=["small", "base"],
)
def test_small_and_base_have_the_published_size(
    sizes: dict[str, int], heads: set[str], published: float
) -> None:
    # Clark et al. 2020, table 1, in whole millions
    ours = configured_parameters(ElectraConfig(**sizes), frozenset(heads))
    assert float(f"{ours:.1e}") == published
