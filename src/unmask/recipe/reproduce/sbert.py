"""Sentence-BERT's argument (Reimers and Gurevych 2019, table 1) at a small scale.

An encoder that was never trained for sentences compares them badly, by its `[CLS]` worse than by
the mean of its tokens; trained on inference or on similarity it compares them well.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from unmask.checkpoint import native
from unmask.checkpoint.bundle import Bundle
from unmask.checkpoint.durable import write_folder
from unmask.checkpoint.lock import RunLock
from unmask.data.labelled.examples import TextExample
from unmask.errors import DataError, UsageError
from unmask.infer.encode import Encoder
from unmask.recipe.beginning import name_of
from unmask.recipe.identity import weights_sha256
from unmask.recipe.outcome import SCORES_FILE
from unmask.recipe.reproduce.claiming import claim, files_sha256
from unmask.recipe.reproduce.datasets import DATA_SETS, divided
from unmask.recipe.reproduce.embedding_runs import trained
from unmask.recipe.reproduce.interrupting import interruptible
from unmask.recipe.reproduce.report import Report, keep, versions
from unmask.recipe.reproduce.starting import data_folder
from unmask.recipe.together import Say, on_stderr
from unmask.tasks import embedding_scores
from unmask.tasks.embedding_scores import Vectors

TABLE = "sbert"
SEEDS = 3
_SCORE = "spearman_cosine"


@dataclass(frozen=True)
class Arm:
    """One way to train, or none."""

    name: str
    title: str
    pooling: str
    train: str = ""
    """The file that is trained on; empty for none."""
    settings: dict[str, Any] | None = None
    epochs: float = 1.0


ARMS = (
    Arm("cls", "untrained, `[CLS]`", "cls"),
    Arm("mean", "untrained, mean", "mean"),
    Arm("nli-softmax", "SNLI, softmax loss, mean", "mean", "nli", {"loss": "softmax"}),
    Arm(
        "nli-ranking",
        "SNLI, multiple negatives ranking, mean",
        "mean",
        "triplets",
        {"loss": "multiple-negatives-ranking"},
    ),
    Arm(
        "stsb",
        "STS-B, cosine regression, mean",
        "mean",
        "stsb-train",
        {"loss": "cosine-similarity", "loss_settings": {"score_range": [0.0, 5.0]}},
        epochs=4.0,
    ),
)
"""The paper's rows, but for the losses: its own is softmax for inference and the regression for
STS-B, 1 and 4 epochs of 16."""


def reproduce_sbert(
    output: Path,
    *,
    model: Path | str | None,
    data: Path | None = None,
    seeds: int | None = None,
    say: Say | None = None,
) -> Report:
    """Runs what is missing of the comparison and gives its figures.

    Raises:
        UsageError: No data, no model, or an output of another model.
        DataError: The data sets are not there.
        Stopped: A signal; the same call goes on.
    """
    if model is None:
        raise UsageError(
            "sbert: name the pretrained encoder that it is about by --model, such as the folder of "
            "an `unmask pretrain` run."
        )
    say, source = say or on_stderr, data_folder(data)
    folder = output / TABLE / name_of(model).replace("/", "--")
    with interruptible(), RunLock(output):
        weights, sources = weights_sha256(native.load(model).model.encoder), _sources(source)
        claim(folder, {"model": weights, "data": sources})
        files = _files(source, output / TABLE / f"data-{sources[:12]}")
        rows = []
        for arm in ARMS:
            if not arm.train:
                values = [_untrained(native.load(model), arm, files)]
            else:
                numbers = range(SEEDS if seeds is None else seeds)
                values = [_trained(arm, seed, model, folder, files, say) for seed in numbers]
            say(f"{arm.title}: {', '.join(f'{100 * value:.2f}' for value in values)}")
            rows.append({"arm": arm.name, "title": arm.title, "values": values})
    document = {
        "table": TABLE,
        "model": folder.name,
        "rows": rows,
        "versions": versions(),
    }
    return keep(Report(TABLE, document, markdown(document)), folder)


def _sources(source: Path) -> str:
    """A hash of the published files.

    Raises:
        DataError: One is not there.
    """
    names = [name for data in ("snli", "stsb") for name in DATA_SETS[data].files]
    for name in names:
        if not (source / name).is_file():
            raise DataError(f"{source / name}: no such file; expected the published one.")
    return files_sha256(source / name for name in names)


def _files(source: Path, folder: Path) -> Path:
    """The data sets as the runs read them, made once."""
    if not folder.is_dir():
        snli, stsb = (divided(DATA_SETS[name], source) for name in ("snli", "stsb"))
        nli = _pairs([*snli.train, *snli.validation])

        def write(place: Path) -> None:
            _write(place / "nli.jsonl", (_pair(one, "label") for one in nli))
            _write(place / "triplets.jsonl", _triplets(nli))
            for part in ("train", "validation", "test"):
                rows = (_pair(one, "score") for one in _pairs(getattr(stsb, part)))
                _write(place / f"stsb-{part}.jsonl", rows)

        write_folder(folder, write)
    return folder


def _pairs(examples: Sequence[Any]) -> list[TextExample]:
    return [one for one in examples if isinstance(one, TextExample)]


def _pair(example: TextExample, name: str) -> dict[str, Any]:
    return {"sentence1": example.text, "sentence2": example.text_pair, name: example.label}


def _triplets(examples: Sequence[TextExample]) -> Iterator[dict[str, Any]]:
    """Premises with a hypothesis that follows and one that contradicts (Gao et al. 2021, 4.1)."""
    of: dict[str, dict[str, str]] = {}
    for one in examples:
        if one.text_pair is not None:
            of.setdefault(one.text, {}).setdefault(str(one.label), one.text_pair)
    for premise, found in of.items():
        if {"entailment", "contradiction"} <= found.keys():
            yield {
                "anchor": premise,
                "positive": found["entailment"],
                "negative": found["contradiction"],
            }


def _write(file: Path, rows: Iterator[dict[str, Any]]) -> None:
    text = "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows)
    file.write_text(text, encoding="utf-8")


def _untrained(bundle: Bundle, arm: Arm, files: Path) -> float:
    encoder = Encoder.of(bundle, arm.pooling)
    with (files / "stsb-test.jsonl").open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    vectors: list[Vectors] = [
        encoder.vectors([row[name] for row in rows]) for name in ("sentence1", "sentence2")
    ]
    wanted = [float(row["score"]) for row in rows]
    return embedding_scores.correlation(vectors[0], vectors[1], wanted)


def _trained(arm: Arm, seed: int, model: Path | str, folder: Path, files: Path, say: Say) -> float:
    """The test score of one run."""
    place = trained(
        folder / arm.name / f"seed-{seed}",
        model,
        files / f"{arm.train}.jsonl",
        files / "stsb-validation.jsonl",
        files / "stsb-test.jsonl",
        settings={"pooling": [arm.pooling], **(arm.settings or {})},
        loop={
            "seed": seed,
            "epochs": arm.epochs,
            "batch_size": 16 if arm.train != "triplets" else 64,
        },
        say=say,
    )
    scores = json.loads((place / SCORES_FILE).read_text(encoding="utf-8"))
    return float(scores["test"][_SCORE])


def markdown(document: dict[str, Any]) -> str:
    """A row for each arm."""
    versions = document["versions"]
    lines = [
        f"## Sentence-BERT's argument, from `{document['model']}`",
        "",
        f"`unmask reproduce {TABLE}`, unmask {versions['unmask']}, torch {versions['torch']}. "
        "Spearman's correlation of the cosine with the scores of STS-B's test set, times 100; of "
        "several seeds the mean ± standard deviation. The best weights were chosen on its "
        "development set, and SNLI is its development set of 9,842 pairs.",
        "",
        "| encoder | STS-B test |",
        "| --- | --- |",
    ]
    for row in document["rows"]:
        spread = f" ± {100 * stdev(row['values']):.2f}" if len(row["values"]) > 1 else ""
        lines.append(f"| {row['title']} | {100 * mean(row['values']):.2f}{spread} |")
    return "\n".join(lines) + "\n"
