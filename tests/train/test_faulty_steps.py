"""Steps whose loss or gradient is no number: skipped, counted, gone back from, given up on."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from unmask.batch import Batch
from unmask.data.loader import Cursor, Source, take
from unmask.errors import DataError
from unmask.tasks.masked_lm import MaskedLM
from unmask.tasks.task import Term
from unmask.train.loop import PATIENCE
from unmask.train.selection import Selection

BATCH_SIZE = 8


class Poisoned(MaskedLM):
    """Answers no number for some samples, and remembers what it was trained on."""

    def __init__(self, poison: set[int]) -> None:
        super().__init__()
        self.poison = poison
        self.seen: list[int] = []

    def loss(self, outputs: Mapping[str, Tensor], batch: Batch) -> list[Term]:
        terms = super().loss(outputs, batch)
        if torch.is_inference_mode_enabled():
            return terms
        samples = batch.sample_ids.tolist()
        self.seen += samples
        factor = math.nan if self.poison & set(samples) else 1.0
        return [term._replace(total=term.total * factor) for term in terms]


@pytest.fixture
def poisoned(
    rehearse: Callable[..., Any], make_sentences: Callable[..., Source]
) -> Callable[..., Any]:
    """A run in which the data of the given steps, counted from 1, is poison."""

    def make(bad_steps: list[int], **train: Any) -> Any:
        source = make_sentences(size=1000)
        order = take(source, Cursor(), BATCH_SIZE * 60, seed=0)[0].tolist()
        # One bad sequence spoils its step.
        poison = {order[BATCH_SIZE * step - 3] for step in bad_steps}
        settings = {"steps": 8, "batch_size": BATCH_SIZE, **train}
        return rehearse(source=source, task=Poisoned(poison), train=settings)

    return make


def test_a_step_without_a_number_changes_nothing_and_is_counted(
    poisoned: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    rehearsal = poisoned([4], save_every=1)

    with caplog.at_level(logging.WARNING):
        rehearsal.go()

    third, fifth = rehearsal.keeper.saved[3], rehearsal.keeper.saved[4]
    assert (third[0].global_step, fifth[0].global_step) == (3, 5)
    assert rehearsal.state.skipped_steps == 1
    assert rehearsal.state.global_step == 8
    assert [bool(numbers) for _, _, numbers in rehearsal.log.steps] == [True] * 3 + [False] + [
        True
    ] * 4
    assert [state.skipped_steps for state, _, _ in rehearsal.log.steps] == [0] * 3 + [1] * 5
    assert (
        "step 4: loss or gradient is not finite; the step was skipped (1 in a row)" in caplog.text
    )
    assert all(torch.isfinite(p).all() for p in rehearsal.model.parameters())


def test_a_skipped_step_leaves_weights_and_optimizer_as_they_were(
    poisoned: Callable[..., Any],
) -> None:
    clean, spoilt = poisoned([], steps=3), poisoned([4], steps=4)
    # The schedule must not differ, only the last step.
    for rehearsal in (clean, spoilt):
        rehearsal.optim_config = rehearsal.optim_config.model_copy(
            update={"schedule": "wsd", "decay_rate": 1e-9, "warmup_rate": 0.0}
        )

    clean.go()
    spoilt.go()

    for tensors in ("state_dict", "tensors"):
        owner = "model" if tensors == "state_dict" else "optimizers"
        found, expected = (getattr(getattr(r, owner), tensors)() for r in (spoilt, clean))
        assert found.keys() == expected.keys()
        assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_fewer_than_ten_in_a_row_are_only_skipped(poisoned: Callable[..., Any]) -> None:
    rehearsal = poisoned([*range(2, 2 + PATIENCE - 1), 2 + PATIENCE], steps=20)

    rehearsal.go()

    assert PATIENCE == 10
    assert (rehearsal.state.skipped_steps, rehearsal.state.rollbacks) == (10, 0)


def test_ten_in_a_row_go_back_to_the_checkpoint_and_past_the_data(
    poisoned: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    rehearsal = poisoned([*range(7, 17)], steps=20, save_every=3)
    roll_back, back_at = rehearsal.keeper.roll_back, []

    def noted() -> Any:
        back_at.append(len(rehearsal.task.seen) // BATCH_SIZE)
        return roll_back()

    rehearsal.keeper.roll_back = noted
    with caplog.at_level(logging.WARNING):
        rehearsal.go()

    assert back_at == [16]
    assert "went back to step 6 and past the data up to step 16" in caplog.text
    steps = [state.global_step for state, _, _ in rehearsal.log.steps]
    assert steps == [*range(1, 17), *range(7, 21)]
    # No sample is taken twice, and none is left out.
    order = take(rehearsal.data.sources[0], Cursor(), BATCH_SIZE * 30, seed=0)[0].tolist()
    assert rehearsal.task.seen == order
    final = rehearsal.keeper.saved[-1][0]
    assert (final.global_step, final.skipped_steps, final.rollbacks) == (20, 10, 1)


def test_going_back_forgets_no_best_score(poisoned: Callable[..., Any]) -> None:
    rehearsal = poisoned([*range(7, 17)], steps=20, save_every=5, evaluate_every=6)
    scores = iter([0.9, *[0.1] * 9])  # 0.9 after step 6, which no checkpoint knows
    rehearsal.data = replace(
        rehearsal.data, measure=lambda _: {"f1": next(scores)}, selection=Selection("f1")
    )

    rehearsal.go()

    assert rehearsal.keeper.saved[-1][0].rollbacks == 1
    assert rehearsal.keeper.best == [(6, 0.9)]


def test_broken_weights_are_replaced_even_if_checkpoints_fall_due_meanwhile(
    poisoned: Callable[..., Any],
) -> None:
    rehearsal = poisoned([], steps=16, save_every=4)
    note, broken = rehearsal.log.step, []

    def break_once(state: Any, progress: float, numbers: dict[str, float]) -> None:
        note(state, progress, numbers)
        if state.global_step == 5 and not broken:
            broken.append(True)
            rehearsal.model.get_parameter("heads.mlm.norm.weight").data.fill_(math.nan)

    rehearsal.log.step = break_once
    rehearsal.go()

    # At 8 and 12 a checkpoint would have kept the broken weights; it was made up for after step 15,
    # when the run had gone back to 4 and taken a good step.
    assert rehearsal.keeper.steps == [0, 4, 5, 8, 12, 16]
    assert all(torch.isfinite(p).all() for p in rehearsal.model.parameters())
    assert all(
        torch.isfinite(w).all() for _, kept, *_ in rehearsal.keeper.saved for w in kept.values()
    )


def test_a_checkpoint_that_falls_on_a_skipped_step_is_made_after_it(
    poisoned: Callable[..., Any],
) -> None:
    rehearsal = poisoned([4, 5], steps=11, save_every=4)

    rehearsal.go()

    assert rehearsal.keeper.steps == [0, 6, 8, 11]


def test_the_second_time_the_run_gives_up(poisoned: Callable[..., Any]) -> None:
    rehearsal = poisoned([*range(3, 13), *range(15, 26)], steps=40, save_every=2)

    with pytest.raises(DataError, match=r"10 steps in a row were not finite, again") as caught:
        rehearsal.go()

    assert caught.value.exit_code == 3
    assert "optim.learning_rate" in str(caught.value)
    assert len(rehearsal.task.seen) == BATCH_SIZE * 24


def test_going_back_does_not_return_to_an_earlier_sequence_length(
    poisoned: Callable[..., Any],
) -> None:
    # Steps 11 to 20 of the data order are the second stage's first ten, as its cursor starts anew.
    rehearsal = poisoned(
        [*range(1, 11)],
        steps=20,
        save_every=8,
        initial_sequence_length=12,
        sequence_warmup_rate=0.5,
    )
    rehearsal.task.poison, second_stage = set(), rehearsal.task.poison
    note = rehearsal.log.step

    def poison_the_second_stage(state: Any, progress: float, numbers: dict[str, float]) -> None:
        note(state, progress, numbers)
        if state.global_step == 10:
            rehearsal.task.poison = second_stage

    rehearsal.log.step = poison_the_second_stage
    rehearsal.go()

    assert [state.stage for state, _, _ in rehearsal.log.steps][10:] == [1] * 22
