from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from unmask.checkpoint import native
from unmask.checkpoint.bundle import Bundle
from unmask.errors import DataError, UsageError


def same_weights(one: Bundle, other: Bundle) -> bool:
    state, expected = one.model.state_dict(), other.model.state_dict()
    return state.keys() == expected.keys() and all(
        torch.equal(state[name], tensor) for name, tensor in expected.items()
    )


@pytest.mark.parametrize("heads", [(), ("mlm",), ("mlm", "nsp"), ("pooler",), ("mlm", "pooler")])
def test_what_was_saved_is_loaded(
    make_bundle: Callable[..., Bundle], tmp_path: Path, heads: tuple[str, ...]
) -> None:
    bundle = make_bundle(heads)
    native.save(bundle, tmp_path / "model")
    loaded = native.load(tmp_path / "model")
    assert same_weights(loaded, bundle)
    assert loaded.config == bundle.config
    assert set(loaded.model.heads) == set(heads)
    assert loaded.folder == tmp_path / "model"
    assert not loaded.model.training
    assert loaded.tokenizer is not None
    assert bundle.tokenizer is not None
    assert loaded.tokenizer.sha256 == bundle.tokenizer.sha256


FINE_TUNED = [
    ("pooled_classifier", ("no", "yes"), "single_label_classification", "SequenceClassification"),
    ("pooled_classifier", ("a", "b", "c"), "multi_label_classification", "SequenceClassification"),
    ("pooled_classifier", ("value",), "regression", "SequenceClassification"),
    ("pooled_classifier", (), None, "MultipleChoice"),
    ("classifier", ("O", "B-\u00e9", "I-\u00e9"), None, "TokenClassification"),
    ("classifier", ("x", "y"), "single_label_classification", None),
    ("span", (), None, "QuestionAnswering"),
]


@pytest.mark.parametrize("fields", FINE_TUNED, ids=str)
@pytest.mark.usefixtures("known_tasks")
def test_a_fine_tuned_model_is_loaded_with_its_task(
    make_bundle: Callable[..., Bundle],
    make_task: Callable[..., Any],
    tmp_path: Path,
    fields: tuple[Any, ...],
) -> None:
    bundle = make_bundle(task=make_task(*fields, temperature=1.25))
    native.save(bundle, tmp_path / "model", {"recipe": "x"})
    loaded = native.load(tmp_path / "model")
    assert same_weights(loaded, bundle)
    assert loaded.task == bundle.task
    config = json.loads((tmp_path / "model" / "config.json").read_text())
    _, labels, problem_type, architecture = fields
    name = "BertModel" if architecture is None else f"BertFor{architecture}"
    assert config["architectures"] == [name]
    assert config.get("problem_type") == problem_type
    assert config.get("id2label", {}) == {str(i): name for i, name in enumerate(labels)}
    assert config.get("label2id", {}) == {name: i for i, name in enumerate(labels)}
    stored = json.loads((tmp_path / "model" / "unmask.json").read_text())
    assert stored.keys() == {"recipe", "task", "tokenizer_sha256"}


@pytest.mark.usefixtures("known_tasks")
def test_the_task_is_stored_where_nothing_else_is_known_of_the_making(
    make_bundle: Callable[..., Bundle], make_task: Callable[..., Any], tmp_path: Path
) -> None:
    bundle = make_bundle(task=make_task("classifier", ("x", "y")), tokenizer=None)
    native.save(bundle, tmp_path / "model")
    stored = json.loads((tmp_path / "model" / "unmask.json").read_text())
    assert stored.keys() == {"task", "tokenizer_sha256"}
    assert native.load(tmp_path / "model").task == bundle.task


def test_labels_that_could_not_be_read_again_are_not_written(
    make_bundle: Callable[..., Bundle], make_task: Callable[..., Any], tmp_path: Path
) -> None:
    task = make_task("classifier", tuple(f"{i}" * 500_000 for i in range(5)))
    with pytest.raises(DataError, match=r"config\.json: would have \d+ bytes"):
        native.save(make_bundle(task=task), tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_loaded_weights_outlive_their_file(
    make_bundle: Callable[..., Bundle], tmp_path: Path
) -> None:
    bundle = make_bundle()
    native.save(bundle, tmp_path / "model")
    loaded = native.load(tmp_path / "model")
    file = tmp_path / "model" / "model.safetensors"
    file.write_bytes(bytes(file.stat().st_size))
    assert same_weights(loaded, bundle)


def test_saving_over_a_saved_model_replaces_it(
    make_bundle: Callable[..., Bundle], tmp_path: Path
) -> None:
    native.save(make_bundle(seed=1), tmp_path / "model", {"recipe": "first"})
    second = make_bundle(seed=2)
    native.save(second, tmp_path / "model")
    assert same_weights(native.load(tmp_path / "model"), second)
    assert not (tmp_path / "model" / "unmask.json").exists()
    assert {path.name for path in tmp_path.iterdir()} == {"model", "tokenizer"}


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o027, 0o640)])
def test_every_file_follows_the_umask(
    make_bundle: Callable[..., Bundle], tmp_path: Path, umask: int, mode: int
) -> None:
    before = os.umask(umask)
    try:
        native.save(make_bundle(), tmp_path / "model", {"recipe": {}})
    finally:
        os.umask(before)
    files = [path for path in (tmp_path / "model").iterdir() if path.is_file()]
    assert {path.name: oct(path.stat().st_mode & 0o777) for path in files} == {
        path.name: oct(mode) for path in files
    }


def test_provenance_is_stored(make_bundle: Callable[..., Bundle], tmp_path: Path) -> None:
    bundle = make_bundle()
    native.save(bundle, tmp_path / "model", {"recipe": {"steps": 3}})
    stored = json.loads((tmp_path / "model" / "unmask.json").read_text())
    assert bundle.tokenizer is not None
    assert bundle.task is not None
    assert stored == {
        "recipe": {"steps": 3},
        "task": bundle.task.stored(),
        "tokenizer_sha256": bundle.tokenizer.sha256,
    }


def test_a_model_without_tokenizer_is_loaded(
    make_bundle: Callable[..., Bundle], tmp_path: Path
) -> None:
    native.save(make_bundle(tokenizer=None), tmp_path / "model")
    assert native.load(tmp_path / "model").tokenizer is None


def test_a_runs_finished_model_comes_before_its_checkpoints(
    make_bundle: Callable[..., Bundle], tmp_path: Path
) -> None:
    run = tmp_path / "run"
    native.save(make_bundle(seed=1), run / "checkpoint-5")
    last = make_bundle(seed=2)
    native.save(last, run / "checkpoint-10")
    assert native.locate(run) == run / "checkpoint-10"
    assert same_weights(native.load(run), last)
    native.save(make_bundle(seed=3), run / native.MODEL_FOLDER)
    assert native.locate(run) == run / native.MODEL_FOLDER


def test_a_run_of_damaged_checkpoints_is_refused(
    make_bundle: Callable[..., Bundle], tmp_path: Path
) -> None:
    native.save(make_bundle(), tmp_path / "run" / "checkpoint-5")
    (tmp_path / "run" / "checkpoint-5" / "model.safetensors").write_bytes(b"")
    with pytest.raises(DataError, match="none of the run's 1 checkpoints is whole"):
        native.load(tmp_path / "run")


def test_altered_weights_are_noticed(make_bundle: Callable[..., Bundle], tmp_path: Path) -> None:
    native.save(make_bundle(), tmp_path / "model")
    file = tmp_path / "model" / "model.safetensors"
    content = bytearray(file.read_bytes())
    content[-3] ^= 1
    file.write_bytes(content)
    with pytest.raises(DataError, match=r"model\.safetensors: altered since it was written"):
        native.load(tmp_path / "model")


@pytest.mark.parametrize(
    "name", ["/no/such/folder", "../../etc/passwd", "a/b/c", "nul\0byte", "", "./x", "owner/..x"]
)
def test_a_name_that_cannot_be_a_model_never_reaches_the_hub(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the hub was asked")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("huggingface_hub.snapshot_download", refuse)
    with pytest.raises((UsageError, DataError)):
        native.load(name)


def test_offline_a_hub_model_that_is_not_cached_explains_itself(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    with pytest.raises(DataError, match="HF_HUB_OFFLINE"):
        native.load("someone/some-model")


def test_a_hub_model_is_read_from_the_cache(
    make_bundle: Callable[..., Bundle], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bundle = make_bundle()
    repository = tmp_path / "cache" / "models--someone--whale"
    snapshot = repository / "snapshots" / ("a" * 40)
    native.save(bundle, tmp_path / "saved")
    (repository / "blobs").mkdir(parents=True)
    snapshot.mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("a" * 40)
    for file in (tmp_path / "saved").iterdir():
        file.rename(repository / "blobs" / file.name)
        (snapshot / file.name).symlink_to(Path("../../blobs") / file.name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    assert same_weights(native.load("someone/whale"), bundle)
