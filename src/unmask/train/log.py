"""What a run tells: numbers in a file, a line for people, TensorBoard on request."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from unmask.errors import MachineError
from unmask.train.config import TrainConfig
from unmask.train.state import RunState

METRICS_FILE = "metrics.jsonl"
_MOST_SAID = 5
"""Held-out scores in a line; the file has all, those of single labels (`f1/NAME`) among them."""


class RunLog:
    """Averages the steps between two lines and writes each line at once to metrics.jsonl."""

    def __init__(
        self, run: Path, config: TrainConfig, say: Callable[[str], None], metric: str | None = None
    ) -> None:
        """`metric` is the score by which weights are chosen: it is said first."""
        self._metric = metric
        self._path = run / METRICS_FILE
        self._config = config
        self._say = say
        self._sums: dict[str, float] = {}
        self._num_steps = 0
        self._since = (time.monotonic(), 0)
        self._board = _board(run, 0) if config.tensorboard else None

    def forget_after(self, state: RunState) -> None:
        """Drops what follows the state of a run that is resumed or went back, and is told anew."""
        self._sums, self._num_steps = {}, 0
        self._since = (time.monotonic(), state.num_tokens)
        if self._board is not None:
            self._board.close()
            self._board = _board(self._path.parent, state.global_step + 1)
        if not self._path.exists():
            return
        kept = [line for line in read_metrics(self._path) if line["step"] <= state.global_step]
        # Written aside first: a kill must not take the lines of the steps that stay.
        aside = self._path.with_suffix(".tmp")
        with self._writing():
            aside.write_text("".join(json.dumps(line) + "\n" for line in kept), encoding="utf-8")
            aside.replace(self._path)

    def step(self, state: RunState, progress: float, numbers: dict[str, float]) -> None:
        """Takes note of a step; every `log_every` steps writes and says their mean."""
        self._num_steps += bool(numbers)
        for name, number in numbers.items():
            self._sums[name] = self._sums.get(name, 0.0) + number
        if state.global_step % self._config.log_every:
            return
        means = {name: total / self._num_steps for name, total in self._sums.items()}
        speed = self._tokens_per_second(state)
        self._write(state, {**means, "tokens_per_second": speed, "progress": progress})
        left = state.seconds / progress * (1.0 - progress) if progress > 0 else 0.0
        losses = "  ".join(f"{n} {shown(means[n], 3)}" for n in means if n.endswith("_loss"))
        self._say(
            f"step {state.global_step:>6}  {losses}  {speed:>7,.0f} tokens/s  "
            f"{100 * progress:5.1f} %  {_duration(left)} left"
        )
        self._sums, self._num_steps = {}, 0

    def evaluation(self, state: RunState, scores: dict[str, float]) -> None:
        """Writes and says held-out scores."""
        self._write(state, {f"validation_{name}": value for name, value in scores.items()})
        others = (name for name in scores if "/" not in name and name != self._metric)
        said = [*(name for name in scores if name == self._metric), *others][:_MOST_SAID]
        figures = "  ".join(f"{name} {shown(scores[name], 3)}" for name in said)
        self._say(f"step {state.global_step:>6}  held out: {figures}")
        self._since = (time.monotonic(), state.num_tokens)

    def _tokens_per_second(self, state: RunState) -> float:
        then, num_tokens = self._since
        now = time.monotonic()
        self._since = (now, state.num_tokens)
        return (state.num_tokens - num_tokens) / max(1e-9, now - then)

    def _write(self, state: RunState, numbers: Mapping[str, float]) -> None:
        line = {
            "step": state.global_step,
            "seconds": round(state.seconds, 3),
            "cpu_seconds": round(state.cpu_seconds, 3),
            "tokens": state.num_tokens,
            "skipped_steps": state.skipped_steps,
            # JSON has no word for NaN and infinity; a loss that is one is told on the terminal.
            **{name: round(n, 6) for name, n in numbers.items() if math.isfinite(n)},
        }
        with self._writing(), self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        if self._board is not None:
            for name, number in numbers.items():
                self._board.add_scalar(name, number, state.global_step)
            self._board.flush()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise MachineError(
                f"{self._path}: cannot be written ({error.strerror}); the checkpoints are as they "
                "were. Make room, then go on with --resume."
            ) from error


class SilentLog:
    """The log of every process but the first."""

    def step(self, state: RunState, progress: float, numbers: dict[str, float]) -> None:
        """Says nothing."""

    def evaluation(self, state: RunState, scores: dict[str, float]) -> None:
        """Says nothing."""

    def forget_after(self, state: RunState) -> None:
        """Forgets nothing."""


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """The lines of a metrics.jsonl, if there is one; a last line cut off by a kill is left out."""
    lines: list[dict[str, Any]] = []
    if not path.exists():
        return lines
    for text in path.read_text(encoding="utf-8").splitlines():
        try:
            lines.append(json.loads(text))
        except json.JSONDecodeError:
            break
    return lines


def shown(figure: float, decimals: int) -> str:
    """With so many decimals, or by its power of ten where it is huge, as perplexities may be."""
    return f"{figure:.{decimals}f}" if abs(figure) < 1e6 else f"{figure:.{decimals}e}"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _board(run: Path, first_step: int) -> Any:
    """A writer of event files, in which what was told of `first_step` and later is void."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise MachineError(
            "train.tensorboard is set, but TensorBoard is missing: pip install "
            "'unmask[tensorboard]', or leave it out; metrics.jsonl is written in any case"
        ) from error
    return SummaryWriter(run / "tensorboard", purge_step=first_step)
