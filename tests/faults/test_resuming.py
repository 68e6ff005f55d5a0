"""What a resumed run may change, and that it goes on without going over its data again."""

from __future__ import annotations

import shutil
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from unmask.cli.application import main
from unmask.data.loader import Cursor
from unmask.data.packing import Chunks
from unmask.train import loop

Make = Callable[..., Any]
CHANGES = {
    "preset": "mini",
    "dropout": 0.2,
    "train__steps": 9,
    "train__seed": 1,
    "masking__rate": 0.3,
    "next_sentence": True,
    "validation_rate": 0.2,
    "optim__name": "muon",
}
DIFFERENCES = """\
  architecture.attention_probs_dropout_prob: was 0.1, is 0.2
  architecture.hidden_dropout_prob: was 0.1, is 0.2
  architecture.hidden_size: was 128, is 256
  architecture.intermediate_size: was 512, is 1024
  architecture.num_attention_heads: was 2, is 4
  architecture.num_hidden_layers: was 2, is 4
  settings.masking.rate: was 0.15, is 0.3
  settings.next_sentence: was False, is True
  settings.optim.name: was 'adamw', is 'muon'
  settings.train.seed: was 0, is 1
  settings.train.steps: was 8, is 9
  settings.validation_rate: was 0.02, is 0.2
"""


@pytest.fixture
def interrupted(pretraining: Make) -> Any:
    """A run of 8 steps, killed in the sixth, after the checkpoint of the fourth."""
    run = pretraining("interrupted", train__steps=8)
    assert run(die=("open", "metrics.jsonl", 6)).exit_code == -signal.SIGKILL
    assert run.steps() == [0, 4]
    return run


def test_changed_settings_are_refused_with_what_they_were(interrupted: Any) -> None:
    ended = interrupted(resume=True, **CHANGES)

    assert ended.exit_code == 2
    assert DIFFERENCES in ended.message()
    assert "--output" in ended.message()
    assert interrupted.steps() == [0, 4]


@pytest.mark.parametrize("same_tokenizer", [True, False], ids=["corpus", "tokenizer"])
def test_another_corpus_or_tokenizer_is_refused(
    same_tokenizer: bool, interrupted: Any, material: Any, prepared: Callable[..., Any]
) -> None:
    other = prepared(seed=2, tokenizer=material.tokenizer if same_tokenizer else None)

    ended = replace(interrupted, corpus=other.corpus)(resume=True)

    assert ended.exit_code == 2
    assert "  corpus: was '" in ended.message()
    assert ("  tokenizer: was '" in ended.message()) is not same_tokenizer


def test_a_validation_corpus_is_known_by_what_it_holds(
    pretraining: Make, material: Any, prepared: Callable[..., Any]
) -> None:
    held_out = prepared(seed=3, tokenizer=material.tokenizer, documents=2).corpus
    other = prepared(seed=4, tokenizer=material.tokenizer, documents=2).corpus
    run = pretraining(train__steps=8, validation=held_out)
    assert run(die=("open", "metrics.jsonl", 6)).exit_code == -signal.SIGKILL
    moved = held_out.rename(held_out.with_name("moved"))

    ended = run(resume=True, validation=other)
    assert ended.exit_code == 2
    assert "  settings.validation: was '" in ended.message()
    assert run(resume=True, validation=moved).exit_code == 0


def test_how_often_a_run_logs_measures_and_saves_may_change(
    interrupted: Any, undisturbed: Make
) -> None:
    ended = interrupted(
        resume=True,
        train__log_every=3,
        train__evaluate_every=5,
        train__save_every=7,
        train__keep_checkpoints=1,
    )

    assert ended.exit_code == 0, ended.stderr
    assert interrupted.hashes() == undisturbed(train__steps=8).hashes()
    assert interrupted.steps() == [8]


@pytest.mark.filterwarnings("ignore:Cyclopts application invoked without tokens")
def test_resuming_asks_for_no_batch_that_was_trained_on_before(
    interrupted: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Cursor] = []
    made: list[int] = []
    step_batches, batch = loop.step_batches, Chunks.batch

    def counting(source: Any, cursor: Cursor, **settings: Any) -> Any:
        asked.append(cursor)
        return step_batches(source, cursor, **settings)

    def counted(self: Chunks, sample_ids: Any, epochs: Any) -> Any:
        made.append(len(sample_ids))
        return batch(self, sample_ids, epochs)

    monkeypatch.setattr(loop, "step_batches", counting)
    monkeypatch.setattr(Chunks, "batch", counted)
    monkeypatch.setattr(sys, "argv", ["unmask", *interrupted.arguments(resume=True)])

    main()

    assert asked == [Cursor(epoch=0, sample=4 * step) for step in range(4, 8)]
    assert made == [8, 4, 4, 4, 4]  # the held-out sequences, then the steps 5 to 8


def test_resuming_a_finished_run_trains_no_further(pretraining: Make) -> None:
    run = pretraining(train__steps=8)
    assert run().exit_code == 0
    before, lines = run.hashes(), run.metrics()
    shutil.rmtree(run.folder / "model")

    ended = run(resume=True)

    assert ended.exit_code == 0, ended.stderr
    assert "tokens/s" not in ended.stderr
    assert run.hashes() == before
    assert run.metrics() == lines


def test_resuming_where_nothing_is_begins(pretraining: Make) -> None:
    run = pretraining(train__steps=2)

    assert run(resume=True).exit_code == 0
    assert run.steps() == [0, 2]


def test_a_folder_with_a_run_is_refused_without_resume(interrupted: Any) -> None:
    lines = interrupted.metrics()

    ended = interrupted()

    assert ended.exit_code == 2
    assert "checkpoint-4" in ended.message()
    assert "--resume" in ended.message()
    assert interrupted.metrics() == lines
