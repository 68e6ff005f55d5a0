"""What every task promises on every family, tried on all there are without naming any."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from unmask.batch import Batch
from unmask.checkpoint import native
from unmask.checkpoint.bundle import Bundle
from unmask.checkpoint.transfer import with_head
from unmask.data.loader import split
from unmask.data.windows import WindowSource
from unmask.models.config import CONFIGS
from unmask.tasks import predicting
from unmask.tasks.predicting import raw_scores
from unmask.tasks.registry import TASKS
from unmask.text.tokenizer import Tokenizer


@pytest.fixture
def begin(make_of: Callable[..., Any], tokenizer: Tokenizer) -> Callable[[Any, str], Bundle]:
    """A tiny encoder of a family under the task's head."""

    def make(task: Any, family: str) -> Bundle:
        encoder, config = make_of(family, set())
        base = Bundle(encoder, None, tokenizer, config, None)
        generator = torch.Generator().manual_seed(1)
        model = with_head(base, task.head, task.num_outputs, generator).model
        return replace(base, model=model.eval(), task=task)

    return make


def batch_of(bundle: Bundle, examples: list[Any]) -> Batch:
    """All windows of the examples."""
    task: Any = bundle.task
    encoded = task.encode(examples, bundle.require_tokenizer(), bundle.max_length)
    source = WindowSource([window for windows in encoded for window in windows])
    return source.batch(np.arange(len(source)), np.zeros(len(source), dtype=np.int64))


def loss_of(bundle: Bundle, batch: Batch) -> torch.Tensor:
    """The loss that the loop would step on."""
    task: Any = bundle.task
    counts = task.counts(batch)
    terms = task.loss(bundle.model(batch, task), batch)
    return sum((t.weight * t.total / counts[t.name] for t in terms), torch.zeros(()))


def scores_of(bundle: Bundle, examples: list[Any]) -> list[Any]:
    task: Any = bundle.task
    found = raw_scores(bundle.model, task, examples, bundle.require_tokenizer(), bundle.max_length)
    return [scores for _, scores in found]


def test_every_task_has_a_case(covered: set[str]) -> None:
    assert covered == set(TASKS) - {"embedding"}  # see test_embeddings.py, recipe/test_families.py


def test_every_family_is_tried(families: tuple[str, ...]) -> None:
    assert {"bert", "roberta"} < set(families) <= set(CONFIGS)


def test_the_loss_is_finite_and_reaches_every_part(case: Any, family: str, begin: Any) -> None:
    bundle = begin(case.begin(), family)
    loss = loss_of(bundle, batch_of(bundle, case.examples()))
    loss.backward()

    assert torch.isfinite(loss)
    for name, parameter in bundle.model.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        # A softmax does not see what is added to all: a key's bias, the bias of a choice's score.
        assert parameter.grad.abs().max() > 0 or name.endswith("bias"), name


def test_micro_batches_add_up_to_the_batch(case: Any, family: str, begin: Any) -> None:
    """The numerics contract: counts first, then sums, whatever the cut."""
    bundle = begin(case.begin(), family)
    bundle.model.double()
    task: Any = bundle.task
    batch = batch_of(bundle, case.examples())
    loss_of(bundle, batch).backward()
    whole = {name: p.grad.clone() for name, p in bundle.model.named_parameters()}
    bundle.model.zero_grad()
    counts = task.counts(batch)
    parts = split(batch, 12)
    assert len(parts) > 2
    assert sum(part.num_tokens for part in parts) == batch.num_tokens
    for part in parts:
        terms = task.loss(bundle.model(part, task), part)
        sum(t.weight * t.total / counts[t.name] for t in terms).backward()

    largest = max(float(gradient.abs().max()) for gradient in whole.values())
    for name, parameter in bundle.model.named_parameters():
        difference = float((parameter.grad - whole[name]).abs().max())
        assert difference <= 1e-10 * largest, name


def test_company_and_order_change_no_score(
    case: Any, family: str, begin: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle, examples = begin(case.begin(), family), case.examples()
    together = scores_of(bundle, examples)
    backwards = scores_of(bundle, examples[::-1])[::-1]
    monkeypatch.setattr(predicting, "BATCH_TOKENS", 1)
    alone = scores_of(bundle, examples)

    for others in (backwards, alone):
        for one, other in zip(together, others, strict=True):
            assert_close(one, other)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=["bf16", "fp16"])
def test_half_precision_gives_nearly_the_same_scores(
    dtype: torch.dtype, case: Any, family: str, begin: Any
) -> None:
    tolerance = case.bf16_tolerance if dtype is torch.bfloat16 else 1e-2
    bundle, examples = begin(case.begin(), family), case.examples()
    batch = batch_of(bundle, examples)
    task: Any = bundle.task
    with torch.no_grad():
        exact = bundle.model(batch, task)
        half = bundle.model.to(dtype)(batch, task)

    for name, scores in exact.items():
        assert half[name].dtype is dtype
        largest = max(1.0, float(scores.abs().max()))
        torch.testing.assert_close(half[name].float(), scores, rtol=0.0, atol=tolerance * largest)
    found = scores_of(bundle, examples)
    assert [task.decode(e, s) for e, s in zip(examples, found, strict=True)]


def assert_close(one: Any, other: Any) -> None:
    """Arrays, or containers of them, within the promise P8."""
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        one, other = list(one.values()), list(other.values())
    if isinstance(one, list | tuple):
        for left, right in zip(one, other, strict=True):
            assert_close(left, right)
    elif isinstance(one, str) or one is None:
        assert one == other
    else:
        np.testing.assert_allclose(one, other, atol=1e-5, rtol=0)


def test_a_saved_model_answers_the_same(case: Any, family: str, begin: Any, tmp_path: Path) -> None:
    bundle, examples = begin(case.begin(), family), case.examples()
    scores = scores_of(bundle, examples)
    task: Any = bundle.task
    tuned = replace(bundle, task=task.tuned(examples, scores))
    native.save(tuned, tmp_path / "model")
    loaded = native.load(tmp_path / "model")

    assert loaded.task == tuned.task
    again = scores_of(loaded, examples)
    found = [loaded.task.decode(e, s) for e, s in zip(examples, again, strict=True)]  # type: ignore[union-attr]
    assert found == [tuned.task.decode(e, s) for e, s in zip(examples, scores, strict=True)]  # type: ignore[union-attr]


@pytest.mark.usefixtures("thorough")
def test_one_batch_can_be_learned_by_heart(case: Any, family: str, begin: Any) -> None:
    bundle, examples = begin(case.begin(), family), case.examples()
    batch = batch_of(bundle, examples)
    optimizer = torch.optim.AdamW(bundle.model.parameters(), lr=3e-3)
    first = loss_of(bundle, batch).item()
    for _ in range(100):
        loss = loss_of(bundle, batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    task: Any = bundle.task
    assert loss.item() < 0.5 * first
    assert task.score(examples, scores_of(bundle, examples))[task.metric] > 0.95 * case.best


def test_perfect_scores_are_the_best(case: Any) -> None:
    task, examples = case.begin(), case.examples()
    found = task.score(examples, case.perfect(task, examples))

    assert found[task.metric] == pytest.approx(case.best)
