"""Levels: how elements fall into rows, columns and places, and what is split off at a level."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compressnet.codec.levels import BYTE_LEVELS, HIGH_LIMIT, LEVELS, Levels, fit, joined, low_bits_of, sides_of, split


def test_sides() -> None:
    assert sides_of((130,)).counts == (3, 0, 0)
    assert sides_of((5, 1)).counts == (5, 0, 0)
    assert sides_of((5, 7)).counts == (5, 7, 0)
    assert sides_of((5, 7, 3, 3)).counts == (5, 7, 9)
    assert sides_of((1 << 40, 0)).counts == (0, 0, 0)


def test_an_elements_level_is_a_sum() -> None:
    levels = Levels(rows=np.array([10, 20]), columns=np.array([0, 3, -30]), places=np.array([0, 1]))
    expected = [[[10, 11], [13, 14], [0, 0]], [[20, 21], [23, 24], [0, 0]]]
    assert levels.spread(sides_of((2, 3, 2)), LEVELS).reshape(2, 3, 2).tolist() == expected
    assert levels.spread(sides_of((2, 3, 2)), 22).max() == 21
    short = Levels(rows=np.array([4, 9]), columns=np.zeros(0, np.int64), places=np.zeros(0, np.int64))
    assert short.spread(sides_of((66,)), LEVELS).tolist() == [4] * 64 + [9] * 2


def test_low_bits_begin_at_level_33_and_grow_with_every_octave() -> None:
    levels = np.array([0, 32, 33, 36, 37, 128])
    assert low_bits_of(levels, LEVELS).tolist() == [0, 0, 1, 1, 2, 24]
    assert low_bits_of(levels, BYTE_LEVELS).tolist() == [0] * 6


@given(value=st.integers(-(2**31), 2**31 - 1), bits=st.integers(0, 24))
def test_split_and_joined(value: int, bits: int) -> None:
    high, low = split(np.array([value]), np.array([bits]))
    assert 0 <= low[0] < 1 << bits
    assert joined(high, low, np.array([bits])).tolist() == [value]
    assert bits < 24 or abs(high[0]) <= HIGH_LIMIT


@pytest.mark.parametrize("largest", [0, 1, 300, 40_000, 2**31 - 1])
def test_levels_that_fit_leave_high_parts_within_their_limit(largest: int) -> None:
    residuals = np.random.default_rng(2).integers(-largest - 1, largest, 6 * 40, endpoint=True)
    residuals[::7] = 0
    sides = sides_of((6, 40))
    levels = fit(residuals, sides, LEVELS, lambda level_n, high_n: np.abs(high_n) + level_n + 1.0)
    high, _ = split(residuals, low_bits_of(levels.spread(sides, LEVELS), LEVELS))
    assert np.abs(high).max() <= HIGH_LIMIT
