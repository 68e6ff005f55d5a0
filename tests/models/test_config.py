from __future__ import annotations

from typing import Any, get_args

import pytest
from pydantic import ValidationError

from unmask.models.config import PRESETS, Activation, BertConfig, Preset
from unmask.nn.activations import ACTIVATIONS


def test_the_defaults_are_bert_base() -> None:
    base = BertConfig(**PRESETS["base"])

    assert base == BertConfig()
    sizes = (base.num_hidden_layers, base.hidden_size, base.num_attention_heads)
    assert (*sizes, base.intermediate_size, base.vocab_size) == (12, 768, 12, 3072, 30522)


def test_every_preset_and_activation_named_is_there() -> None:
    assert set(PRESETS) == set(get_args(Preset))
    assert set(ACTIVATIONS) == set(get_args(Activation))
    assert {BertConfig(**p).hidden_size // p["num_attention_heads"] for p in PRESETS.values()} == {
        64
    }


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"hidden_size": 100}, "hidden_size 100 is not a multiple of num_attention_heads 12"),
        ({"hidden_act": "swish"}, "'gelu', 'gelu_new' or 'relu'"),
        ({"hidden_dropout_prob": 1.0}, "less than 1"),
        ({"num_hidden_layers": 0}, "greater than or equal to 1"),
        ({"num_hidden_layers": 10**9}, "less than or equal to 256"),
        ({"hiden_size": 64}, "Extra inputs are not permitted"),
    ],
)
def test_impossible_sizes_are_explained(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        BertConfig(**settings)
