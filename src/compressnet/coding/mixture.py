"""The entropy model's integers to frequencies: a mixture of two logistics, in integers alone.

Each symbol k in [-b, b] gets a frequency F(k) >= 256 with sum 2^24 (A = 2b + 1, `>>` floors):

    z_j(k) = clamp(((32 k + 16 - mean_j) * reciprocal[scale_j]) >> 10, -1536, 1536)
    C(z)   = (cdf[z + 1536] * (65536 - A)) >> 16
    G(k)   = weight * C(z_1(k)) + (256 - weight) * C(z_2(k))
    F(k)   = G(k) - G(k - 1) + 256,   with G(-b - 1) = 0 and G(b) = 256 * (65536 - A)

z_j(k) is at the upper edge of k. Means are in 1/32 of a symbol. The three tables are part of a
codec, so no machine ever computes an exponential.

Axes: n symbols, A alphabet.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from compressnet.errors import CorruptError

MEAN_STEPS = 32
"""Means are in units of 1/32 symbol."""
MEAN_LIMIT = 4096
CDF_STEPS = 128
CDF_LIMIT = 1536
"""The logistic distribution is tabulated to +-12 in steps of 1/128."""
RECIPROCAL_BITS = 10
SCALES = 81
"""Scales are 2^((i - 40) / 8) symbols, i from 0 to 80."""
SCALE_CENTRE = 40
CDF_ONE = 1 << 16
WEIGHT_BITS = 8
WEIGHT_ONE = 1 << WEIGHT_BITS
BOUND_LIMIT = 127


CACHED_VALUES = 1 << 16
"""Values that are computed at a time, so that they stay in a core's cache."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixture:
    """Distributions of n symbols: int32 arrays (n,)."""

    means: tuple[NDArray[np.int32], NDArray[np.int32]]
    """In 1/32 symbol, within +-4096."""
    scales: tuple[NDArray[np.int32], NDArray[np.int32]]
    """Indices of scales, 0 to 80."""
    weight: NDArray[np.int32]
    """The first component's share of 256, 1 to 255."""

    def of(self, rows: slice) -> Mixture:
        """Those of some symbols."""
        (mean, other_mean), (scale, other_scale) = self.means, self.scales
        return Mixture(
            means=(mean[rows], other_mean[rows]), scales=(scale[rows], other_scale[rows]), weight=self.weight[rows]
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """What a codec keeps so that frequencies need only integers."""

    cdf: NDArray[np.uint16]
    """(3073,): 2^16 times the logistic function."""
    reciprocal: NDArray[np.int32]
    """(81,): 2^12 over each scale."""
    weight: NDArray[np.uint8]
    """(256,): 2^8 times the logistic function of (i - 128) / 16."""

    def check(self) -> None:
        """Raises CorruptError where frequencies below 1 or beyond int32 could follow."""
        shapes = (self.cdf.shape, self.reciprocal.shape, self.weight.shape)
        if shapes != ((2 * CDF_LIMIT + 1,), (SCALES,), (256,)):
            raise CorruptError(f"frequency tables have shapes {shapes}")
        if np.any(np.diff(self.cdf.astype(np.int64)) < 0):
            raise CorruptError("the frequency table falls somewhere; it has to rise")
        if self.reciprocal.min() < 1 or self.reciprocal.max() > 1 << 17 or self.weight.min() < 1:
            raise CorruptError("frequency tables hold values out of range")


def make_tables() -> Tables:
    """The standard tables, which new codecs are trained for.

    The same integers on every machine: no value lies within 0.0003 of where its rounding turns,
    and floats err by less than a millionth of that.
    """
    steps = np.arange(-CDF_LIMIT, CDF_LIMIT + 1) / CDF_STEPS
    cdf = np.minimum(np.floor(CDF_ONE / (1 + np.exp(-steps)) + 0.5), CDF_ONE - 1)
    scales = np.exp2((np.arange(SCALES) - SCALE_CENTRE) / 8)
    numerator = CDF_STEPS * (1 << RECIPROCAL_BITS) / MEAN_STEPS
    shares = [WEIGHT_ONE / (1 + math.exp(-(i - 128) / 16)) for i in range(256)]
    return Tables(
        cdf=cdf.astype(np.uint16),
        reciprocal=np.floor(numerator / scales + 0.5).astype(np.int32),
        weight=np.clip(np.floor(np.array(shares) + 0.5), 1, WEIGHT_ONE - 1).astype(np.uint8),
    )


def frequency_weights(tables: Tables, mixture: Mixture, bound: int) -> NDArray[np.float64]:
    """Frequencies minus 1 of the symbols -bound..bound: float64 (n, 2 * bound + 1).

    This is the form in which the range coder takes them.
    """
    alphabet = 2 * bound + 1
    scaled_cdf = (tables.cdf.astype(np.int64) * (CDF_ONE - alphabet) >> 16).astype(np.int32)
    edges_A = np.arange(-bound, bound, dtype=np.int32) * MEAN_STEPS + MEAN_STEPS // 2
    weights = np.empty((len(mixture.weight), alphabet), np.float64)
    columns = max(1, CACHED_VALUES // alphabet)
    for start in range(0, len(weights), columns):
        part = slice(start, start + columns)
        first, second = (
            _component(tables, scaled_cdf, edges_A[:, None], mean_n[part], scale_n[part])
            for mean_n, scale_n in zip(mixture.means, mixture.scales, strict=True)
        )
        first -= second
        first *= mixture.weight[part]
        second <<= WEIGHT_BITS
        first += second
        masses = np.empty((alphabet, first.shape[1]), np.int32)
        masses[0] = first[0]
        np.subtract(first[1:], first[:-1], out=masses[1:-1])
        np.subtract((CDF_ONE - alphabet) << WEIGHT_BITS, first[-1], out=masses[-1])
        masses += WEIGHT_ONE - 1
        weights[part] = masses.T
    return weights


def _component(
    tables: Tables,
    scaled_cdf: NDArray[np.int32],
    edges: NDArray[np.int32],
    mean_n: NDArray[np.int32],
    scale_n: NDArray[np.int32],
) -> NDArray[np.int32]:
    """One logistic's distribution function at edges between symbols: int32 (A,n).

    edges: (A,n) or (A,1).
    """
    reciprocal_n = tables.reciprocal[scale_n]
    z = edges * reciprocal_n
    z -= mean_n * reciprocal_n - (CDF_LIMIT << RECIPROCAL_BITS)
    z >>= RECIPROCAL_BITS
    return scaled_cdf.take(z, mode="clip")


def frequencies_of(tables: Tables, mixture: Mixture, bound: int, indices_n: NDArray[np.integer]) -> NDArray[np.int32]:
    """The frequencies of one symbol of each distribution, k = index - bound: int32 (n,).

    They are what `frequency_weights` gives there, plus 1, without computing the rest of the
    alphabet.
    """
    alphabet = 2 * bound + 1
    total = CDF_ONE - alphabet
    scaled_cdf = (tables.cdf.astype(np.int64) * total >> 16).astype(np.int32)
    upper = (indices_n.astype(np.int32) - bound) * MEAN_STEPS + MEAN_STEPS // 2
    edges = np.stack([upper - MEAN_STEPS, upper])
    first, second = (
        _component(tables, scaled_cdf, edges, mean_n, scale_n)
        for mean_n, scale_n in zip(mixture.means, mixture.scales, strict=True)
    )
    below, above = mixture.weight * (first - second) + (second << WEIGHT_BITS)
    below[indices_n == 0] = 0
    above[indices_n == alphabet - 1] = total << WEIGHT_BITS
    return above - below + WEIGHT_ONE
