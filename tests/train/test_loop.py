from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from itertools import count
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from unmask.batch import Batch
from unmask.data.loader import Cursor, Source, take
from unmask.errors import Stopped
from unmask.tasks.masked_lm import MaskedLM
from unmask.tasks.task import Model, Term
from unmask.train.selection import Selection


def assert_equal(found: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> None:
    assert found.keys() == expected.keys()
    assert [name for name in expected if not torch.equal(found[name], expected[name])] == []


@dataclass
class Attentive(MaskedLM):
    """Remembers which samples were trained on."""

    seen: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def loss(self, outputs: Mapping[str, Tensor], batch: Batch) -> list[Term]:
        if not torch.is_inference_mode_enabled():
            self.seen += batch.sample_ids.tolist()
        return super().loss(outputs, batch)


def test_training_lowers_the_loss(rehearse: Callable[..., Any]) -> None:
    rehearsal = rehearse(train={"steps": 60}, optim={"learning_rate": 5e-3})

    scores = rehearsal.go()

    losses = rehearsal.log.column("mlm_loss")
    assert losses[0] > 3.8
    assert np.mean(losses[-5:]) < losses[0] - 1.0
    assert scores == rehearsal.log.evaluations[-1][1]
    assert scores["mlm_loss"] < losses[0] - 1.0


def test_a_step_takes_the_next_samples_of_the_shuffled_epochs(
    rehearse: Callable[..., Any], make_sentences: Callable[..., Source]
) -> None:
    source, task = make_sentences(size=20), Attentive()
    rehearse(source=source, task=task, train={"steps": 6, "micro_batch_tokens": 40}).go()

    assert task.seen == take(source, Cursor(), 48, seed=0)[0].tolist()


def test_the_state_counts_steps_tokens_and_samples(rehearse: Callable[..., Any]) -> None:
    rehearsal = rehearse(train={"steps": 3, "batch_size": 64})

    rehearsal.go()

    one_epoch = rehearsal.data.sources[0].batch(np.arange(64), np.zeros(64, dtype=np.int64))
    state = rehearsal.state
    assert (state.global_step, state.num_tokens) == (3, 3 * one_epoch.num_tokens)
    assert (state.cursor, state.skipped_steps) == (Cursor(epoch=3), 0)
    assert state.seconds > 0.0


def test_it_saves_before_the_first_step_at_intervals_and_at_the_end(
    rehearse: Callable[..., Any],
) -> None:
    rehearsal = rehearse(train={"steps": 7, "save_every": 3, "evaluate_every": 2})

    rehearsal.go()

    assert rehearsal.keeper.steps == [0, 3, 6, 7]
    assert [step for step, _ in rehearsal.log.evaluations] == [2, 4, 6, 7]


@pytest.mark.parametrize("dropout", [0.0, 0.3])
@pytest.mark.parametrize("name", ["adamw", "muon"])
def test_the_second_half_of_a_run_is_bit_identical_after_a_stop(
    name: str,
    dropout: float,
    rehearse: Callable[..., Any],
    make_model: Callable[..., Model],
) -> None:
    sizes = {"hidden_dropout_prob": dropout, "attention_probs_dropout_prob": dropout}
    whole = rehearse(model=make_model(**sizes), optim={"name": name}, train={"save_every": 2})
    whole.go()

    resumed = rehearse(model=make_model(**sizes), optim={"name": name})
    resumed.keeper.saved = whole.keeper.saved[:2]
    resumed.state = resumed.keeper.roll_back()
    resumed.go()

    assert [state.global_step for state, _, _ in resumed.log.steps] == [3, 4]
    assert_equal(resumed.model.state_dict(), whole.model.state_dict())


def test_the_gradient_is_clipped_to_its_norm(rehearse: Callable[..., Any]) -> None:
    norms: list[float] = []
    rehearsal = rehearse(optim={"clip_norm": 1e-3})
    step = rehearsal.optimizers.step

    def measured(share: float) -> None:
        gradients = [p.grad.norm() for p in rehearsal.model.parameters()]
        norms.append(float(torch.stack(gradients).norm()))
        step(share)

    rehearsal.optimizers.step = measured
    rehearsal.go()

    assert norms == pytest.approx([1e-3] * 4, rel=1e-3)
    assert min(rehearsal.log.column("gradient_norm")) > 1e-2, "the log tells the norm before"


def test_the_learning_rate_follows_the_schedule(rehearse: Callable[..., Any]) -> None:
    rehearsal = rehearse(train={"steps": 8}, optim={"warmup_rate": 0.25})

    rehearsal.go()

    shares = rehearsal.log.column("learning_rate_share")
    assert shares == pytest.approx([0.0, 0.5, 1.0, 5 / 6, 4 / 6, 3 / 6, 2 / 6, 1 / 6])
    assert [progress for _, progress, _ in rehearsal.log.steps] == [i / 8 for i in range(8)]


def test_a_minutes_budget_follows_the_clock(
    rehearse: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = count(step=3)  # asked once when the clock starts and once a step
    clock = SimpleNamespace(monotonic=lambda: float(next(seconds)), process_time=lambda: 0.0)
    monkeypatch.setattr("unmask.train.session.time", clock)
    rehearsal = rehearse(train={"steps": None, "minutes": 0.5}, optim={"warmup_rate": 0.0})

    rehearsal.go()

    assert rehearsal.state.global_step == 10
    assert rehearsal.state.seconds == 30.0
    shares = rehearsal.log.column("learning_rate_share")
    assert shares == pytest.approx([1 - i / 10 for i in range(10)])


def test_the_batch_grows_while_it_warms_up(rehearse: Callable[..., Any]) -> None:
    task = Attentive()
    sizes: list[int] = []
    rehearsal = rehearse(
        task=task,
        train={"steps": 4, "batch_size": 10, "initial_batch_size": 2, "batch_warmup_rate": 0.5},
    )
    step = rehearsal.optimizers.step
    rehearsal.optimizers.step = lambda share: (sizes.append(len(task.seen)), step(share))

    rehearsal.go()

    assert np.diff([0, *sizes]).tolist() == [2, 6, 10, 10]


def test_each_sequence_length_begins_its_own_data(
    rehearse: Callable[..., Any], make_sentences: Callable[..., Source]
) -> None:
    task = Attentive()
    rehearsal = rehearse(
        task=task,
        train={"steps": 4, "initial_sequence_length": 12, "sequence_warmup_rate": 0.5},
    )

    rehearsal.go()

    both = take(make_sentences(), Cursor(), 16, seed=0)[0].tolist()
    assert task.seen == both + both
    assert (rehearsal.state.stage, rehearsal.state.cursor) == (1, Cursor(sample=16))


def test_bfloat16_learns_with_weights_in_float32(rehearse: Callable[..., Any]) -> None:
    exact, rounded = rehearse(), rehearse(train={"precision": "bf16"})

    exact.go()
    rounded.go()

    assert {p.dtype for p in rounded.model.parameters()} == {torch.float32}
    assert rounded.log.column("mlm_loss") != exact.log.column("mlm_loss")
    # bfloat16 rounds to three digits.
    assert rounded.log.column("mlm_loss") == pytest.approx(exact.log.column("mlm_loss"), rel=0.01)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_and_stops(number: int, rehearse: Callable[..., Any]) -> None:
    before = signal.getsignal(number)
    rehearsal = rehearse(train={"steps": 50})
    note = rehearsal.log.step

    def interrupt(state: Any, progress: float, numbers: dict[str, float]) -> None:
        note(state, progress, numbers)
        if state.global_step == 2:
            signal.raise_signal(number)

    rehearsal.log.step = interrupt
    with pytest.raises(Stopped, match=r"stopped at step 3 as asked.*--resume") as caught:
        rehearsal.go()

    assert caught.value.exit_code == 5
    assert rehearsal.keeper.steps == [0, 3]
    assert signal.getsignal(number) is before


def test_the_mode_for_training_comes_back_after_evaluating(rehearse: Callable[..., Any]) -> None:
    rehearsal = rehearse(train={"evaluate_every": 1})
    modes: list[bool] = []
    rehearsal.model.register_forward_pre_hook(lambda model, _: modes.append(model.training))

    rehearsal.go()

    assert modes == [True, False] * 4


def test_the_same_seed_gives_the_same_loss(rehearse: Callable[..., Any]) -> None:
    runs = [rehearse(train={"seed": seed}) for seed in (3, 3, 4)]
    for run in runs:
        run.go()

    first, second, other = (run.log.column("mlm_loss") for run in runs)
    assert first == second != other


def test_the_best_weights_are_kept_and_waiting_ends(rehearse: Callable[..., Any]) -> None:
    given = iter([0.1, 0.5, 0.4, 0.5, 0.3, 0.9])
    rehearsal = rehearse(train={"steps": 60, "evaluate_every": 2})
    rehearsal.data = replace(
        rehearsal.data,
        measure=lambda _: {"accuracy": next(given)},
        selection=Selection("accuracy", patience=3),
    )

    scores = rehearsal.go()

    assert rehearsal.keeper.best == [(2, 0.1), (4, 0.5)]
    assert scores == {"accuracy": 0.3}
    assert rehearsal.state.global_step == 10
    assert (rehearsal.state.best_step, rehearsal.state.evaluations_since_best) == (4, 3)
    assert rehearsal.keeper.steps[-1] == 10


def test_a_run_that_waited_long_enough_does_not_go_on(rehearse: Callable[..., Any]) -> None:
    rehearsal = rehearse(train={"steps": 60, "evaluate_every": 2})
    rehearsal.data = replace(
        rehearsal.data,
        measure=lambda _: {"accuracy": 0.2},
        selection=Selection("accuracy", patience=1),
    )
    rehearsal.state.global_step, rehearsal.state.evaluations_since_best = 8, 1

    assert rehearsal.go() == {"accuracy": 0.2}
    assert rehearsal.state.global_step == 8
    assert rehearsal.log.steps == []
