from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from unmask.checkpoint import native
from unmask.checkpoint.assemble import assemble, task_of
from unmask.checkpoint.bundle import Bundle
from unmask.checkpoint.describe import describe
from unmask.models.config import DebertaConfig


def test_the_table_adds_up_to_the_model(make_bundle: Callable[..., Bundle], tmp_path: Path) -> None:
    bundle = make_bundle(("mlm", "nsp"))
    native.save(bundle, tmp_path / "model", {"recipe": "x"})
    found = describe(tmp_path / "model")
    assert list(found["parameters"]) == ["embedding", "block 0", "block 1", "head mlm", "head nsp"]
    # 12 tokens, 16 positions, 2 segments, 2 norm vectors, each of width 8.
    assert found["parameters"]["embedding"] == (12 + 16 + 2 + 2) * 8
    # Transform, norm and one bias a token; the scores' matrix is the embedding's.
    assert found["parameters"]["head mlm"] == 8 * 8 + 8 + 2 * 8 + 12
    assert found["total_parameters"] == sum(p.numel() for p in bundle.model.parameters())
    assert found["architecture"] == "BertForPreTraining"
    assert found["heads"] == ["mlm", "nsp"]
    assert found["task"] == "masked_lm"
    assert found["tokenizer"]["vocab_size"] == 10
    assert found["made_by"]["recipe"] == "x"
    assert found["weight_types"] == {"F32": 5 + 2 * 16 + 5 + 4}
    assert json.loads(json.dumps(found)) == found


def test_a_bare_encoder_says_what_is_not_there(
    make_bundle: Callable[..., Bundle], tmp_path: Path
) -> None:
    native.save(make_bundle((), tokenizer=None), tmp_path / "model")
    found = describe(tmp_path / "model")
    assert found["architecture"] == "BertModel"
    assert (found["heads"], found["task"], found["tokenizer"]) == ([], None, None)
    assert found["labels"] == []
    assert found["made_by"] is None


@pytest.mark.usefixtures("known_tasks")
def test_a_fine_tuned_model_says_its_labels(
    make_bundle: Callable[..., Bundle], make_task: Callable[..., Any], tmp_path: Path
) -> None:
    task = make_task("classifier", ("O", "B", "I"), architecture="TokenClassification")
    native.save(make_bundle(task=task), tmp_path / "model")
    found = describe(tmp_path / "model")
    assert found["architecture"] == "BertForTokenClassification"
    assert (found["heads"], found["task"], found["labels"]) == (
        ["classifier"],
        "labelled",
        ["O", "B", "I"],
    )
    assert found["parameters"]["head classifier"] == 3 * 8 + 3


def test_what_pretraining_ended_with_is_told(
    make_bundle: Callable[..., Bundle], tmp_path: Path
) -> None:
    native.save(make_bundle(), tmp_path / "model", {})
    assert describe(tmp_path / "model")["final_losses"] is None
    scores = {"validation": {"mlm_loss": None}, "corpus_unigram_entropy": 6.0}
    (tmp_path / "model" / "scores.json").write_text(json.dumps(scores))
    found = describe(tmp_path / "model")["final_losses"]
    assert found == {"mlm_loss": None, "corpus_unigram_entropy": 6.0, "is_of_generator": False}


@pytest.mark.parametrize(("late", "rows"), [(True, 16), (False, 0)])
def test_the_mask_decoder_is_counted(late: bool, rows: int, tmp_path: Path) -> None:
    config = DebertaConfig(
        vocab_size=12,
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=16,
        enhanced_mask_decoder=late,
    )
    model = assemble(config, {"mlm"})
    native.save(Bundle(model, task_of({"mlm"}), None, config, None), tmp_path / "model")

    found = describe(tmp_path / "model")

    assert found["parameters"].get("mask decoder", 0) == rows * 8
    assert found["total_parameters"] == sum(p.numel() for p in model.parameters())
