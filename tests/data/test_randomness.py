from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from unmask.data.randomness import Permutation, absorb, below, counter_hash, uniform


def test_one_counter_is_the_published_splitmix64_sequence() -> None:
    # The first outputs for seed 1234567, as Rosetta Code's task "Splitmix64" lists them.
    state = np.array([1234567], dtype=np.uint64)
    assert absorb(state, np.arange(3)).tolist() == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
    ]


def test_hashes_depend_on_every_counter_and_on_their_order() -> None:
    tuples = [(1, 2, 3), (2, 1, 3), (1, 3, 2), (1, 2, 4), (0, 2, 3), (-1, 2, 3), (1, 2)]
    assert len({int(counter_hash(*counters)[0]) for counters in tuples}) == len(tuples)


def test_an_array_of_counters_hashes_as_its_elements_do() -> None:
    samples = np.array([-3, 0, 7, 2**40])
    one_by_one = [int(counter_hash(5, sample, 1)[0]) for sample in samples.tolist()]
    assert counter_hash(5, samples, 1).tolist() == one_by_one


def test_neighbouring_counters_fill_the_unit_interval_evenly() -> None:
    grid = counter_hash(0, np.arange(200)[:, None], np.arange(100))
    counts = np.histogram(uniform(grid), bins=50, range=(0, 1))[0]
    assert chisquare(counts).pvalue > 1e-3


def test_draws_below_a_limit_are_uniform_and_stay_below() -> None:
    draws = below(counter_hash(3, np.arange(21_000)), 7)
    assert chisquare(np.bincount(draws, minlength=7)).pvalue > 1e-3
    assert draws.max() == 6


def test_the_largest_hash_stays_below_one() -> None:
    assert uniform(np.array([2**64 - 1], dtype=np.uint64))[0] < 1.0


@settings(max_examples=60, deadline=None)
@given(n=st.integers(1, 3000), seed=st.integers(-(2**63), 2**63), epoch=st.integers(0, 1000))
def test_a_permutation_is_a_bijection_for_any_size(n: int, seed: int, epoch: int) -> None:
    elements = Permutation(n, seed, epoch)(np.arange(n))
    assert np.array_equal(np.sort(elements), np.arange(n))


def test_a_permutation_maps_single_positions_as_it_maps_all() -> None:
    permutation = Permutation(1001, seed=4, epoch=2)
    everything = permutation(np.arange(1001))
    assert [int(permutation(np.array([i]))[0]) for i in range(0, 1001, 50)] == everything[
        ::50
    ].tolist()


def test_a_permutation_of_billions_costs_no_memory_and_stays_in_range() -> None:
    n = 10**13 + 7
    elements = Permutation(n, seed=0, epoch=0)(np.arange(n - 1000, n))
    assert len(np.unique(elements)) == 1000
    assert elements.min() >= 0
    assert elements.max() < n


@pytest.mark.parametrize("n", [3, 4])
def test_small_permutations_are_all_equally_likely(n: int) -> None:
    orders = Counter(
        tuple(Permutation(n, seed, epoch=0)(np.arange(n)).tolist()) for seed in range(2400)
    )
    expected = {3: 6, 4: 24}[n]
    assert len(orders) == expected
    assert chisquare(list(orders.values())).pvalue > 1e-3


def test_epochs_are_shuffled_independently() -> None:
    n = 500
    first = Permutation(n, seed=0, epoch=0)(np.arange(n))
    second = Permutation(n, seed=0, epoch=1)(np.arange(n))
    assert np.count_nonzero(first == second) < 10  # one fixed point is expected by chance
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.15
