"""Domain adaptation: a sentence encoder trained on SciFact with mined negatives, and BM25 beside.

A tenth of the training claims is held out, and every setting is chosen by what it finds for these
among all abstracts. The test claims are searched for once, at the end, whatever comes out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np

from unmask.checkpoint import native
from unmask.checkpoint.lock import RunLock
from unmask.recipe.identity import weights_sha256
from unmask.recipe.reproduce.claiming import claim
from unmask.recipe.reproduce.embedding_runs import trained
from unmask.recipe.reproduce.interrupting import interruptible
from unmask.recipe.reproduce.report import Report, keep, versions
from unmask.recipe.reproduce.scifact_claims import (
    Material,
    Ndcg,
    embedder_of,
    read_material,
    search,
)
from unmask.recipe.reproduce.scifact_page import markdown
from unmask.recipe.reproduce.starting import data_folder, model_folder
from unmask.recipe.together import Say, on_stderr
from unmask.search.comparing_config import MiningConfig
from unmask.search.mine import mine
from unmask.search.mined_rows import rows as mined_rows
from unmask.search.row_files import write_rows
from unmask.tasks.metrics.resampling import Bootstrap, mean_interval

TABLE = "scifact"
SEEDS = 3
BATCH_SIZE = 32


@dataclass(frozen=True)
class Arm:
    """One way to train."""

    negatives: int
    """Mined for each claim; 0 leaves the other texts of the batch."""
    learning_rate: float
    epochs: float = 1.0

    @property
    def name(self) -> str:
        """Of its folder."""
        return f"negatives-{self.negatives}-rate-{self.learning_rate:g}"

    @property
    def title(self) -> str:
        """For people."""
        return f"{self.negatives} mined negatives, learning rate {self.learning_rate:g}"


ARMS = tuple(Arm(negatives, rate) for negatives in (0, 2) for rate in (2e-5, 5e-5))
RRF_KS = (2.0, 10.0, 60.0)
MINING = MiningConfig(relative_margin=0.05, format="n-tuple")
"""The margin is NV-Retriever's (arXiv 2407.15831)."""


def reproduce_scifact(
    output: Path,
    *,
    data: Path | None = None,
    model: Path | str | None = None,
    seeds: int | None = None,
    say: Say | None = None,
) -> Report:
    """Runs what is missing of the comparison and gives its figures.

    Raises:
        UsageError: No data, no model, or an output of another model.
        DataError: SciFact is not there.
        Stopped: A signal; the same call goes on.
    """
    say = say or on_stderr
    source, start = data_folder(data) / TABLE, model_folder(model, ())
    number = SEEDS if seeds is None else seeds
    folder = output / TABLE
    with interruptible(), RunLock(output):
        material = read_material(source, folder)
        weights = weights_sha256(native.load(start).model.encoder)
        claim(folder, {"model": weights, "data": material.sha256})
        tried = [_tried(arm, start, material, say) for arm in ARMS]
        best = ARMS[int(np.argmax([one["held_out"] for one in tried]))]
        runs = [_trained(best, seed, start, material, say) for seed in range(number)]
        fused = {"before": _by_rrf_k(start, material), "after": _by_rrf_k(runs[0], material)}
        rrf_k = {name: max(of, key=lambda k: of[k]) for name, of in fused.items()}
        say(f"chosen: {best.title}; rrf_k {rrf_k['before']:g} before, {rrf_k['after']:g} after")
        rows = _measured(start, runs, rrf_k, material)
    document = {
        "table": TABLE,
        "model": "all-MiniLM-L6-v2" if model is None else Path(model).name,
        "claims": {
            name: len(getattr(material, name).texts) for name in ("train", "held_out", "test")
        },
        "tried": tried,
        "fused": {name: {f"{k:g}": value for k, value in of.items()} for name, of in fused.items()},
        "chosen": {"arm": best.name, "title": best.title, "rrf_k": rrf_k},
        "rows": rows,
        "versions": versions(),
    }
    return keep(Report(TABLE, document, markdown(document)), output)


def _tried(arm: Arm, start: Path, material: Material, say: Say) -> dict[str, Any]:
    """What one way to train finds for the held-out claims, and from how many it learned."""
    run = _trained(arm, 0, start, material, say)
    with _file(arm.negatives, start, material).open(encoding="utf-8") as lines:
        claims = {json.loads(line)["anchor"] for line in lines}
    found = mean(search(run, material, material.held_out, "vectors").values())
    say(f"held out, {arm.title}: {100 * found:.2f}")
    return {"arm": arm.name, "title": arm.title, "claims": len(claims), "held_out": found}


def _trained(arm: Arm, seed: int, start: Path, material: Material, say: Say) -> Path:
    """The folder of a run's model."""
    return trained(
        material.folder.parent / arm.name / f"seed-{seed}",
        start,
        _file(arm.negatives, start, material),
        _pairs_file(material),
        settings={"loss": "multiple-negatives-ranking"},
        learning_rate=arm.learning_rate,
        loop={"seed": seed, "epochs": arm.epochs, "batch_size": BATCH_SIZE},
        say=say,
    )


def _file(negatives: int, start: Path, material: Material) -> Path:
    """The training pairs with so many negatives, which the model before training finds."""
    path = material.folder / f"train-{negatives}.jsonl"
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        pairs = material.pairs(material.train)
        if negatives:
            config = MINING.model_copy(update={"num_negatives": negatives})
            mined = mine(pairs, embedder_of(start), config, list(material.contents.values()))
            write_rows(path, mined_rows(mined.found, config))
        else:
            write_rows(path, ({"anchor": one, "positive": other} for one, other in pairs))
    return path


def _pairs_file(material: Material) -> Path:
    path = material.folder / "held-out.jsonl"
    if not path.is_file():
        pairs = material.pairs(material.held_out)
        write_rows(path, ({"anchor": one, "positive": other} for one, other in pairs))
    return path


def _by_rrf_k(model: Path, material: Material) -> dict[float, float]:
    """What each k of the fusion finds for the held-out claims."""
    return {
        k: mean(search(model, material, material.held_out, "hybrid", k).values()) for k in RRF_KS
    }


def _measured(
    start: Path, runs: Sequence[Path], rrf_k: Mapping[str, float], material: Material
) -> list[dict[str, Any]]:
    """The test claims' figures, each with its difference to the model before training."""

    def found_by(model: Path, by: str, k: float = 60.0) -> Ndcg:
        return search(model, material, material.test, by, k)

    before = found_by(start, "vectors")
    several = {
        "BM25": [found_by(start, "words")],
        "before": [before],
        "before, with BM25": [found_by(start, "hybrid", rrf_k["before"])],
        "adapted": [found_by(run, "vectors") for run in runs],
        "adapted, with BM25": [found_by(run, "hybrid", rrf_k["after"]) for run in runs],
    }
    return [_row(name, found, before) for name, found in several.items()]


def _row(name: str, found: Sequence[Ndcg], before: Ndcg) -> dict[str, Any]:
    """Over seeds the mean; intervals are over claims, of the mean over seeds."""
    claims = list(before)
    of = np.array([[one[claim] for claim in claims] for one in found])  # (S, Q)
    base = np.array([before[claim] for claim in claims])  # (Q,)
    around = mean_interval(of.mean(axis=0), Bootstrap())
    change = mean_interval(of.mean(axis=0) - base, Bootstrap())
    return {
        "name": name,
        "values": of.mean(axis=1).tolist(),
        "interval": [around.low, around.high],
        "change": change.value,
        "change_interval": [change.low, change.high],
    }
