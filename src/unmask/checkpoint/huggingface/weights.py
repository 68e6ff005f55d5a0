"""Where a folder's weights lie: one safetensors file, or shards with an index."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from torch import Tensor

from unmask.checkpoint.safe import MAX_INDEX_BYTES, Entry, contained, read_header, read_object
from unmask.checkpoint.tensors import write_tensors
from unmask.errors import DataError

WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
PICKLES = ("pytorch_model.bin", "pytorch_model.bin.index.json")
"""Never opened."""
FLOATS = {"F64", "F32", "F16", "BF16"}
"""Types of weights that are read, in safetensors' spelling."""


def find_weights(folder: Path) -> dict[str, Entry]:
    """Every tensor of a folder by its stored name, from the headers alone.

    Raises:
        DataError: No safetensors, a broken file, or an index that does not fit its shards.
    """
    if contained(folder, WEIGHTS).is_file():
        return read_header(contained(folder, WEIGHTS))
    if contained(folder, INDEX).is_file():
        return _sharded(folder)
    pickled = next((name for name in PICKLES if (folder / name).exists()), None)
    if pickled is not None:
        raise DataError(
            f"{folder}: the weights are only there as {pickled}, a pickle, which can run any code "
            "when it is opened, so it was not. Expected model.safetensors. If you trust its "
            "author, convert it once with transformers: `AutoModelForPreTraining"
            f".from_pretrained({str(folder)!r}).save_pretrained(FOLDER)`."
        )
    raise DataError(f"{folder}: no weights here; expected {WEIGHTS}, or shards with {INDEX}.")


def write_weights(folder: Path, tensors: Mapping[str, Tensor], max_shard_bytes: int) -> None:
    """Writes one file, or shards of at most `max_shard_bytes` (or of one larger tensor)."""
    shards = list(_cut(tensors, max_shard_bytes))
    if len(shards) == 1:
        write_tensors(folder / WEIGHTS, shards[0])
        return
    weight_map: dict[str, str] = {}
    for i, shard in enumerate(shards):
        name = f"model-{i + 1:05d}-of-{len(shards):05d}.safetensors"
        write_tensors(folder / name, shard)
        weight_map |= dict.fromkeys(shard, name)
    total = sum(tensor.nbytes for tensor in tensors.values())
    index = {"metadata": {"total_size": total}, "weight_map": weight_map}
    (folder / INDEX).write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")


def _sharded(folder: Path) -> dict[str, Entry]:
    file = contained(folder, INDEX)
    weight_map = read_object(file, MAX_INDEX_BYTES).get("weight_map")
    if not isinstance(weight_map, dict) or not all(
        isinstance(shard, str) for shard in weight_map.values()
    ):
        raise DataError(f"{file}: no `weight_map` of tensor names to file names.")
    entries: dict[str, Entry] = {}
    for shard in sorted(set(weight_map.values())):
        path = contained(folder, shard)
        if path.suffix != ".safetensors":
            raise DataError(f"{file}: the shard {shard!r:.200} is not a .safetensors file.")
        if not path.is_file():
            raise DataError(f"{path}: the shard that {INDEX} names is not there; copy it here.")
        header = read_header(path)
        promised = {name for name, where in weight_map.items() if where == shard}
        if promised != header.keys():
            differing = sorted(promised ^ header.keys())[:10]
            raise DataError(
                f"{path}: holds other tensors than {INDEX} says: {', '.join(differing)}. "
                "Copy both again from the same model."
            )
        entries |= header
    return entries


def _cut(tensors: Mapping[str, Tensor], max_shard_bytes: int) -> Iterator[dict[str, Tensor]]:
    shard: dict[str, Tensor] = {}
    size = 0
    for name, tensor in tensors.items():
        if shard and size + tensor.nbytes > max_shard_bytes:
            yield shard
            shard, size = {}, 0
        shard[name] = tensor
        size += tensor.nbytes
    yield shard
