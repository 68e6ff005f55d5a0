from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from unmask.checkpoint import native
from unmask.checkpoint.bundle import Bundle
from unmask.checkpoint.doctor import examine_model


def findings(folder: Path) -> list[tuple[str, str]]:
    found = examine_model(folder)
    assert all(finding.why and finding.fix for finding in found)
    return [(finding.severity, finding.what) for finding in found]


def one(folder: Path, severity: str, part: str) -> None:
    assert any(kind == severity and part in what for kind, what in findings(folder)), findings(
        folder
    )


def change(file: Path, **fields: Any) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | fields))


def test_a_sound_model_gives_no_findings(
    make_bundle: Callable[..., Bundle], tmp_path: Path
) -> None:
    native.save(make_bundle(vocab_size=10), tmp_path / "model", {})
    assert findings(tmp_path / "model") == []


def test_half_precision_is_named(make_bundle: Callable[..., Bundle], tmp_path: Path) -> None:
    bundle = make_bundle()
    bundle.model.to(torch.float16)
    native.save(bundle, tmp_path / "model")
    one(tmp_path / "model", "warning", "half precision (F16)")


def test_weights_that_are_no_numbers_are_named(
    make_bundle: Callable[..., Bundle], tmp_path: Path
) -> None:
    bundle = make_bundle()
    bundle.model.get_parameter("encoder.embedding.norm.bias").data[2] = float("nan")
    native.save(bundle, tmp_path / "model")
    one(tmp_path / "model", "error", "NaN or infinity: encoder.embedding.norm.bias")


def test_untrained_weights_are_named(make_bundle: Callable[..., Bundle], tmp_path: Path) -> None:
    bundle = make_bundle()
    bundle.model.get_parameter("encoder.embedding.norm.bias").data.zero_()
    native.save(bundle, tmp_path / "model")
    one(tmp_path / "model", "warning", "as before training")


def test_a_missing_head_is_named(make_bundle: Callable[..., Bundle], tmp_path: Path) -> None:
    native.save(make_bundle(("pooler",)), tmp_path / "model")
    one(tmp_path / "model", "warning", "no masked language model head")


@pytest.mark.usefixtures("known_tasks")
def test_a_fine_tuned_model_lacks_no_head(
    make_bundle: Callable[..., Bundle], make_task: Callable[..., Any], tmp_path: Path
) -> None:
    task = make_task("span", architecture="QuestionAnswering")
    native.save(make_bundle(task=task, vocab_size=10), tmp_path / "model")
    assert findings(tmp_path / "model") == []


def test_a_head_without_a_task_is_named(
    make_bundle: Callable[..., Bundle], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("unmask.tasks.registry.foreign", lambda *_: None)
    native.save(make_bundle(("classifier",)), tmp_path / "model")
    one(tmp_path / "model", "warning", "the classifier head belongs to no task")


def test_a_missing_tokenizer_is_named(make_bundle: Callable[..., Bundle], tmp_path: Path) -> None:
    native.save(make_bundle(tokenizer=None), tmp_path / "model")
    one(tmp_path / "model", "error", "there is no tokenizer")


def test_rows_without_a_token_are_named(make_bundle: Callable[..., Bundle], tmp_path: Path) -> None:
    native.save(make_bundle(vocab_size=12), tmp_path / "model")
    one(tmp_path / "model", "note", "has 10 entries, the embedding 12 rows")


def test_a_tokenizer_that_pads_otherwise_is_named_here_and_at_loading(
    make_bundle: Callable[..., Bundle], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    native.save(make_bundle(), tmp_path / "model")
    native.load(tmp_path / "model")
    assert not caplog.messages
    change(tmp_path / "model" / "config.json", pad_token_id=1)
    one(tmp_path / "model", "warning", "token 1 is padding, the tokenizer that 0 is")
    native.load(tmp_path / "model")
    assert "token 1 is padding, the tokenizer that 0 is ([PAD])" in caplog.text


def test_a_missing_mask_token_is_named(make_bundle: Callable[..., Bundle], tmp_path: Path) -> None:
    native.save(make_bundle(), tmp_path / "model")
    (tmp_path / "model" / "tokenizer.json").unlink()
    vocabulary = tmp_path / "model" / "vocab.txt"
    vocabulary.write_text(vocabulary.read_text().replace("[MASK]", "masked"))
    one(tmp_path / "model", "error", "no mask token")


def test_another_models_tokenizer_is_named(
    make_bundle: Callable[..., Bundle], tmp_path: Path
) -> None:
    native.save(make_bundle(), tmp_path / "model", {})
    (tmp_path / "model" / "tokenizer.json").unlink()
    vocabulary = tmp_path / "model" / "vocab.txt"
    vocabulary.write_text(vocabulary.read_text().replace("whale", "horse"))
    one(tmp_path / "model", "error", "not the one that the model was trained with")


def test_lengths_that_other_tools_would_trip_over_are_named(
    make_bundle: Callable[..., Bundle], tmp_path: Path
) -> None:
    native.save(make_bundle(), tmp_path / "model")
    change(tmp_path / "model" / "tokenizer_config.json", model_max_length=512)
    truncation = {"max_length": 8, "stride": 0, "strategy": "LongestFirst", "direction": "Right"}
    padding = {
        "strategy": "BatchLongest",
        "direction": "Right",
        "pad_to_multiple_of": None,
        "pad_id": 0,
        "pad_type_id": 0,
        "pad_token": "[PAD]",
    }
    change(tmp_path / "model" / "tokenizer.json", truncation=truncation, padding=padding)
    one(tmp_path / "model", "warning", "allows 512 tokens, the model only 16")
    one(tmp_path / "model", "warning", "cuts texts at 8 tokens; the model reads 16")
    one(tmp_path / "model", "note", "pads every text")


@pytest.mark.parametrize("beside", [True, False])
def test_a_pickle_is_named(
    make_bundle: Callable[..., Bundle], tmp_path: Path, beside: bool
) -> None:
    native.save(make_bundle(), tmp_path / "model")
    (tmp_path / "model" / "pytorch_model.bin").write_bytes(b"")
    if beside:
        one(tmp_path / "model", "note", "lies beside the safetensors")
        return
    (tmp_path / "model" / "MANIFEST.json").unlink()
    (tmp_path / "model" / "model.safetensors").unlink()
    [finding] = examine_model(tmp_path / "model")
    assert finding.severity == "error"
    assert "pytorch_model.bin" in finding.what
    assert "safetensors" in finding.fix


def test_damage_is_the_only_finding_about_a_damaged_model(
    make_bundle: Callable[..., Bundle], tmp_path: Path
) -> None:
    native.save(make_bundle(), tmp_path / "model")
    (tmp_path / "model" / "model.safetensors").write_bytes(b"")
    [(severity, what)] = findings(tmp_path / "model")
    assert severity == "error"
    assert "model.safetensors: has 0 bytes" in what


def pretrained(bundle: Bundle, folder: Path, length: int, loss: object) -> None:
    native.save(bundle, folder, {"recipe": {"train": {"sequence_length": length}}})
    scores = {"validation": {"mlm_loss": loss}, "corpus_unigram_entropy": 6.0}
    (folder / "scores.json").write_text(json.dumps(scores))


def test_positions_that_were_never_trained_are_named(
    make_bundle: Callable[..., Bundle], tmp_path: Path
) -> None:
    pretrained(make_bundle(vocab_size=10), tmp_path / "some", 8, 2.5)
    one(tmp_path / "some", "note", "has 16 positions, but was trained on sequences of up to 8")
    pretrained(make_bundle(vocab_size=10), tmp_path / "all", 16, 2.5)
    assert findings(tmp_path / "all") == []


@pytest.mark.parametrize("loss", [6.5, 1e30, None])
def test_a_run_that_learned_nothing_is_named(
    loss: float | None, make_bundle: Callable[..., Bundle], tmp_path: Path
) -> None:
    pretrained(make_bundle(), tmp_path / "model", 16, loss)
    one(tmp_path / "model", "warning", "above the unigram entropy of its corpus, 6.00")


@pytest.mark.parametrize(
    "text", ["[1, 2]", "{", '{"validation": {"f1": 0.5}}', '{"validation": 3}']
)
def test_scores_of_another_kind_are_none_of_its_business(
    text: str, make_bundle: Callable[..., Bundle], tmp_path: Path
) -> None:
    native.save(make_bundle(vocab_size=10), tmp_path / "model", {})
    (tmp_path / "model" / "scores.json").write_text(text)
    assert findings(tmp_path / "model") == []
