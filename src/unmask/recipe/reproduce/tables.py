"""The tables as data: which runs make their rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from unmask.recipe.config import Finetune
from unmask.recipe.reproduce.datasets import DATA_SETS


@dataclass(frozen=True)
class Published:
    """A figure of somebody else's, and what has to be known to set ours beside it."""

    value: float
    """In percent, as printed there."""
    what: str
    source: str


@dataclass(frozen=True)
class Row:
    """Runs of one data set by one recipe, with as many seeds."""

    name: str
    """Of its folder and in the table."""
    data: str
    """One of `DATA_SETS`."""
    recipe: Mapping[str, Any] = field(default_factory=dict)
    """Settings of `Finetune` that differ from its defaults."""
    seeds: int = 1
    start: Literal["pretrained", "random", "adapted"] = "pretrained"
    """The given weights, fresh ones of the same architecture and vocabulary, or the given ones
    pretrained further on the unlabelled texts of the whole training part."""
    published: tuple[Published, ...] = ()

    def settings(self, seed: int) -> Finetune:
        """The recipe of the run with this seed."""
        dataset = DATA_SETS[self.data]
        own = dict(self.recipe)
        train = {"seed": seed, "keep_checkpoints": 1, **own.pop("train", {})}
        return Finetune.model_validate(
            {
                "task": dataset.task,
                "settings": dict(dataset.settings),
                "metric": dataset.shown[0],
                "baselines": False,
                "train": train,
                **own,
            }
        )


@dataclass(frozen=True)
class Table:
    """Rows under one heading."""

    title: str
    rows: Sequence[Row]
    needs_model: bool = False
    """Whether the model has to be named, for the usual one would mean nothing here."""


_EPOCHS = {"epochs": 3}
_FEW = {"max_examples": 1000, "train": _EPOCHS}
_SOME = {"max_examples": 3000, "train": {**_EPOCHS, "batch_size": 32}, "baselines": True}
_LONGER = {"max_examples": 3000, "train": {"epochs": 5}}
_FASTER = {**_LONGER, "optim": {"learning_rate": 5e-4}}
"""Weights that nobody has trained yet learn more at pretraining's rate."""
_BIOBERT = "Lee et al. 2020 (BioBERT, Bioinformatics 36), table 6"
_PUBLISHED = {
    "sst2": (
        Published(
            93.5,
            "accuracy of BERT-base, trained on 67,349 phrases and sentences, on GLUE's test set",
            "Devlin et al. 2019, table 1",
        ),
    ),
    "ud-ewt": (
        Published(
            96.9,
            "accuracy of spaCy's transformer pipeline, which finds sentences and words itself, on "
            "version 2.5 of the treebank",
            "Explosion's model card of en_udv25_englishewt_trf",
        ),
    ),
    "ncbi-disease": (
        Published(85.63, "F1 of BERT-base", _BIOBERT),
        Published(89.71, "F1 of BioBERT v1.1, pretrained further on PubMed", _BIOBERT),
    ),
}
_COMPARED = ("sst2", "mrpc", "snli", "ud-ewt", "wnut17")

TABLES: dict[str, Table] = {
    "tasks-few": Table(
        "1,000 training examples, 3 epochs, 3 seeds",
        [Row(name, name, _FEW, seeds=3) for name in ("sst2", "mrpc", "ud-ewt", "wnut17")],
    ),
    "tasks-all": Table(
        "Every task: at most 3,000 training examples, 3 epochs of 32 examples a step, one seed",
        [Row(name, name, _SOME) for name in DATA_SETS],
    ),
    "tasks-full": Table(
        "Full training sets, 3 epochs, one seed",
        [
            Row(name, name, {"train": _EPOCHS}, published=_PUBLISHED.get(name, ()))
            for name in ("sst2", "ud-ewt", "ncbi-disease")
        ],
    ),
    "pretraining": Table(
        "What pretraining gives: the same architecture from its weights and from random ones, at "
        "most 3,000 training examples, 5 epochs, one seed",
        [
            row
            for name in _COMPARED
            for row in (
                Row(name, name, _LONGER),
                Row(f"{name}-random", name, _LONGER, start="random"),
                Row(f"{name}-random-faster", name, _FASTER, start="random"),
            )
        ],
        needs_model=True,
    ),
    "adaptation": Table(
        "What adaptation gives: the same model, and pretrained first on the texts of the whole "
        "training part for 3 epochs; 1,000 training examples, 3 epochs, 3 seeds",
        [
            row
            for name in ("ncbi-disease", "wnut17")
            for row in (
                Row(name, name, _FEW, seeds=3),
                Row(f"{name}-adapted", name, _FEW, seeds=3, start="adapted"),
            )
        ],
        needs_model=True,
    ),
}
"""By the name that the command takes."""
GROUPS: dict[str, tuple[str, ...]] = {
    "tasks": ("tasks-few", "tasks-all", "tasks-full"),
    **{name: (name,) for name in TABLES},
}
"""What each name of the command stands for."""
