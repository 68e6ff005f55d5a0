"""Model files that are broken or meant to do harm."""

from __future__ import annotations

import json
import os
import pickle
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from unmask.checkpoint import native
from unmask.checkpoint.assemble import assemble, task_of
from unmask.checkpoint.bundle import Bundle
from unmask.checkpoint.lock import RunLock
from unmask.checkpoint.safe import MAX_HEADER_BYTES, read_header
from unmask.errors import DataError, UsageError
from unmask.models.config import BertConfig
from unmask.text.tokenizer import Tokenizer

SIZES = {
    "vocab_size": 12,
    "hidden_size": 8,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "max_position_embeddings": 16,
}
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "whale"]


def bundle(tokenizer: Tokenizer | None = None) -> Bundle:
    config = BertConfig.model_validate(SIZES)
    return Bundle(assemble(config, {"mlm"}), task_of({"mlm"}), tokenizer, config, None)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A sound model without a manifest, for the tests to break."""
    (tmp_path / "vocab.txt").write_text("\n".join(WORDS) + "\n")
    native.save(bundle(Tokenizer.load(tmp_path / "vocab.txt")), tmp_path / "model")
    (tmp_path / "model" / "MANIFEST.json").unlink()
    return tmp_path / "model"


def refuse(folder: Path, match: str) -> str:
    """Loading fails at once with one message that names the folder."""
    started = time.monotonic()
    with pytest.raises(DataError, match=match) as caught:
        native.load(folder)
    assert time.monotonic() - started < 5
    message = str(caught.value)
    assert str(folder) in message
    assert "\n" not in message
    assert len(message) < 2000
    return message


def change_config(folder: Path, **fields: Any) -> None:
    file = folder / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | fields))


def change_weights(folder: Path, change: Callable[[dict[str, torch.Tensor]], object]) -> None:
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors")


def write_header(file: Path, header: bytes, data: bytes = b"") -> None:
    file.write_bytes(struct.pack("<Q", len(header)) + header + data)


class Bomb:
    """Unpickling it makes a file."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.mark}",)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "pytorch_model.bin.index.json"])
def test_a_pickle_is_refused_and_never_opened(folder: Path, name: str) -> None:
    mark = folder.parent / "ran"
    (folder / name).write_bytes(pickle.dumps(Bomb(mark)))
    pickle.loads((folder / name).read_bytes())
    assert mark.exists(), "the bomb is a dud"
    mark.unlink()

    native.load(folder)  # safetensors beside it are read
    (folder / "model.safetensors").unlink()
    message = refuse(folder, "a pickle, which can run any code")
    assert "save_pretrained" in message
    assert not mark.exists()


def test_a_header_with_a_key_twice_is_refused(folder: Path) -> None:
    entry = b'{"dtype":"F32","shape":[1],"data_offsets":[0,4]}'
    write_header(folder / "model.safetensors", b'{"a":%b,"a":%b}' % (entry, entry), bytes(4))
    refuse(folder, "the key 'a' appears twice")


def test_a_header_of_a_million_tensors_is_refused_quickly(folder: Path) -> None:
    entry = '{"dtype":"F32","shape":[0],"data_offsets":[0,0]}'
    header = "{" + ",".join(f'"tensor{i}":{entry}' for i in range(1_000_000)) + "}"
    write_header(folder / "model.safetensors", header.encode())
    started = time.monotonic()
    refuse(folder, "claims a header of")
    assert time.monotonic() - started < 1


def test_a_small_header_of_too_many_tensors_is_refused(folder: Path) -> None:
    entry = '{"dtype":"F32","shape":[0],"data_offsets":[0,0]}'
    header = "{" + ",".join(f'"{i}":{entry}' for i in range(50_001)) + "}"
    assert len(header) < MAX_HEADER_BYTES
    write_header(folder / "model.safetensors", header.encode())
    refuse(folder, "holds 50001 tensors")


def entry(shape: list[int], begin: int, end: int, dtype: str = "F32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


@pytest.mark.parametrize(
    ("header", "data"),
    [
        ({"a": entry([2], 0, 8)}, bytes(4)),
        ({"a": entry([1], 0, 4)}, bytes(8)),
        ({"a": entry([2], 0, 8), "b": entry([2], 4, 12)}, bytes(12)),
        ({"a": entry([1], 0, 4), "b": entry([1], 8, 12)}, bytes(12)),
        ({"a": entry([3], 0, 4)}, bytes(4)),
        ({"a": entry([2**62, 2**62], 0, 4)}, bytes(4)),
        ({"a": entry([-1], 0, 4)}, bytes(4)),
        ({"a": entry([1], 4, 0)}, bytes(4)),
        ({"a": entry([1], 0, 4, "F33")}, bytes(4)),
        ({"a": 3}, bytes(4)),
        ({"a": {"dtype": "F32"}}, bytes(4)),
    ],
    ids=[
        "truncated data",
        "trailing bytes",
        "overlapping",
        "a hole",
        "another size than the shape's",
        "overflow",
        "negative",
        "backwards",
        "unknown type",
        "no entry",
        "half an entry",
    ],
)
def test_a_layout_that_does_not_add_up_is_refused(
    folder: Path, header: dict[str, Any], data: bytes
) -> None:
    write_header(folder / "model.safetensors", json.dumps(header).encode(), data)
    refuse(folder, "not a whole safetensors file")


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"", "truncated inside its header"),
        (b"\x10\0\0", "truncated inside its header"),
        (struct.pack("<Q", 100) + b"{}", "truncated inside its header"),
        (struct.pack("<Q", 2**63) + b"{}", "claims a header of"),
        (struct.pack("<Q", 4) + b"{{{{", "broken JSON"),
        (struct.pack("<Q", 4) + b"\xff\xfe\xff\xfe", "broken JSON"),
        (struct.pack("<Q", 2) + b"[]", "expected an object"),
        (struct.pack("<Q", 100_000) + b"[" * 100_000, "nested too deeply"),
    ],
    ids=["empty", "no length", "short", "huge", "no JSON", "no UTF-8", "a list", "deep"],
)
def test_a_broken_header_is_refused(folder: Path, content: bytes, match: str) -> None:
    (folder / "model.safetensors").write_bytes(content)
    refuse(folder, match)


def test_every_truncation_of_the_weights_is_refused(folder: Path) -> None:
    content = (folder / "model.safetensors").read_bytes()
    for length in range(0, len(content), 97):
        (folder / "model.safetensors").write_bytes(content[:length])
        with pytest.raises(DataError):
            read_header(folder / "model.safetensors")


@pytest.mark.parametrize(
    ("fields", "match"),
    [
        ({"hidden_size": 10**9}, "`hidden_size` is 1000000000: .*less than or equal"),
        ({"hidden_size": 10**400}, "broken JSON|`hidden_size`"),
        ({"num_hidden_layers": 10**6}, "`num_hidden_layers` is 1000000"),
        ({"vocab_size": -1}, "`vocab_size` is -1"),
        ({"vocab_size": "many"}, "`vocab_size` is .many."),
        ({"vocab_size": 2_000_000, "hidden_size": 16_384}, "implied .2000000, 16384."),
        ({"num_hidden_layers": 256}, "4064 missing"),
        ({"num_hidden_layers": 1}, "16 not expected"),
        ({"num_attention_heads": 3}, "not a multiple of num_attention_heads 3"),
        ({"hidden_act": "__import__('os')"}, "`hidden_act` is"),
        ({"layer_norm_eps": float("nan")}, "`layer_norm_eps`"),
        ({"model_type": "llama"}, '`model_type` is "llama"; .* known here are `bert`'),
        ({"model_type": None}, "no `model_type`"),
        ({"model_type": ["bert"]}, "`model_type` is"),
        ({"position_embedding_type": "relative_key"}, "`position_embedding_type`"),
        ({"is_decoder": True}, "`is_decoder` is true"),
        ({"add_cross_attention": True}, "`add_cross_attention`"),
        ({"tie_word_embeddings": False}, "`tie_word_embeddings`"),
        ({"pruned_heads": {"0": [1]}}, "`pruned_heads`"),
    ],
    ids=str,
)
def test_a_config_that_cannot_be_is_refused(
    folder: Path, fields: dict[str, Any], match: str
) -> None:
    change_config(folder, **fields)
    refuse(folder, match)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("[" * 100_000, "nested too deeply"),
        ('{"a":' * 100_000, "nested too deeply"),
        ("", "broken JSON"),
        ("[1]", "expected an object"),
        ('{"model_type": "bert", "model_type": "llama"}', "appears twice"),
        (f'{{"hidden_size": {"9" * 5000}}}', "broken JSON"),
        (" " * (5 << 20), "larger than"),
    ],
    ids=["deep list", "deep object", "empty", "a list", "a key twice", "long number", "large"],
)
def test_a_config_file_that_is_no_object_is_refused(folder: Path, text: str, match: str) -> None:
    (folder / "config.json").write_text(text)
    refuse(folder, match)


def test_code_that_comes_with_a_model_is_never_run(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    mark = folder / "ran"
    (folder / "modeling_evil.py").write_text(f"open({str(mark)!r}, 'w')")
    change_config(folder, auto_map={"AutoModel": "modeling_evil.Evil"}, trust_remote_code=True)
    native.load(folder)
    assert not mark.exists()
    assert "`auto_map` names code of the model's author, which is never run" in caplog.text


def test_settings_that_change_nothing_are_accepted(folder: Path) -> None:
    change_config(folder, is_decoder=False, pruned_heads={}, use_cache=True, pad_token_id=None)
    assert native.load(folder).config.pad_token_id == 0


def shard(folder: Path, name: str) -> None:
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    index = {"metadata": {}, "weight_map": dict.fromkeys(tensors, name)}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


@pytest.mark.parametrize(
    "name", ["../outside.safetensors", "{}/outside.safetensors", "..", "", "a\0b", "a\\b"]
)
def test_an_index_cannot_lead_out_of_the_folder(folder: Path, name: str) -> None:
    outside = folder.parent / "outside.safetensors"
    outside.write_bytes((folder / "model.safetensors").read_bytes())
    shard(folder, name.format(folder.parent))
    refuse(folder, "leads out of the folder")


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "vocab.txt"])
def test_a_link_cannot_lead_out_of_the_folder(folder: Path, name: str) -> None:
    outside = folder.parent / f"outside-{name}"
    (folder / name).rename(outside)
    (folder / name).symlink_to(outside)
    refuse(folder, "a link that leads out of the folder")


def test_an_index_that_does_not_fit_its_shards_is_refused(folder: Path) -> None:
    content = (folder / "model.safetensors").read_bytes()
    shard(folder, "model-00001-of-00001.safetensors")
    refuse(folder, "is not there")
    (folder / "model-00001-of-00001.safetensors").write_bytes(content)
    native.load(folder)
    index = folder / "model.safetensors.index.json"
    broken = json.loads(index.read_text())
    broken["weight_map"].pop("cls.predictions.bias")
    index.write_text(json.dumps(broken))
    refuse(folder, r"holds other tensors than .*: cls\.predictions\.bias")
    index.write_text(json.dumps({"weight_map": {"a": 3}}))
    refuse(folder, "no `weight_map`")
    index.write_text(json.dumps({"weight_map": {"a": "pytorch_model.bin"}}))
    refuse(folder, r"not a \.safetensors file")


def test_missing_and_leftover_tensors_are_listed(folder: Path) -> None:
    def change(tensors: dict[str, torch.Tensor]) -> None:
        del tensors["bert.encoder.layer.1.output.dense.bias"]
        tensors["classifier.weight"] = torch.zeros(2, 8)

    change_weights(folder, change)
    message = refuse(folder, "1 missing: bert.encoder.layer.1.output.dense.bias; 1 not expected")
    assert "bert.classifier.weight" not in message


def test_a_long_list_of_tensors_is_cut_at_ten(folder: Path) -> None:
    def change(tensors: dict[str, torch.Tensor]) -> None:
        tensors.update({f"bert.extra{i}": torch.zeros(1) for i in range(30)})

    change_weights(folder, change)
    message = refuse(folder, "30 not expected: .*, and 20 more")
    assert message.count("bert.extra") == 10


def test_one_tensor_under_two_names_is_refused(folder: Path) -> None:
    def change(tensors: dict[str, torch.Tensor]) -> None:
        tensors["bert.embeddings.LayerNorm.gamma"] = torch.ones(8)

    change_weights(folder, change)
    refuse(folder, "mean the same tensor")


def test_an_output_layer_of_its_own_is_refused(folder: Path) -> None:
    def change(tensors: dict[str, torch.Tensor]) -> None:
        tensors["cls.predictions.decoder.weight"] = torch.zeros(12, 8)

    change_weights(folder, change)
    refuse(folder, r"`cls\.predictions\.decoder\.weight` differs from")


def test_quantised_weights_are_refused(folder: Path) -> None:
    def change(tensors: dict[str, torch.Tensor]) -> None:
        tensors["cls.predictions.bias"] = torch.zeros(12, dtype=torch.int8)

    change_weights(folder, change)
    refuse(folder, "is of type I8")


def test_a_vocabulary_larger_than_the_embedding_is_refused(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()
    (folder / "vocab.txt").write_text("\n".join(WORDS + list("abcdefgh")) + "\n")
    refuse(folder, "the tokenizer has 15 entries, .* only 12 rows")


def test_an_empty_folder_says_what_belongs_there(tmp_path: Path) -> None:
    refuse(tmp_path, r"no config\.json here")


def test_a_folder_without_weights_says_what_belongs_there(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    refuse(folder, r"no weights here; expected model\.safetensors")


FILL = """
import resource, sys
from pathlib import Path
import torch
from unmask.checkpoint import native
from unmask.errors import MachineError
model = native.load(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    native.save(model, Path(sys.argv[2]))
except MachineError as error:
    print(error)
    raise SystemExit(error.exit_code)
"""


def test_a_disk_that_fills_while_saving_leaves_the_old_model(folder: Path, tmp_path: Path) -> None:
    """A limit on the file size stands for the full disk: the kernel refuses the same write."""
    native.save(bundle(), tmp_path / "saved")
    before = {path.name: path.read_bytes() for path in (tmp_path / "saved").iterdir()}
    done = subprocess.run(
        [sys.executable, "-c", FILL, str(folder), str(tmp_path / "saved")],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 4, done.stderr
    assert "saved: no room to write it" in done.stdout
    assert "are free" in done.stdout
    assert {path.name: path.read_bytes() for path in (tmp_path / "saved").iterdir()} == before
    assert not list(tmp_path.glob("*.tmp-*"))


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "MANIFEST.json"])
def test_one_flipped_bit_falls_back_to_the_checkpoint_before(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    run = tmp_path / "run"
    native.save(bundle(), run / "checkpoint-100")
    native.save(bundle(), run / "checkpoint-200")
    file = run / "checkpoint-200" / name
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 4
    file.write_bytes(content)
    assert native.newest(run) == run / "checkpoint-100"
    assert str(run / "checkpoint-200") in caplog.text


def test_two_runs_in_one_folder_are_refused(tmp_path: Path) -> None:
    with (
        RunLock(tmp_path / "run"),
        pytest.raises(UsageError, match=f"process {os.getpid()} on .* is writing this run"),
        RunLock(tmp_path / "run"),
    ):
        pass
