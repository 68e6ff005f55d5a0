"""What several rooms' tests share: one thread, a tiny model, the real loop over data in memory."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from unmask.batch import Batch, pack
from unmask.checkpoint.assemble import assemble
from unmask.checkpoint.bundle import Bundle
from unmask.checkpoint.native import save
from unmask.data.config import CorpusConfig, MaskingConfig, ReaderConfig
from unmask.data.loader import Source, Transform
from unmask.data.masking import Masker
from unmask.data.prepare import prepare
from unmask.models.config import BertConfig
from unmask.nn.init import initialise
from unmask.tasks.masked_lm import MaskedLM
from unmask.tasks.task import Model, Task
from unmask.text.config import TokenizerConfig
from unmask.text.train import train_wordpiece
from unmask.train.config import OptimConfig, PretrainingConfig
from unmask.train.distributed import World, world
from unmask.train.evaluate import evaluate
from unmask.train.loop import TrainingData, train
from unmask.train.optim import Optimizers
from unmask.train.schedule import stage_starts
from unmask.train.state import RunState

VOCAB_SIZE = 64
CLS, SEP, MASK, NUM_SPECIALS = 2, 3, 4, 5
VOCABULARY = SimpleNamespace(
    special=SimpleNamespace(mask=MASK),
    is_special=np.arange(VOCAB_SIZE) < NUM_SPECIALS,
    is_continuation=np.zeros(VOCAB_SIZE, dtype=bool),
)


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Sums come in one order on every machine, and tiny models run faster."""
    torch.set_num_threads(1)


@pytest.fixture
def make_model() -> Callable[..., Model]:
    """A tiny BERT of given sizes; with `noise` no weight, bias or norm is at its initial value."""

    def make(*, next_sentence: bool = False, noise: float = 0.05, **sizes: Any) -> Model:
        config = BertConfig(
            **{
                "vocab_size": VOCAB_SIZE,
                "hidden_size": 32,
                "num_hidden_layers": 2,
                "num_attention_heads": 2,
                "intermediate_size": 64,
                "max_position_embeddings": 64,
                "hidden_dropout_prob": 0.0,
                "attention_probs_dropout_prob": 0.0,
                **sizes,
            }
        )
        model = assemble(config, {"mlm", "nsp"} if next_sentence else {"mlm"})
        generator = torch.Generator().manual_seed(0)
        initialise(model, config.initializer_range, generator)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(noise * torch.randn(parameter.shape, generator=generator))
        return model

    return make


@dataclass(frozen=True)
class Sentences:
    """Sample i counts upwards through twelve words in steps of its own, so it can be learned.

    With `pairs`, the second half of each sequence is segment 1 and `labels["nsp"]` is i % 2.
    """

    size: int = 64
    longest: int = 24
    uneven: bool = True
    pairs: bool = False

    def __len__(self) -> int:
        return self.size

    def length(self, sample: int) -> int:
        """Tokens, specials included."""
        return self.longest - sample * 5 % (self.longest - 3) if self.uneven else self.longest

    def batch(self, sample_ids: np.ndarray, _epochs: np.ndarray, /) -> Batch:
        samples = sample_ids.tolist()
        rows = [self._ids(i) for i in samples]
        segments = [[int(self.pairs and 2 * j > len(row)) for j in range(len(row))] for row in rows]
        batch = pack(rows, token_type_ids=segments, sample_ids=samples)
        return replace(batch, labels={"nsp": torch.tensor(samples) % 2}) if self.pairs else batch

    def _ids(self, sample: int) -> list[int]:
        step = 1 + sample % 3
        inner = range(self.length(sample) - 2)
        return [CLS, *(NUM_SPECIALS + (sample * 7 + step * j) % 12 for j in inner), SEP]


@pytest.fixture
def make_sentences() -> Callable[..., Sentences]:
    return Sentences


@pytest.fixture
def make_masker() -> Callable[..., Masker]:
    """A masker of the tiny vocabulary; takes a seed and the settings of `MaskingConfig`."""
    return lambda seed=0, **settings: Masker(VOCABULARY, MaskingConfig(**settings), seed)


class InMemory:
    """Keeps checkpoints as copies; every save is remembered by its step."""

    def __init__(self, model: Model, optimizers: Any) -> None:
        self.model = model
        self.optimizers = optimizers
        self.saved: list[tuple[RunState, dict[str, Any], dict[str, Any], torch.Tensor]] = []
        self.best: list[tuple[int, float | None]] = []

    @property
    def steps(self) -> list[int]:
        """The step of every save."""
        return [state.global_step for state, *_ in self.saved]

    def save(self, state: RunState) -> None:
        def copied(tensors: dict[str, Any]) -> dict[str, Any]:
            return {name: tensor.clone() for name, tensor in tensors.items()}

        weights, slots = self.model.state_dict(), self.optimizers.tensors()
        self.saved.append((replace(state), copied(weights), copied(slots), torch.get_rng_state()))

    def keep_best(self, state: RunState) -> None:
        self.best.append((state.global_step, state.best_score))

    def roll_back(self) -> RunState:
        state, weights, slots, generator = self.saved[-1]
        self.model.load_state_dict(weights)
        self.optimizers.load(slots)
        torch.set_rng_state(generator)
        return replace(state)


@dataclass
class Notes:
    """A log that only listens."""

    steps: list[tuple[RunState, float, dict[str, float]]] = field(default_factory=list)
    evaluations: list[tuple[int, dict[str, float]]] = field(default_factory=list)
    forgotten_after: list[int] = field(default_factory=list)

    def step(self, state: RunState, progress: float, numbers: dict[str, float]) -> None:
        self.steps.append((replace(state), progress, numbers))

    def evaluation(self, state: RunState, scores: dict[str, float]) -> None:
        self.evaluations.append((state.global_step, scores))

    def forget_after(self, state: RunState) -> None:
        self.forgotten_after.append(state.global_step)

    def column(self, name: str) -> list[float]:
        """One number of every step that was not skipped."""
        return [numbers[name] for _, _, numbers in self.steps if numbers]


@dataclass
class Rehearsal:
    """Everything that the loop is given, to look at and to exchange before it goes."""

    model: Model
    task: Task
    data: TrainingData
    held_out: list[Batch]
    train_config: PretrainingConfig
    optim_config: OptimConfig
    world: World
    optimizers: Any
    keeper: InMemory
    log: Notes
    state: RunState

    def go(self) -> dict[str, float]:
        """Runs the real loop and gives the last held-out scores."""
        return train(
            self.model,
            self.task,
            self.data,
            self.optimizers,
            self.state,
            self.train_config,
            self.optim_config,
            self.world,
            self.keeper,
            self.log,
        )


@pytest.fixture
def rehearse(make_model: Callable[..., Model]) -> Callable[..., Rehearsal]:
    """The loop, ready to go over `Sentences` with a tiny model; each part can be replaced."""

    def make(
        *,
        model: Model | None = None,
        task: Task | None = None,
        source: Source | None = None,
        transform: Transform | None = None,
        train: dict[str, Any] | None = None,
        optim: dict[str, Any] | None = None,
        world: World | None = None,
        measure: Callable[[Model], dict[str, float]] | None = None,
    ) -> Rehearsal:
        model = make_model() if model is None else model
        task = task or MaskedLM(next_sentence="nsp" in model.heads)
        source = source or Sentences(pairs="nsp" in model.heads)
        settings = {"steps": 4, "batch_size": 8, "sequence_length": 24, **(train or {})}
        train_config = PretrainingConfig.model_validate(settings)
        optim_config = OptimConfig.model_validate(optim or {})
        mask = transform or Masker(VOCABULARY, MaskingConfig(), train_config.seed)
        first = np.arange(min(8, len(source)))
        held_out = [mask(source.batch(first, first * 0), first * 0)]

        def evaluated(model: Model) -> dict[str, float]:
            return evaluate(model, task, held_out)

        sources = (source,) * (1 if train_config.initial_sequence_length is None else 2)
        optimizers = Optimizers(model, optim_config)
        return Rehearsal(
            model,
            task,
            TrainingData(sources, mask, measure or evaluated, stage_starts(train_config)),
            held_out,
            train_config,
            optim_config,
            world or World(0, 1, torch.device("cpu")),
            optimizers,
            InMemory(model, optimizers),
            Notes(),
            RunState(),
        )

    return make


@pytest.fixture(scope="session")
def tiny_corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus of forty little documents with several sentences each, and its tokenizer."""
    folder = tmp_path_factory.mktemp("tiny")
    animals = ["cat", "dog", "fox", "hen", "owl", "pig", "rat", "cow"]
    places = ["house", "garden", "river", "forest", "tower", "market"]

    def sentence(i: int) -> str:
        animal, place = animals[i % len(animals)], places[i // 3 % len(places)]
        return f"The {animal} went to the {place} and saw {2 + i % 7} of the {animals[i % 5]}s."

    documents = [" ".join(sentence(5 * d + s) for s in range(4 + d % 5)) for d in range(40)]
    (folder / "text.txt").write_text("\n\n".join(documents), encoding="utf-8")
    tokenizer = train_wordpiece(documents, TokenizerConfig(vocab_size=120))
    reader = ReaderConfig(documents="block")
    prepare([folder / "text.txt"], tokenizer, folder / "corpus", CorpusConfig(reader=reader))
    return folder / "corpus"


@pytest.fixture(scope="session")
def tiny_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder to fine-tune: one block 32 wide, random weights, letters and a few words."""
    texts = ["good fine nice bad poor awful the cat dog film was", *map(" ".join, zip(
        "abcdefghijklmnopqrstuvwxyz", "-.0123456789,;:!?'()/*+=_<", strict=True))] * 2  # fmt: skip
    tokenizer = train_wordpiece(texts, TokenizerConfig(vocab_size=160))
    config = BertConfig(
        vocab_size=tokenizer.vocab_size,
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
    )
    model = assemble(config, {"pooler"})
    initialise(model, 0.05, torch.Generator().manual_seed(0))
    folder = tmp_path_factory.mktemp("tiny") / "encoder"
    save(Bundle(model.eval(), None, tokenizer, config, None), folder)
    return folder


@pytest.fixture(scope="session")
def both() -> Iterator[World]:
    """In a test that torchrun runs twice: the two processes, joined once for all tests."""
    with world("cpu") as joined:
        assert joined.size == 2
        yield joined


@dataclass(frozen=True)
class Launch:
    """What `two_processes.py` of every room came to, run by torchrun in two processes."""

    folder: Path
    """With the runs that they left there, and the corpus they used."""
    outputs: list[str]
    """What pytest said in each process."""

    def num_passed(self, room: str) -> list[int]:
        """Tests of a room that passed, for each process."""
        passed = re.compile(rf"{room}/two_processes\.py::\S+ PASSED")
        return [len(passed.findall(output)) for output in self.outputs]


@pytest.fixture(scope="session")
def launch(tiny_corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Launch:
    """One launch for all rooms, since most of its time is spent on imports."""
    folder = tmp_path_factory.mktemp("two-processes")
    (folder / "corpus").symlink_to(tiny_corpus)
    torchrun = ["-m", "torch.distributed.run", "--nproc-per-node", "2", "--local-addr", "127.0.0.1"]
    rendezvous = ["--rdzv-backend", "c10d", "--rdzv-endpoint", "127.0.0.1:0"]
    logs = ["--redirects", "3", "--log-dir", str(folder / "logs")]
    # A thread ends a process that hangs inside gloo; torchrun then ends the other.
    pytest_there = ["-m", "pytest", "-v", "--timeout=90", "--timeout-method=thread"]
    tests = [str(path) for path in sorted(Path(__file__).parent.rglob("two_processes.py"))]
    found = subprocess.run(
        [
            sys.executable,
            *torchrun,
            *rendezvous,
            *logs,
            *pytest_there,
            "-pno:cacheprovider",
            *tests,
        ],
        env={**os.environ, "UNMASK_TEST_FOLDER": str(folder)},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    outputs = [path.read_text() for path in sorted((folder / "logs").rglob("stdout.log"))]
    assert found.returncode == 0, "\n".join([*outputs, found.stderr])
    return Launch(folder, outputs)
