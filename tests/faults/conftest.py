"""A tiny corpus, and the `unmask` command run in processes that can be killed."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

from unmask.data.config import CorpusConfig
from unmask.data.prepare import prepare
from unmask.text.config import TokenizerConfig
from unmask.text.tokenizer import Tokenizer
from unmask.text.train import train_wordpiece

ROOT = Path(__file__).resolve().parents[2]
Die = tuple[str, str, int]
"""An audit event, a part of its path, and at which of these the process is killed."""


@dataclass(frozen=True)
class Ended:
    """What a process left."""

    exit_code: int
    """Negative for a signal."""
    stdout: str
    stderr: str

    def message(self) -> str:
        """The one message of a verb that failed."""
        assert "Traceback" not in self.stderr, self.stderr
        assert self.stderr.count("unmask: ") == 1, self.stderr
        return self.stderr[self.stderr.index("unmask: ") :]


class Running:
    """A verb at work in a process of its own."""

    def __init__(self, pid: int, forks: subprocess.Popen[str], folder: Path) -> None:
        self.pid = pid
        self._forks = forks
        self._folder = folder
        self._has_been_waited_for = False

    @property
    def stderr(self) -> str:
        """What it has said so far."""
        return (self._folder / "stderr").read_text()

    def signal(self, number: int) -> None:
        """Sends a signal, to nobody if the process has just ended."""
        if not self.is_over():
            os.kill(self.pid, number)

    def is_over(self) -> bool:
        """Whether the process has ended."""
        try:
            return Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
        except (FileNotFoundError, ProcessLookupError):
            return True

    def wait_until(self, condition: Callable[[], bool]) -> None:
        """Waits for something to happen, or for the process to end."""
        deadline = time.monotonic() + 60
        while not (condition() or self.is_over()):
            assert time.monotonic() < deadline, self.stderr
            time.sleep(0.01)

    def wait(self) -> Ended:
        """Waits for the end."""
        assert self._forks.stdout is not None
        self._has_been_waited_for = True
        exit_code = int(self._forks.stdout.readline())
        return Ended(exit_code, (self._folder / "stdout").read_text(), self.stderr)

    def clear_away(self) -> None:
        """Ends what a test that failed has left running."""
        if not self._has_been_waited_for:
            self.signal(signal.SIGKILL)
            self.wait()


class Command:
    """The `unmask` command, one process at a time."""

    def __init__(self, forks: subprocess.Popen[str], folder: Path) -> None:
        self._forks = forks
        self._folder = folder
        self.last: Running | None = None

    def start(self, *arguments: object, die: Die | None = None) -> Running:
        """Starts a verb and comes back at once."""
        assert self._forks.stdin is not None
        assert self._forks.stdout is not None
        request = {
            "arguments": [str(argument) for argument in arguments],
            "stdout": str(self._folder / "stdout"),
            "stderr": str(self._folder / "stderr"),
            "die": die,
        }
        for name in ("stdout", "stderr"):
            (self._folder / name).write_text("")
        self._forks.stdin.write(json.dumps(request) + "\n")
        self._forks.stdin.flush()
        self.last = Running(int(self._forks.stdout.readline()), self._forks, self._folder)
        return self.last

    def __call__(self, *arguments: object, die: Die | None = None) -> Ended:
        """Runs a verb to its end."""
        return self.start(*arguments, die=die).wait()


@dataclass(frozen=True)
class Pretraining:
    """A tiny pretraining run: how it is started, and what lies in its folder."""

    command: Command
    corpus: Path
    folder: Path
    flags: dict[str, object]

    def arguments(self, **changes: object) -> list[str]:
        """The words of the command line; `train__steps=3` is `--train.steps 3`."""
        words = ["pretrain", str(self.corpus), "--output", str(self.folder)]
        for name, value in {**self.flags, **changes}.items():
            flag = "--" + name.replace("__", ".").replace("_", "-")
            words += [flag] if value is True else [flag, str(value)]
        return words

    def start(self, *, die: Die | None = None, **changes: object) -> Running:
        """Starts it, or with `resume=True` starts it again."""
        return self.command.start(*self.arguments(**changes), die=die)

    def __call__(self, *, die: Die | None = None, **changes: object) -> Ended:
        """Runs it to its end."""
        return self.start(die=die, **changes).wait()

    def steps(self) -> list[int]:
        """The steps of its checkpoints, rising."""
        names = [path.name.partition("-")[2] for path in self.folder.glob("checkpoint-*")]
        return sorted(int(name) for name in names if name.isdigit())

    def checkpoint(self) -> Path:
        """The newest checkpoint."""
        return self.folder / f"checkpoint-{self.steps()[-1]}"

    def hashes(self) -> dict[str, str]:
        """sha256 of the finished model and of the last state of weights, optimizer and dropout."""
        tensors = ("model.safetensors", "optimizer.safetensors", "rng.safetensors")
        files = [
            self.folder / "model" / tensors[0],
            *(self.checkpoint() / name for name in tensors),
        ]
        return {
            f"{file.parent.name}/{file.name}": hashlib.sha256(file.read_bytes()).hexdigest()
            for file in files
        }

    def metrics(self) -> list[dict[str, Any]]:
        """The lines of its log."""
        lines = (self.folder / "metrics.jsonl").read_text().splitlines()
        return [json.loads(line) for line in lines]

    def leftovers(self) -> list[str]:
        """What interrupted writers left in its folder."""
        return sorted(path.name for path in self.folder.rglob("*") if "tmp" in path.name)


@dataclass(frozen=True)
class Material:
    """A folder of texts, a tokenizer learned from it, and the corpus of both."""

    texts: Path
    tokenizer: Path
    corpus: Path


def _sentences(number: int, seed: int) -> str:
    """Sentences over two hundred words, the early ones being frequent."""
    chance = random.Random(seed)
    words = ["".join(chance.choices("abcdefghij", k=chance.randint(2, 6))) for _ in range(200)]
    weights = [1.0 / (rank + 2) for rank in range(len(words))]
    return " ".join(
        " ".join(chance.choices(words, weights, k=chance.randint(4, 12))).capitalize() + "."
        for _ in range(number)
    )


Prepare = Callable[..., Material]


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepare:
    """Makes material; other seeds give other texts."""

    def prepared(*, seed: int = 1, documents: int = 24, tokenizer: Path | None = None) -> Material:
        folder = tmp_path_factory.mktemp("material")
        made = Material(folder / "texts", tokenizer or folder / "tokenizer", folder / "corpus")
        made.texts.mkdir()
        texts = [_sentences(20, 100 * seed + index) for index in range(documents)]
        for index, text in enumerate(texts):
            (made.texts / f"{index:02}.txt").write_text(text)
        if tokenizer is None:
            train_wordpiece(texts, TokenizerConfig(vocab_size=300)).save(made.tokenizer)
        prepare([made.texts], Tokenizer.load(made.tokenizer), made.corpus, CorpusConfig())
        return made

    return prepared


@pytest.fixture(scope="session")
def material(prepared: Prepare) -> Material:
    """What most tests train on; none may change it."""
    return prepared()


@pytest.fixture(scope="session")
def forks() -> Iterator[subprocess.Popen[str]]:
    """A process that has imported what training needs."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT / "src")}
    with subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("forking.py"))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()


@pytest.fixture
def command(forks: subprocess.Popen[str], tmp_path: Path) -> Iterator[Command]:
    folder = tmp_path / "streams"
    folder.mkdir()
    command = Command(forks, folder)
    yield command
    if command.last is not None:
        command.last.clear_away()


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """What a test computes by itself is the same as in the processes that it starts."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


_FLAGS: dict[str, object] = {
    "preset": "tiny",
    "dropout": 0.1,
    "train__batch_size": 4,
    "train__sequence_length": 32,
    "train__save_every": 4,
    "train__log_every": 1,
    "train__evaluate_every": 8,
    "train__validation_sequences": 8,
}


@pytest.fixture
def pretraining(command: Command, material: Material, tmp_path: Path) -> Callable[..., Pretraining]:
    """Describes a run in a folder of that name, with more or other flags."""

    def pretraining(
        name: str = "run", *, corpus: Path = material.corpus, **flags: object
    ) -> Pretraining:
        return Pretraining(command, corpus, tmp_path / name, _FLAGS | flags)

    return pretraining


@pytest.fixture(scope="session")
def undisturbed(
    forks: subprocess.Popen[str], material: Material, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Pretraining]:
    """Gives the finished run of these flags that nobody has interfered with."""
    made: dict[str, Pretraining] = {}

    def undisturbed(**flags: object) -> Pretraining:
        key = json.dumps(flags, sort_keys=True)
        if key not in made:
            folder = tmp_path_factory.mktemp("undisturbed")
            run = Pretraining(
                Command(forks, folder), material.corpus, folder / "run", _FLAGS | flags
            )
            ended = run()
            assert ended.exit_code == 0, ended.stderr
            made[key] = run
        return made[key]

    return undisturbed
