"""Randomness without state: every number is a hash of the counters that name it."""

from __future__ import annotations

from enum import IntEnum
from math import isqrt

import numpy as np
from numpy.typing import NDArray

Counter = int | NDArray[np.integer]
"""One counter for all, or one per row."""

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_ROUNDS = 8


class Stream(IntEnum):
    """What a number is drawn for; streams of one seed are independent of each other."""

    # The values enter every hash: renumbering one would change the masks of every stored run.
    SHUFFLE = 1
    SAMPLE = 2
    PICK = 3
    ACTION = 4
    REPLACEMENT = 5
    SPAN_LENGTH = 6
    PAIR_SPLIT = 7
    PAIR_IS_RANDOM = 8
    PAIR_DOCUMENT = 9
    PAIR_SENTENCE = 10
    PAIR_TRIM_A = 11
    PAIR_TRIM_B = 12
    PAIR_IS_TURNED = 13
    GENERATOR = 14


def absorb(state: NDArray[np.uint64], counter: Counter) -> NDArray[np.uint64]:
    """Hashes one more counter into the states, broadcasting; uint64, at least one-dimensional.

    Output number `counter` of a splitmix64 generator seeded with the state (Steele, Lea and Flood
    2014, "Fast splittable pseudorandom number generators"; Stafford's variant 13 of murmur3's
    finaliser), so counters that differ by one give unrelated numbers.
    """
    if isinstance(counter, int):
        # An array of one: numpy warns when scalars wrap around, and not when arrays do.
        counters = np.array([counter & 0xFFFF_FFFF_FFFF_FFFF], dtype=np.uint64)
    else:
        counters = np.atleast_1d(counter).astype(np.uint64)
    mixed = state + (counters + np.uint64(1)) * _GOLDEN
    mixed ^= mixed >> np.uint64(30)
    mixed *= _MIX_1
    mixed ^= mixed >> np.uint64(27)
    mixed *= _MIX_2
    mixed ^= mixed >> np.uint64(31)
    return mixed


def counter_hash(*counters: Counter) -> NDArray[np.uint64]:
    """Hashes counters, in order, to uint64; of the counters' broadcast shape, at least (1,)."""
    state = np.zeros(1, dtype=np.uint64)
    for counter in counters:
        state = absorb(state, counter)
    return state


def sample_state(seed: int, epoch: Counter, sample_ids: Counter) -> NDArray[np.uint64]:
    """The state (B,) that every draw for a sample starts from: absorb a `Stream` next."""
    return counter_hash(seed, Stream.SAMPLE, epoch, sample_ids)


def uniform(hashes: NDArray[np.uint64]) -> NDArray[np.float64]:
    """Turns hashes into floats in [0, 1), from their upper 53 bits."""
    return (hashes >> np.uint64(11)).astype(np.float64) * 2.0**-53


def below(hashes: NDArray[np.uint64], limit: int | NDArray[np.int64]) -> NDArray[np.int64]:
    """Turns hashes into int64 in [0, limit); a limit under 2**32 biases by less than 2**-21."""
    return (uniform(hashes) * limit).astype(np.int64)


class Permutation:
    """A shuffled order of `range(n)` that costs no memory: call it on positions, get elements.

    A Feistel network over pairs (left, right) with left below a, right below b and a*b just above
    n; what falls outside `range(n)` is sent through again until it falls inside (Black and Rogaway
    2002, "Ciphers with arbitrary finite domains": generalised Feistel and cycle walking).
    """

    def __init__(self, n: int, seed: int, epoch: int) -> None:
        assert n >= 1, f"a permutation of {n} elements"
        self._n = n
        self._left = isqrt(n - 1) + 1
        self._right = -(-n // self._left)
        rounds = np.arange(_ROUNDS, dtype=np.int64)
        self._keys = counter_hash(seed, Stream.SHUFFLE, epoch, rounds)

    def __call__(self, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        """Maps positions 0..n-1, any shape, to elements 0..n-1, one to one."""
        shape = np.shape(positions)
        elements = self._once(np.asarray(positions, dtype=np.int64).reshape(-1))
        outside = np.flatnonzero(elements >= self._n)
        while outside.size:
            elements[outside] = self._once(elements[outside])
            outside = outside[elements[outside] >= self._n]
        return elements.reshape(shape)

    def _once(self, elements: NDArray[np.int64]) -> NDArray[np.int64]:
        left, right = np.divmod(elements, self._right)
        for round_ in range(0, _ROUNDS, 2):
            left = (left + self._draw(round_, right, self._left)) % self._left
            right = (right + self._draw(round_ + 1, left, self._right)) % self._right
        return left * self._right + right

    def _draw(self, round_: int, half: NDArray[np.int64], limit: int) -> NDArray[np.int64]:
        return below(absorb(self._keys[round_ : round_ + 1], half), limit)
