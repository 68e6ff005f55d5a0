"""What folders of several families are taken for, whose files leave something open."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from unmask.checkpoint import native
from unmask.checkpoint.assemble import assemble
from unmask.checkpoint.bundle import Bundle
from unmask.checkpoint.describe import describe
from unmask.checkpoint.doctor import examine_model
from unmask.errors import DataError
from unmask.models.config import CONFIGS, FamilyName
from unmask.tasks.masked_lm import MaskedLM

SIZES = {
    "vocab_size": 12,
    "hidden_size": 8,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "max_position_embeddings": 16,
}


def write(family: FamilyName, heads: set[str], folder: Path) -> Path:
    """A folder as another tool leaves it: nothing of ours tells of its task."""
    config = CONFIGS[family].model_validate(SIZES)
    native.save(Bundle(assemble(config, heads, 3).eval(), None, None, config, None), folder)
    (folder / "MANIFEST.json").unlink()
    return folder


def change(file: Path, **fields: object) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | fields))


@pytest.mark.parametrize("architecture", [None, ["SomebodysRobertaClassifier"]], ids=str)
@pytest.mark.parametrize("family", ["roberta", "xlm-roberta", "mpnet"])
def test_a_classifier_of_nobodys_class_is_read_without_the_pooler_beside_it(
    family: FamilyName, architecture: list[str] | None, tmp_path: Path
) -> None:
    folder = write(family, {"classifier"}, tmp_path / "model")
    change(folder / "config.json", architectures=architecture)
    prefix = "mpnet" if family == "mpnet" else "roberta"
    pooler = {f"{prefix}.pooler.dense.weight": torch.ones(8, 8),
              f"{prefix}.pooler.dense.bias": torch.ones(8)}  # fmt: skip
    file = folder / "model.safetensors"
    save_file({**load_file(file), **pooler}, file)

    bundle, described = native.load(folder), describe(folder)

    assert (set(bundle.model.heads), bundle.task) == ({"classifier"}, None)
    assert (described["heads"], described["task"]) == (["classifier"], None)
    assert described["total_parameters"] == sum(p.numel() for p in bundle.model.parameters())
    assert any("belongs to no task known here" in one.what for one in examine_model(folder))


def test_a_head_for_pairs_is_asked_what_its_family_was_published_for(tmp_path: Path) -> None:
    for family, term in (("bert", "nsp"), ("albert", "sop")):
        folder = write(family, {"mlm", "nsp"}, tmp_path / family)  # type: ignore[arg-type]
        stored = {"task": {"name": "masked_lm", "next_sentence": False}}
        for made_by in (None, stored):  # nothing is said, or of a head that was trained later
            if made_by is not None:
                (folder / "unmask.json").write_text(json.dumps(made_by))
            task = native.load(folder).task
            assert isinstance(task, MaskedLM)
            assert task.pair_term == term


def test_an_unknown_family_is_answered_by_those_that_can_be_used(tmp_path: Path) -> None:
    for fields in ({"model_type": "gpt2"}, {"model_type": None}):
        (tmp_path / "config.json").write_text(json.dumps(fields))
        with pytest.raises(DataError, match="`bert`, `roberta`") as caught:
            native.load(tmp_path)
        assert "left-to-right" not in str(caught.value)
