"""The comparison of objectives: each arm pretrained on the same text, then fine-tuned twice."""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zstandard import ZstdDecompressor, ZstdError

from unmask.checkpoint.describe import describe
from unmask.checkpoint.durable import write_folder
from unmask.checkpoint.lock import RunLock
from unmask.data.config import CorpusConfig, ReaderConfig
from unmask.data.prepare import prepare
from unmask.data.shards import Shards
from unmask.data.vocabulary import learn
from unmask.errors import DataError, UsageError, writing
from unmask.recipe.config import Finetune, Pretrain
from unmask.recipe.finetune import finetune
from unmask.recipe.pretrain import pretrain
from unmask.recipe.reproduce.arms import ARMS, EXAMPLES, STEPS, Arm
from unmask.recipe.reproduce.datasets import DATA_SETS
from unmask.recipe.reproduce.held_out import measured
from unmask.recipe.reproduce.interrupting import interruptible
from unmask.recipe.reproduce.objectives_page import report
from unmask.recipe.reproduce.report import Report
from unmask.recipe.reproduce.runs import differs
from unmask.recipe.reproduce.starting import data_folder
from unmask.recipe.reproduce.writing import Files, written
from unmask.recipe.together import Say, on_stderr
from unmask.text.config import TokenizerConfig
from unmask.text.tokenizer import Tokenizer
from unmask.train.log import METRICS_FILE, read_metrics

TABLE = "objectives"
TEXT = "text-100-english-novels/novels.tar.zst"
"""The text that all arms read."""
SETS = ("sst2", "ud-ewt")
"""What each arm is fine-tuned on."""
_SETTINGS = {"sst2": {"pooling": "mean"}}
"""A mean is no worse for arms that trained no `[CLS]`, and lets left-to-right see the sentence."""
_VOCABULARY = 8192
_ARCHIVE = "text.sha256"
"""Beside a corpus, of the archive that it was made of."""
_OUTCOME = "outcome.json"


@dataclass(frozen=True)
class ArmRun:
    """One arm with one seed."""

    arm: Arm
    seed: int
    steps: int
    folder: Path

    @property
    def name(self) -> str:
        """How messages call it."""
        return f"{self.arm.name}, seed {self.seed}"

    @property
    def is_finished(self) -> bool:
        """Whether its figures are there."""
        return (self.folder / _OUTCOME).is_file()

    def outcome(self) -> dict[str, Any]:
        """The figures of a finished run."""
        found: dict[str, Any] = json.loads((self.folder / _OUTCOME).read_text(encoding="utf-8"))
        return found

    def claim(self, corpus_sha256: str, examples_sha256: Mapping[str, Any]) -> None:
        """Writes down what the run is made of; `examples_sha256` of each set to fine-tune on.

        Raises:
            UsageError: It was begun, perhaps finished, with something else.
        """
        wanted = {
            "recipe": self.recipe().model_dump(mode="json"),
            "corpus": corpus_sha256,
            "fine_tuning": {name: self.fine_tuning(name).model_dump(mode="json") for name in SETS},
            "examples": examples_sha256,
        }
        note = self.folder / "arm.json"
        if note.is_file():
            before = json.loads(note.read_text(encoding="utf-8"))
            if changed := [name for name in before if differs(before[name], wanted[name])]:
                raise UsageError(
                    f"{self.folder}: was run with another {' and '.join(changed)}; its figures "
                    "would stand in one table with others. Choose another --output, or delete the "
                    "folder."
                )
            return
        with writing(note):
            note.parent.mkdir(parents=True, exist_ok=True)
            note.write_text(json.dumps(wanted, indent=2) + "\n", encoding="utf-8")

    def recipe(self) -> Pretrain:
        """By which it pretrains."""
        return self.arm.recipe(self.seed, self.steps)

    def fine_tuning(self, name: str) -> Finetune:
        """By which it is fine-tuned on one of `SETS`."""
        dataset = DATA_SETS[name]
        return Finetune.model_validate(
            {
                "task": dataset.task,
                "settings": {**dataset.settings, **_SETTINGS.get(name, {})},
                "metric": dataset.shown[0],
                "max_examples": EXAMPLES,
                "baselines": False,
                "pictures": False,
                "train": {"seed": self.seed, "epochs": 5, "keep_checkpoints": 1},
            }
        )

    def keep(self, outcome: dict[str, Any]) -> None:
        """Writes the figures, after which the run is finished."""
        with writing(self.folder):
            draft = self.folder / f".{_OUTCOME}"
            draft.write_text(json.dumps(outcome, indent=2) + "\n", encoding="utf-8")
            draft.replace(self.folder / _OUTCOME)


def reproduce_objectives(
    output: Path,
    *,
    data: Path | None = None,
    only: Sequence[str] = (),
    seeds: int | None = None,
    steps: int = STEPS,
    say: Say | None = None,
) -> Report:
    """Runs what is missing of the comparison and gives its figures.

    As `running.reproduce`, with arms (see `arms.ARMS`) instead of data sets in `only`.

    Raises:
        UsageError: No data, an unknown arm, or an output of other runs.
        DataError: The text or the data sets are not there.
        Stopped: A signal; the same call goes on.
    """
    say = say or on_stderr
    arms = _chosen(only)
    source = data_folder(data)
    if not (source / TEXT).is_file():
        raise DataError(f"{source / TEXT} is not there: expected the text that all arms read.")
    with interruptible(), RunLock(output):
        corpus = _corpus(source / TEXT, output / TABLE, say)
        files = {name: written(DATA_SETS[name], source, output / "data" / name) for name in SETS}
        runs = list(_runs(arms, output / TABLE, seeds, steps))
        corpus_sha256 = Shards.open(corpus).sha256
        for run in runs:
            run.claim(corpus_sha256, {name: files[name].sha256 for name in SETS})
        waiting = [run for run in runs if not run.is_finished]
        say(f"{len(runs) - len(waiting)} of {len(runs)} runs are finished")
        for run in runs:
            if run.is_finished and run.arm.compares and "held_out" not in run.outcome():
                run.keep({**run.outcome(), "held_out": _held_out(run, corpus)})
        for number, run in enumerate(waiting):
            say(f"== {run.name} ({number + 1} of {len(waiting)})")
            run.keep(_figures(run, corpus, files, say))
            report(runs, output)
        return report(runs, output)


def _chosen(only: Sequence[str]) -> list[Arm]:
    known = [arm.name for arm in ARMS]
    if unknown := [name for name in only if name not in known]:
        raise UsageError(f"--only {unknown[0]}: none of the arms, which are {', '.join(known)}.")
    return [arm for arm in ARMS if not only or arm.name in only]


def _runs(arms: Sequence[Arm], folder: Path, seeds: int | None, steps: int) -> Iterator[ArmRun]:
    for arm in arms:
        for seed in range(arm.seeds if seeds is None else seeds):
            yield ArmRun(arm, seed, steps, folder / arm.name / f"seed-{seed}")


def _corpus(text: Path, folder: Path, say: Say) -> Path:
    """The text under a vocabulary of its own, prepared once.

    Raises:
        UsageError: The folder has the corpus of another text.
    """
    corpus, tokenizer, note = folder / "corpus", folder / "tokenizer", folder / _ARCHIVE
    with text.open("rb") as archive:
        sha256 = hashlib.file_digest(archive, "sha256").hexdigest()
    if (corpus / "manifest.json").is_file():
        if note.is_file() and note.read_text(encoding="utf-8") != sha256:
            raise UsageError(f"{corpus}: is of another text than {text}; choose another --output.")
        return corpus
    say(f"{text}: learning a vocabulary of {_VOCABULARY:,}")
    write_folder(folder / "text", lambda temporary: _unpack(text, temporary))
    config = TokenizerConfig(vocab_size=_VOCABULARY)
    learn([folder / "text"], tokenizer, config, ReaderConfig(), overwrite=True)
    with writing(note):
        note.write_text(sha256, encoding="utf-8")
    prepare([folder / "text"], Tokenizer.load(tokenizer), corpus, CorpusConfig(overwrite=True))
    return corpus


def _unpack(archive: Path, folder: Path) -> None:
    """The texts of an archive, plain files only."""
    try:
        with (
            archive.open("rb") as packed,
            ZstdDecompressor().stream_reader(packed) as stream,
            tarfile.open(fileobj=stream, mode="r|") as members,
        ):
            members.extractall(folder, filter="data")
    except (OSError, tarfile.TarError, ZstdError) as error:
        raise DataError(f"{archive}: is no archive that can be read ({error}).") from error


def _figures(run: ArmRun, corpus: Path, files: dict[str, Files], say: Say) -> dict[str, Any]:
    """Pretrains and fine-tunes, or goes on with either."""
    pretrained = pretrain(corpus, run.folder / "pretraining", run.recipe(), resume=True, say=say)
    found: dict[str, Any] = {
        "pretraining": pretrained.figures(),
        "tokens": read_metrics(run.folder / "pretraining" / METRICS_FILE)[-1]["tokens"],
        "parameters": describe(pretrained.folder)["total_parameters"],
    }
    if run.arm.compares:
        found["held_out"] = _held_out(run, corpus)
    for name in SETS:
        outcome = finetune(
            files[name].path("train"),
            pretrained.folder,
            run.folder / name,
            run.fine_tuning(name),
            validation=files[name].path("validation"),
            test=files[name].path("test"),
            resume=True,
            say=say,
            control=True,
        )
        assert outcome.test is not None
        found[name] = outcome.test[DATA_SETS[name].shown[0]]
    return found


def _held_out(run: ArmRun, corpus: Path) -> dict[str, float]:
    """Of a pretrained arm, on what all arms are measured on."""
    usual = ARMS[0].recipe(seed=0, steps=run.steps)
    return measured(run.folder / "pretraining", corpus, usual)
