"""Folders of every family, read and written by both tools."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file
from torch import Tensor

from unmask.checkpoint import native
from unmask.checkpoint.bundle import Bundle


def kinds(case: Any) -> list[str]:
    return ["Model", case.masked_lm, *(f"For{task}" for task in case.tasks)]


def test_import_and_export_give_back_every_tensor_and_setting(
    make_pair: Callable[..., Any], tmp_path: Path, case: Any
) -> None:
    for kind in kinds(case):
        pair = make_pair(case, kind)
        native.save(pair.ours, tmp_path / f"ours-{kind}")
        ours, theirs = (
            load_file(folder / "model.safetensors")
            for folder in (tmp_path / f"ours-{kind}", pair.folder)
        )
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[name], tensor) for name, tensor in theirs.items())
        again = native.load(tmp_path / f"ours-{kind}")
        assert again.config == pair.ours.config
        assert again.task == pair.ours.task or kind in ("Model", case.masked_lm)
        for name, tensor in pair.ours.model.state_dict().items():
            assert torch.equal(again.model.state_dict()[name], tensor), name
        config = json.loads((tmp_path / f"ours-{kind}" / "config.json").read_text())
        assert config["architectures"] == [f"{case.name}{kind}"]


def test_transformers_reads_our_folder_and_computes_the_same(
    make_pair: Callable[..., Any],
    make_both: Callable[..., Any],
    assert_close: Callable[..., None],
    tmp_path: Path,
    case: Any,
) -> None:
    both = make_both(case, (5, 24, 9))
    for kind in kinds(case):
        pair = make_pair(case, kind)
        native.save(pair.ours, tmp_path / f"ours-{kind}")
        auto = getattr(transformers, f"Auto{'Model' if kind == 'Model' else f'Model{kind}'}", None)
        if auto is None:  # replaced token detection has no AutoModel of its own
            auto = getattr(transformers, f"{case.name}{kind}")
        theirs, report = auto.from_pretrained(tmp_path / f"ours-{kind}", output_loading_info=True)
        assert type(theirs).__name__ == f"{case.name}{kind}"
        assert not any(report.values()), report
        with torch.no_grad():
            ours = hidden_states(pair.ours, both)
            base = theirs if kind == "Model" else getattr(theirs, theirs.base_model_prefix)
            assert_close(ours, both.real(base.eval()(**both.padded).last_hidden_state))


def test_an_encoder_is_read_with_and_without_prefix(
    make_pair: Callable[..., Any], case: Any
) -> None:
    bare = make_pair(case, "Model").ours.model.encoder.state_dict()
    full = make_pair(case, case.masked_lm).ours.model.encoder.state_dict()
    assert bare.keys() == full.keys()


@pytest.mark.parametrize("change", ["missing", "extra", "shape"])
def test_tensors_that_do_not_fit_are_listed(
    make_pair: Callable[..., Any], case: Any, change: str
) -> None:
    from safetensors.torch import save_file

    from unmask.errors import DataError

    pair = make_pair(case, case.masked_lm)
    file = pair.folder / "model.safetensors"
    tensors = load_file(file)
    name = next(name for name in tensors if "layer" in name and tensors[name].ndim == 2)
    if change == "missing":
        del tensors[name]
    elif change == "extra":
        tensors[name + "x"] = torch.zeros(1)
    else:
        tensors[name] = torch.zeros(7, 5)
    save_file(tensors, file, metadata={"format": "pt"})

    with pytest.raises(DataError, match=r"the tensors do not fit config\.json") as caught:
        native.load(pair.folder)
    assert name in str(caught.value)


def hidden_states(bundle: Bundle, both: Any) -> Tensor:
    hidden: Tensor = bundle.model.encoder(both.batch)
    return hidden
