from __future__ import annotations

import pytest
import torch
from scipy import stats
from torch import Tensor

from unmask.nn.dropout import Dropout

SHAPES = [(0,), (0, 5), (1,), (3,), (7,), (5, 3), (2, 3, 5), (4, 4)]


def dropped(x: Tensor, rate: float, seed: int = 0) -> Tensor:
    torch.manual_seed(seed)
    return Dropout(rate)(x)


@pytest.mark.parametrize("rate", [0.1, 0.25, 0.5, 0.9])
def test_the_rate_is_met_within_binomial_bounds(rate: float) -> None:
    num_dropped = int((dropped(torch.ones(200_001), rate) == 0).sum())

    assert stats.binomtest(num_dropped, 200_001, rate).pvalue > 1e-3


def test_neighbours_that_share_a_random_word_are_dropped_independently() -> None:
    columns = (dropped(torch.ones(50_000, 4), 0.5) == 0).long()  # one 64-bit draw a row
    patterns = torch.bincount(columns @ torch.tensor([8, 4, 2, 1]), minlength=16)

    assert stats.chisquare(patterns.numpy()).pvalue > 1e-3


@pytest.mark.parametrize("rate", [0.1, 0.3, 0.5])
def test_what_is_kept_is_scaled_so_that_the_mean_stays(rate: float) -> None:
    found = dropped(torch.ones(400_000), rate)

    (scale,) = found[found != 0].unique().tolist()
    assert scale == pytest.approx(1 / (1 - rate), rel=2 / 65536)
    # Five standard errors of the mean of 400,000 Bernoulli draws.
    assert found.mean().item() == pytest.approx(1.0, abs=5 * (rate / (1 - rate) / 400_000) ** 0.5)


def test_the_gradient_is_the_mask_times_the_scale() -> None:
    x = torch.randn(37, 11, generator=torch.Generator().manual_seed(0)).add_(5).requires_grad_()
    weight = torch.randn(37, 11, generator=torch.Generator().manual_seed(1))

    found = dropped(x, 0.3)
    (found * weight).sum().backward()

    assert x.grad is not None
    torch.testing.assert_close(x.grad, weight * (found / x).detach())
    assert 0 < int((x.grad == 0).sum()) < x.numel()


def test_the_input_is_left_as_it_is() -> None:
    x = torch.ones(100)

    dropped(x, 0.5)

    assert x.tolist() == [1.0] * 100


def test_evaluation_and_rate_zero_change_nothing_and_draw_nothing() -> None:
    x = torch.randn(9)
    before = torch.get_rng_state()

    assert Dropout(0.5).eval()(x) is x
    assert Dropout(0.0)(x) is x
    assert torch.equal(torch.get_rng_state(), before)


def test_the_seed_decides_the_mask() -> None:
    x = torch.ones(1001)

    assert torch.equal(dropped(x, 0.5), dropped(x, 0.5))
    assert not torch.equal(dropped(x, 0.5), dropped(x, 0.5, seed=1))
    both = torch.stack([Dropout(0.5)(x), Dropout(0.5)(x)])
    assert not torch.equal(both[0], both[1])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("shape", SHAPES)
def test_any_size_and_precision_keeps_its_shape(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    x = torch.ones(shape, dtype=dtype, requires_grad=True)

    found = dropped(x, 0.5)
    found.sum().backward()

    assert (found.shape, found.dtype) == (x.shape, dtype)
    assert set(found.flatten().tolist()) <= {0.0, 2.0}
    assert x.grad is not None
    assert torch.equal(x.grad, found)


def test_a_transposed_input_is_dropped_element_by_element() -> None:
    x = torch.arange(1.0, 13.0).view(3, 4).T

    found = dropped(x, 0.5)

    kept = found != 0
    assert torch.equal(found[kept], 2 * x[kept])


@pytest.mark.parametrize("rate", [0.99999, 0.9999999])
def test_a_rate_next_to_one_stays_finite(rate: float) -> None:
    assert torch.isfinite(dropped(torch.ones(100), rate)).all()
