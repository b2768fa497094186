"""A pixel model, in integers: how likely each value of a pixel is, given what was coded before it.

An image is a stack of planes (`compressnet.lossless.planes`), coded one after the other, each row
by row. Of a pixel the model sees a causal neighbourhood of its plane, what lies around it in the
planes before, its position where all images have one size, and how often each value came up in the
plane so far. Three decisions code it: whether it is the plane's background; if not, its high four
bits; then its low four bits, given the high ones.

    codes -> tables -> first -> hidden layers -> flag, high
    hidden, high, neighbours relative to high, counts -> low1 -> low2

Values enter through learned tables (a code 256 stands for what lies outside of the image), so that
253 may mean something else than 254. A pixel whose whole neighbourhood is background takes its
flag from a table, without a network.

Axes: O outputs, I inputs, E table columns, R ranges of a template.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from compressnet.limits import LOSSLESS_IMAGE_VALUES_LIMIT
from compressnet.networks.dense import DenseLayer

Ranges = NDArray[np.int8]
"""(R,3): a template, row by row: rows below the pixel, and the first and the last column to the
right of it."""

OUTSIDE = 256
"""The code of a neighbour that is outside of the image."""
CODES = 257
HALF_BITS = 4
HALF = 1 << HALF_BITS
RELATIVE: tuple[tuple[int, int, int], ...] = ((-2, -2, 2), (-1, -2, 2), (0, -2, -1))
"""The template of the neighbours whose values `low1` sees, less the middle of the high value's 16
values."""
RELATIVE_LIMIT = 31
COUNT_LIMIT = 3
TABLE_LIMIT = 127
LOGIT_LIMIT = 2047
REACH_LIMIT = 8
"""How far a template may reach."""
LAYERS_LIMIT = 8
COLUMNS_LIMIT = 32
"""Of a table of neighbours: a reader keeps that many numbers for each pixel of some rows."""
INPUTS_LIMIT = 4096
WIDTH_LIMIT = 1024
"""Units of a layer."""
SEEN_LIMIT = 1 << 22
"""How far a sum over the values that a plane has had may go."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaneModel:
    """The network of one plane."""

    background: int
    """The plane's most frequent value."""
    near: Ranges
    """What goes through `near_table`; causal."""
    far: Ranges
    """What goes through `far_table`; causal. A pixel is quiet where all of it, and of `across`, is
    background."""
    across: Ranges
    """What is seen of each plane before."""
    near_table: NDArray[np.int8]
    """(257,E): what each code means."""
    far_table: NDArray[np.int8]
    across_table: NDArray[np.int8]
    """(planes before, 257, E)."""
    seen_table: NDArray[np.int8]
    """(257,E): added up over the values, other than the background, that the plane has had."""
    seen_bias: NDArray[np.int32]
    """(E,): what the sums begin with."""
    seen_shift: NDArray[np.int8]
    """(E,): what makes them a hidden layer's values."""
    row: NDArray[np.int32]
    """(H,O) or (1,O): added to the first layer's sums in a row."""
    column: NDArray[np.int32]
    layers: tuple[DenseLayer, ...]
    """Hidden layers; the first sees near, far, across and seen, in this order."""
    flag: DenseLayer
    """One logit: that the pixel is not background, against 0."""
    high: DenseLayer
    """16 logits of value >> 4."""
    low1: DenseLayer
    """Sees the last hidden layer, 12 relative neighbours, and 16 counts or none; a bias for each
    high value."""
    low2: DenseLayer
    """16 logits of value & 15."""
    quiet: NDArray[np.int32]
    """(H,W) or (1,1): the background's frequency of 2^24 where a pixel is quiet."""

    @property
    def has_counts(self) -> bool:
        """Whether the low bits' network sees how often their values came up."""
        return self.low1.weight.shape[1] == len(self.layers[-1].shift) + len(taps(RELATIVE)) + HALF


@dataclass(frozen=True, slots=True, kw_only=True)
class PixelModel:
    """What codes images of some number of channels without loss."""

    channels: int
    size: tuple[int, int] | None
    """Height and width of the images; None for images of any size."""
    planes: tuple[PlaneModel, ...]
    probe: NDArray[np.uint8]
    """(32,): SHA-256 of the payload of the images that `compressnet.lossless.coder` derives."""

    def fits(self, kind: tuple[int, int, int]) -> bool:
        """Whether it codes images (H,W,C)."""
        is_small = math.prod(kind) <= LOSSLESS_IMAGE_VALUES_LIMIT
        return is_small and kind[2] == self.channels and self.size in (None, kind[:2])


def taps(ranges: Ranges | tuple[tuple[int, int, int], ...]) -> list[tuple[int, int]]:
    """The neighbours of a template: (rows below, columns to the right) of each, in order."""
    return [(int(dy), dx) for dy, first, last in ranges for dx in range(int(first), int(last) + 1)]
