"""The presets' sizes against transformers' and the published ones."""

from __future__ import annotations

from typing import get_args

import pytest
import torch
import transformers

from unmask.checkpoint.describe import configured_parameters
from unmask.models.config import PRESETS, BertConfig, Preset

CLASSES = {
    "BertForMaskedLM": frozenset({"mlm"}),
    "BertForPreTraining": frozenset({"mlm", "nsp"}),
    "BertModel": frozenset({"pooler"}),
}


@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.parametrize("preset", get_args(Preset))
def test_a_preset_has_exactly_as_many_parameters_as_transformers(preset: Preset, name: str) -> None:
    config = BertConfig.model_validate(PRESETS[preset])
    reference = transformers.BertConfig(**config.model_dump())
    with torch.device("meta"):
        theirs = getattr(transformers, name)(reference)
    assert configured_parameters(config, CLASSES[name]) == theirs.num_parameters()


@pytest.mark.parametrize(("preset", "published"), [("base", 110e6), ("large", 340e6)])
def test_base_and_large_have_the_published_size(preset: Preset, published: float) -> None:
    config = BertConfig.model_validate(PRESETS[preset])
    ours = configured_parameters(config, frozenset({"mlm", "nsp"}))
    # Devlin et al. 2019, section 3, gives two digits; large's 336M stands there as 340M.
    assert float(f"{ours:.1e}") == published
