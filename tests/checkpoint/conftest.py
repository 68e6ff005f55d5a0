"""A tiny model with a tokenizer, and a task with labels of which only the folder's part is real."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

from unmask.checkpoint.assemble import assemble, task_of
from unmask.checkpoint.bundle import Bundle
from unmask.errors import DataError
from unmask.models.config import BertConfig
from unmask.nn.init import initialise
from unmask.tasks import registry
from unmask.text.tokenizer import Tokenizer

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "whale", "sea", "##s", "."]


@dataclass(frozen=True)
class Labelled:
    """What a folder knows of a fine-tuned task."""

    head: str
    labels: tuple[str, ...] = ()
    problem_type: str | None = None
    architecture: str | None = None
    temperature: float = 1.0

    name = "labelled"

    @property
    def num_outputs(self) -> int:
        """One a label; the scores of an unlabelled task are one or two."""
        return len(self.labels) or (2 if self.head == "span" else 1)

    def stored(self) -> dict[str, Any]:
        return {"name": self.name, **asdict(self)}


@pytest.fixture
def make_task() -> type[Labelled]:
    return Labelled


@pytest.fixture
def known_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The registry knows `Labelled` alone; what is foreign becomes one with all that was given."""

    def restore(stored: Mapping[str, Any]) -> Labelled:
        fields = dict(stored)
        if fields.pop("name", None) != Labelled.name:
            raise DataError("unmask.json: `task`\nis none of labelled")
        return Labelled(**{**fields, "labels": tuple(fields["labels"])})

    def foreign(
        head: str, name: str | None, labels: tuple[str, ...], problem_type: str | None
    ) -> Labelled:
        return Labelled(head, labels, problem_type, (name or "").partition("For")[2] or None)

    monkeypatch.setattr(registry, "restore", restore)
    monkeypatch.setattr(registry, "foreign", foreign)


@pytest.fixture
def tokenizer(tmp_path: Path) -> Tokenizer:
    folder = tmp_path / "tokenizer"
    folder.mkdir()
    (folder / "vocab.txt").write_text("\n".join(WORDS) + "\n")
    return Tokenizer.load(folder)


@pytest.fixture
def make_bundle(tokenizer: Tokenizer) -> Callable[..., Bundle]:
    """A bundle with the given heads, or with the task's; another seed gives other weights."""

    def make(
        heads: Collection[str] = ("mlm",),
        seed: int = 0,
        tokenizer: Tokenizer | None = tokenizer,
        vocab_size: int = 12,
        task: Labelled | None = None,
        num_outputs: int = 3,
    ) -> Bundle:
        if task is not None:
            heads, num_outputs = (task.head,), task.num_outputs
        config = BertConfig(
            vocab_size=vocab_size,
            hidden_size=8,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=16,
            max_position_embeddings=16,
        )
        model = assemble(config, heads, num_outputs)
        initialise(model, config.initializer_range, torch.Generator().manual_seed(seed))
        model.encoder.embedding.norm.bias.data.fill_(0.5)
        return Bundle(model, task or task_of(heads), tokenizer, config, None)

    return make
