from __future__ import annotations

import pytest
import torch

from unmask.infer import batcher
from unmask.infer.batcher import Cloze, answers
from unmask.infer.engine import Engine
from unmask.tasks.predicting import answering


def sizes(engine: Engine, clozes: list[Cloze]) -> list[int]:
    with answering(engine.bundle.model):
        return [len(members) for members, _ in answers(engine.bundle, clozes)]


def test_a_batch_stays_within_its_tokens_and_a_longer_cloze_goes_alone(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batcher, "BATCH_TOKENS", 8)
    lengths = [4, 4, 3, 9, 2, 6, 1]
    assert sizes(engine, [Cloze(0, [5] * n, [0]) for n in lengths]) == [2, 1, 1, 2, 1]


def test_a_batch_stays_within_its_scores(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batcher, "BATCH_SCORES", 3 * engine.bundle.config.vocab_size)
    asked = [[0], [0, 1], [2], [0, 1, 2, 3], [1]]
    assert sizes(engine, [Cloze(0, [5] * 4, positions) for positions in asked]) == [2, 1, 1, 1]


def test_logits_come_in_the_order_of_the_asked_positions(engine: Engine) -> None:
    clozes = [Cloze(0, [2, 7, 4, 9, 3], [1, 2]), Cloze(1, [2, 4, 3], [1])]
    with answering(engine.bundle.model):
        ((members, together),) = answers(engine.bundle, clozes)
        single = [
            logits
            for cloze in clozes
            for position in cloze.asked
            for _, logits in answers(engine.bundle, [Cloze(0, cloze.input_ids, [position])])
        ]
    assert members == clozes
    torch.testing.assert_close(together, torch.cat(single), atol=1e-5, rtol=1e-5)


def test_no_clozes_make_no_batch(engine: Engine) -> None:
    assert sizes(engine, []) == []
