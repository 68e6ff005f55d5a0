from __future__ import annotations

import inspect
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import unmask
from unmask.errors import DataError, UsageError
from unmask.infer.config import FillConfig
from unmask.infer.engine import Engine, load


@pytest.mark.parametrize("backend", ["auto", "torch"])
def test_a_folder_is_loaded_by_path_or_string(folder: Path, backend: str) -> None:
    for path in (folder, str(folder)):
        engine = load(path, backend=backend)
        assert engine.bundle.folder == folder
        assert not engine.bundle.model.training


def test_an_unknown_backend_names_those_there_are(folder: Path) -> None:
    with pytest.raises(UsageError, match=r"'onnx' is not there; expected one of 'auto', 'torch'"):
        load(folder, backend="onnx")


def test_an_unknown_precision_names_those_there_are(folder: Path) -> None:
    with pytest.raises(UsageError, match=r"'fp8' is not there; expected one of 'fp32', 'bf16'"):
        load(folder, precision="fp8")  # type: ignore[arg-type]


def test_bf16_fills_and_scores_nearly_the_same(folder: Path) -> None:
    text = "the [MASK] sat on the mat"
    exact, half = load(folder), load(folder, precision="bf16")

    assert half.bundle.model.encoder.embedding.tokens.weight.dtype is torch.bfloat16  # type: ignore[union-attr]
    weights = [{g["token"]: g["score"] for g in e.predict(text, top_k=50)} for e in (exact, half)]
    assert weights[1] == pytest.approx(weights[0], abs=1e-2)
    likelihoods = [e.score("the cat sat").pseudo_log_likelihood for e in (exact, half)]
    assert likelihoods[1] == pytest.approx(likelihoods[0], abs=0.05)


def test_the_package_itself_loads_engines() -> None:
    assert unmask.load is load
    assert unmask.Engine is Engine


def test_a_model_without_a_tokenizer_is_refused(engine: Engine, folder: Path) -> None:
    with pytest.raises(DataError, match=f"{folder}: holds no tokenizer"):
        Engine(replace(engine.bundle, tokenizer=None))


def test_a_tokenizer_without_a_mask_can_neither_fill_nor_score(
    folder: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "model"
    shutil.copytree(folder, broken)
    (broken / "tokenizer.json").unlink()
    vocabulary = (broken / "vocab.txt").read_text(encoding="utf-8")
    (broken / "vocab.txt").write_text(vocabulary.replace("[MASK]\n", "[OTHER]\n"), encoding="utf-8")
    engine = load(broken)
    with pytest.raises(DataError, match="no mask token"):
        engine.predict("the [MASK]")
    with pytest.raises(DataError, match="no mask token"):
        engine.score("the cat")
    assert engine.inspect("the cat").tokens == ["[CLS]", "the", "cat", "[SEP]"]


def test_defaults_come_from_the_config_alone() -> None:
    signature = inspect.signature(Engine.predict).parameters
    for name, field in FillConfig.model_fields.items():
        assert signature[name].default == field.default
