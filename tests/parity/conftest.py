"""Random references of transformers, and batches in their form and in ours."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from unmask.batch import IGNORED, Batch, pack
from unmask.checkpoint.bundle import Bundle
from unmask.checkpoint.huggingface.folder import load_folder

SIZES = {
    "vocab_size": 61,
    "hidden_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 3,
    "intermediate_size": 80,
    "max_position_embeddings": 24,
    "hidden_dropout_prob": 0.1,
    "attention_probs_dropout_prob": 0.1,
}


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """More than one costs more than it gains on models this small."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@dataclass(frozen=True)
class Pair:
    """Their model, and ours read from what theirs saved."""

    theirs: Any
    ours: Bundle
    folder: Path


@pytest.fixture
def make_pair(tmp_path: Path) -> Callable[..., Pair]:
    """A pair of a transformers class with given sizes; no weight is at its initial value."""

    def make(name: str, dtype: torch.dtype = torch.float32, **sizes: Any) -> Pair:
        config = transformers.BertConfig(**{**SIZES, **sizes}, attn_implementation="eager")
        theirs = getattr(transformers, name)(config).to(dtype).eval()
        generator = torch.Generator().manual_seed(1)
        with torch.no_grad():
            for parameter in theirs.parameters():
                noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
                parameter.add_(0.1 * noise)
        theirs.save_pretrained(tmp_path)
        return Pair(theirs, load_folder(tmp_path, dtype), tmp_path)

    return make


@dataclass(frozen=True)
class Both:
    """The same sequences packed for us and padded for them."""

    batch: Batch
    """With labels of both terms."""
    padded: dict[str, torch.Tensor]
    """(B, T) each: input_ids, attention_mask, token_type_ids."""
    labels: dict[str, torch.Tensor]
    """labels (B, T) and next_sentence_label (B,)."""

    def real(self, theirs: torch.Tensor) -> torch.Tensor:
        """(N, ...) the real tokens of (B, T, ...), in packed order."""
        return theirs[self.padded["attention_mask"].bool()]


@pytest.fixture
def make_both() -> Callable[..., Both]:
    """Random sequences of two segments, a third of the tokens picked, never the first."""

    def make(lengths: tuple[int, ...], vocab_size: int = SIZES["vocab_size"]) -> Both:
        generator = torch.Generator().manual_seed(2)

        def draw(low: int, high: int, length: int) -> list[int]:
            return torch.randint(low, high, (length,), generator=generator).tolist()

        # Id 0 is their padding: its embedding would get no gradient from them.
        ids = [draw(1, vocab_size, length) for length in lengths]
        segments = [[int(i > length // 2) for i in range(length)] for length in lengths]
        picks = [[i % 3 == 1 for i in range(length)] for length in lengths]
        labels = [
            [draw(0, vocab_size, 1)[0] if picked else IGNORED for picked in picked_row]
            for picked_row in picks
        ]
        nsp = torch.tensor(draw(0, 2, len(lengths)))
        flat = torch.tensor([label for row in labels for label in row])
        batch = replace(pack(ids, token_type_ids=segments), labels={"mlm": flat, "nsp": nsp})
        longest = max(lengths)

        def pad(rows: list[list[int]], filler: int) -> torch.Tensor:
            return torch.tensor([row + [filler] * (longest - len(row)) for row in rows])

        padded = {
            "input_ids": pad(ids, 0),
            "attention_mask": pad([[1] * length for length in lengths], 0),
            "token_type_ids": pad(segments, 0),
        }
        return Both(batch, padded, {"labels": pad(labels, IGNORED), "next_sentence_label": nsp})

    return make


@pytest.fixture
def assert_close() -> Callable[..., None]:
    """Within `rate` of the largest reference value, or of 1 where all are smaller."""

    def check(ours: torch.Tensor, theirs: torch.Tensor, rate: float = 1e-5) -> None:
        assert ours.shape == theirs.shape
        ours, theirs = ours.detach(), theirs.detach()
        scale = max(1.0, float(theirs.abs().max()))
        assert float((ours - theirs).abs().max()) <= rate * scale

    return check
