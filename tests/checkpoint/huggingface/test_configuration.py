from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import get_args

import pytest
import transformers

from unmask.checkpoint.huggingface.configuration import read_config, write_config
from unmask.models.config import PRESETS, Activation, BertConfig, Preset


@pytest.mark.parametrize("preset", get_args(Preset))
def test_a_config_comes_back_from_its_file(tmp_path: Path, preset: Preset) -> None:
    config = BertConfig.model_validate({**PRESETS[preset], "hidden_dropout_prob": 0.0})
    write_config(tmp_path, config, {}, "float32")
    assert read_config(tmp_path)[1] == config


@pytest.mark.parametrize("activation", get_args(Activation))
def test_transformers_reads_every_field_of_ours(tmp_path: Path, activation: Activation) -> None:
    config = BertConfig(
        vocab_size=99,
        hidden_size=40,
        num_hidden_layers=3,
        num_attention_heads=5,
        intermediate_size=7,
        hidden_act=activation,
        hidden_dropout_prob=0.25,
        attention_probs_dropout_prob=0.125,
        classifier_dropout=0.5,
        max_position_embeddings=33,
        type_vocab_size=3,
        initializer_range=0.5,
        layer_norm_eps=1e-5,
        pad_token_id=4,
    )
    write_config(tmp_path, config, {"architectures": ["BertForPreTraining"]}, "float32")
    theirs = transformers.AutoConfig.from_pretrained(tmp_path)
    assert type(theirs) is transformers.BertConfig
    assert theirs.architectures == ["BertForPreTraining"]
    assert {name: getattr(theirs, name) for name in BertConfig.model_fields} == config.model_dump()


def test_defaults_are_those_of_transformers(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    theirs = transformers.BertConfig()
    ours = read_config(tmp_path)[1].model_dump()
    assert ours == {name: getattr(theirs, name) for name in ours}


def test_whole_numbers_stand_for_rates(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "bert", "hidden_dropout_prob": 0}')
    assert read_config(tmp_path)[1].hidden_dropout_prob == 0.0


def test_settings_that_are_not_read_are_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert", "use_cache": True}))
    with caplog.at_level(logging.INFO):
        read_config(tmp_path)
    assert "config.json: not read: " in caplog.text
    assert "use_cache" in caplog.text
