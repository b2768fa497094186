"""How widely the residuals of an integer array spread, place by place.

`compressnet.codec.arrays` codes residuals by their levels. An element's level is the sum of one
for its row, one for its column and one for its place in a convolution's kernel. Levels are
quarters of an octave: level 20 is a logistic distribution of scale 1. Wide residuals are split
into high bits, which the distribution describes, and low bits, which are as good as random.

Axes: n elements, R rows, C columns, K places in a kernel; L levels, A alphabet.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]

SEGMENT = 64
"""Elements in what stands for a row in an array of one axis."""
BYTE_LEVELS = 41
"""Levels of arrays of bytes; none of their bits is left out of the distribution."""
LEVELS = 129
SPLIT_FROM = 33
"""From this level on, low bits are split off: one for each octave."""
OCTAVE = 4
LEVEL_OF_ONE = 20
HIGH_LIMIT = 128
"""High parts are within +-128."""
_OFFSET_LIMIT = 24
_MEAN_OF_ONE = 2 * math.log(2)
"""Mean magnitude under a logistic distribution of scale 1."""
_ROUNDS = 3
_REFINEMENTS = (-12, -6, -3, -2, -1, 0, 1, 2, 3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """How an array's elements, row-major, fall into rows, columns and places."""

    elements: int
    per_row: int
    columns: int
    places: int

    @property
    def rows(self) -> int:
        """Rows, the last of which may be short."""
        return -(-self.elements // self.per_row)

    @property
    def counts(self) -> tuple[int, int, int]:
        """How many levels of rows, columns and places are stored.

        A single column or place has none.
        """
        return self.rows, self.columns if self.columns > 1 else 0, self.places if self.places > 1 else 0

    def indices(self) -> tuple[Integers, Integers, Integers]:
        """Each element's row, column and place: (n,) each."""
        number = np.arange(self.elements)
        return number // self.per_row, number // self.places % self.columns, number % self.places


def sides_of(shape: tuple[int, ...]) -> Sides:
    """The sides of an array of one axis or more."""
    elements = math.prod(shape)
    if len(shape) == 1 or elements == 0:
        return Sides(elements=elements, per_row=SEGMENT, columns=1, places=1)
    places = math.prod(shape[2:])
    return Sides(elements=elements, per_row=shape[1] * places, columns=shape[1], places=places)


@dataclass(frozen=True, slots=True, kw_only=True)
class Levels:
    """The levels of an array, as they are stored: (R,), (C,) or (0,), (K,) or (0,)."""

    rows: Integers
    columns: Integers
    places: Integers

    def spread(self, sides: Sides, levels: int) -> NDArray[np.uint8]:
        """The level of each element, below `levels`: (n,)."""
        total = np.repeat(self.rows, sides.per_row)
        if len(self.columns) or len(self.places):
            table = np.zeros((sides.columns, sides.places), np.int64)
            table += self.columns[:, None] if len(self.columns) else 0
            table += self.places if len(self.places) else 0
            total.reshape(-1, sides.per_row)[...] += table.ravel()
        return np.clip(total[: sides.elements], 0, levels - 1).astype(np.uint8)


def low_bits_of(levels_n: NDArray[np.integer], levels: int) -> Integers:
    """How many low bits are split off at a level; none in arrays of bytes."""
    if levels == BYTE_LEVELS:
        return np.zeros(len(levels_n), np.int64)
    return np.maximum((levels_n.astype(np.int64) - (SPLIT_FROM - OCTAVE)) // OCTAVE, 0)


def split(residuals_n: Integers, bits_n: Integers) -> tuple[Integers, Integers]:
    """High parts, and low parts of the given number of bits.

    High parts are within +-128 where the level is right.
    """
    centred = residuals_n + ((1 << bits_n) >> 1)
    high = centred >> bits_n
    return high, centred - (high << bits_n)


def joined(high_n: Integers, low_n: Integers, bits_n: Integers) -> Integers:
    """The residuals that `split` took apart."""
    return (high_n << bits_n) + low_n - ((1 << bits_n) >> 1)


Bits = Callable[[Integers, Integers], NDArray[np.float64]]
"""From the levels without their split octaves, (n,), and high parts (n,), within +-128, to bits
(n,)."""


def fit(residuals_n: Integers, sides: Sides, levels: int, bits_of: Bits) -> Levels:
    """The levels that code an array's residuals in about the fewest bits.

    Only the writer needs this: a reader takes the levels as they are stored.
    """
    candidates = [_fit(residuals_n, sides, levels, bits_of, by_column) for by_column in (False, True)]
    return min(candidates, key=lambda pair: pair[0])[1]


def _fit(residuals_n: Integers, sides: Sides, levels: int, bits_of: Bits, by_column: bool) -> tuple[float, Levels]:
    """Bits, roughly, and levels; with levels for columns and places, or only for rows."""
    axes = sides.indices()
    sizes = (sides.rows, sides.columns, sides.places)
    counts = [np.bincount(axis, minlength=size) for axis, size in zip(axes, sizes, strict=True)]
    magnitudes = np.abs(residuals_n) + 0.2
    factors = [np.ones(size) for size in sizes]
    for number in [0, 1, 2] * _ROUNDS + [0] if by_column else [0]:
        others = [factors[i][axes[i]] for i in range(3) if i != number]
        factors[number] = np.bincount(axes[number], magnitudes / (others[0] * others[1])) / counts[number]
    octaves = [OCTAVE * np.log2(factor) for factor in factors]
    offsets = [np.round(part - np.median(part)) for part in octaves[1:]]
    rows = np.round(octaves[0] + sum(float(np.median(part)) for part in octaves[1:]) - OCTAVE * math.log2(_MEAN_OF_ONE))
    found = Levels(
        rows=np.clip(rows.astype(np.int64) + LEVEL_OF_ONE, 0, levels - 1),
        columns=_offsets(offsets[0]) if by_column and sides.columns > 1 else np.zeros(sides.counts[1], np.int64),
        places=_offsets(offsets[1]) if by_column and sides.places > 1 else np.zeros(sides.counts[2], np.int64),
    )
    found = _raised(found, residuals_n, sides, levels)
    cost, found = _refined(found, residuals_n, sides, levels, bits_of)
    stored = (found.rows, found.columns, found.places)
    steps = np.concatenate([np.diff(part) for part in stored])
    return cost + float(bits_of(np.full(len(steps), LEVEL_OF_ONE), steps).sum()), found


def _offsets(octaves: NDArray[np.float64]) -> Integers:
    return np.clip(octaves, -_OFFSET_LIMIT, _OFFSET_LIMIT).astype(np.int64)


def _raised(found: Levels, residuals_n: Integers, sides: Sides, levels: int) -> Levels:
    """Levels with those of rows raised until every high part is within +-128.

    No row's level goes beyond the highest one.
    """
    if levels == BYTE_LEVELS:
        return found
    needed_bits = np.maximum(np.frexp(np.abs(residuals_n) / HIGH_LIMIT)[1], 0)
    needed = np.where(needed_bits > 0, SPLIT_FROM - OCTAVE + OCTAVE * needed_bits, 0)
    lacking = needed - found.spread(sides, levels).astype(np.int64)
    by_row = np.maximum.reduceat(lacking, np.arange(0, sides.elements, sides.per_row))
    return Levels(
        rows=np.clip(found.rows + np.maximum(by_row, 0), 0, levels - 1), columns=found.columns, places=found.places
    )


def _refined(found: Levels, residuals_n: Integers, sides: Sides, levels: int, bits_of: Bits) -> tuple[float, Levels]:
    """Each row moved to the level near its own at which it costs the fewest bits."""
    starts = np.arange(0, sides.elements, sides.per_row)
    costs, rows = [], []
    for step in _REFINEMENTS:
        moved = np.clip(found.rows + step, 0, levels - 1)
        level_n = Levels(rows=moved, columns=found.columns, places=found.places).spread(sides, levels)
        bits_n = low_bits_of(level_n, levels)
        high, _ = split(residuals_n, bits_n)
        inside = np.abs(high) <= HIGH_LIMIT
        coded = bits_of(level_n - OCTAVE * bits_n, np.where(inside, high, 0)) + bits_n
        costs.append(np.add.reduceat(np.where(inside, coded, np.inf), starts))
        rows.append(moved)
    best = np.argmin(costs, axis=0)
    chosen = np.arange(sides.rows)
    total = float(np.array(costs)[best, chosen].sum())
    return total, Levels(rows=np.array(rows)[best, chosen], columns=found.columns, places=found.places)
