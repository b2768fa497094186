"""A pixel model, in integers: how likely each value of a pixel is, given what was coded before it.

An image is a stack of planes (`compressnet.lossless.planes`), coded one after the other, each row by row. Of a pixel the model
sees a causal neighbourhood of its plane, what lies around it in the planes before, its position where all images have
one size, and how often each value came up in the plane so far. Three decisions code it: is it the plane's background;
if not, its high four bits; then its low four bits, given the high ones.

    codes -> tables -> first -> hidden layers -> flag, high
                                     hidden, high, neighbours relative to high, counts -> low1 -> low2

Values enter through learned tables (a code 256 stands for what lies outside of the image), so that 253 may mean
something else than 254. A pixel whose whole neighbourhood is background takes its flag from a table, without a network.

Axes: O outputs, I inputs, E table columns, R ranges of a template.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from compressnet.errors import CorruptError
from compressnet.limits import LOSSLESS_IMAGE_VALUES_LIMIT, SIDE_LIMIT_PX
from compressnet.lossy.prior import HIDDEN_HIGH, DenseLayer, require_exact
from compressnet.networks.program import SHIFT_LIMIT

Ranges = NDArray[np.int8]
"""(R,3): a template, row by row: rows below the pixel, and the first and the last column to the right of it."""

OUTSIDE = 256
"""The code of a neighbour that is outside of the image."""
CODES = 257
HALF_BITS = 4
HALF = 1 << HALF_BITS
RELATIVE: tuple[tuple[int, int, int], ...] = ((-2, -2, 2), (-1, -2, 2), (0, -2, -1))
"""The template of the neighbours whose values `low1` sees, less the middle of the high value's 16 values."""
RELATIVE_LIMIT = 31
COUNT_LIMIT = 3
TABLE_LIMIT = 127
LOGIT_LIMIT = 2047
LOGIT_STEPS = 64
"""Logits are in 1/64 of a nat."""
EXP_STEPS = 1024
EXP_BITS = 20
TOTAL_BITS = 24
LEAST_FREQUENCY = 16
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
    """What goes through `far_table`; causal. A pixel is quiet where all of it, and of `across`, is background."""
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
    """Sees the last hidden layer, 12 relative neighbours, and 16 counts or none; a bias for each high value."""
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


def exp_table() -> NDArray[np.int64]:
    """(1024,): 2^20 e^(-i/64), rounded.

    The same integers on every machine: no value lies within 10^-4 of where its rounding turns.
    """
    return np.floor(np.exp(np.arange(EXP_STEPS) / -LOGIT_STEPS) * (1 << EXP_BITS) + 0.5).astype(np.int64)


_EXP = exp_table().astype(np.float64)


def frequencies(logits_An: NDArray[np.float32]) -> NDArray[np.float64]:
    """Frequencies (A,n) of n symbols of an alphabet from their logits, whole numbers: each at least 16, their sum 2^24.

    Softmax, in integers: e = exp_table[max - logit], F = 16 + e * (2^24 - 16 A) div sum(e); what is missing goes to
    the first of the largest logits. Numerators are below 2^53 and quotients below 2^24, with denominators below 2^25:
    no quotient is so near below a whole number that float64 would round it up to that, so `div` is exact.
    """
    alphabet = len(logits_An)
    below = (logits_An.max(axis=0) - logits_An).astype(np.int64)
    shares = _EXP.take(below, mode="clip")
    sums_n = shares.sum(axis=0)
    shares *= (1 << TOTAL_BITS) - LEAST_FREQUENCY * alphabet
    shares /= sums_n
    np.floor(shares, out=shares)
    shares += LEAST_FREQUENCY
    shares[logits_An.argmax(axis=0), np.arange(logits_An.shape[1])] += (1 << TOTAL_BITS) - shares.sum(axis=0)
    return shares


def prove_pixels(model: PixelModel) -> None:
    """Check a pixel model's shapes and prove that float32 computes it exactly. Raises CorruptError."""
    if not 1 <= model.channels <= 4 or len(model.planes) != model.channels:
        raise CorruptError(f"a pixel model for {model.channels} channels has {len(model.planes)} planes")
    if model.size is not None and not all(1 <= side <= SIDE_LIMIT_PX for side in model.size):
        raise CorruptError(f"a pixel model is for images of {model.size}, beyond the limits")
    if model.probe.shape != (32,):
        raise CorruptError("a pixel model has no probe")
    for number, plane in enumerate(model.planes):
        _prove_plane(plane, number, model.size or (1, 1))


def _prove_plane(plane: PlaneModel, number: int, size: tuple[int, int]) -> None:
    if not 0 <= plane.background <= 255:
        raise CorruptError(f"a plane of a pixel model has the background {plane.background}")
    for ranges, causal in ((plane.near, True), (plane.far, True), (plane.across, False)):
        _prove_template(ranges, causal=causal)
    if len(plane.far) == 0 or not 1 <= len(plane.layers) <= LAYERS_LIMIT:
        raise CorruptError("a pixel model sees nothing, or has no layers")
    tables = ((plane.near_table, CODES), (plane.far_table, CODES), (plane.seen_table, CODES))
    if any(table.ndim != 2 or len(table) != codes or table.shape[1] > WIDTH_LIMIT for table, codes in tables):
        raise CorruptError("a pixel model's tables have other shapes than they should")
    if max(plane.near_table.shape[1], plane.far_table.shape[1]) > COLUMNS_LIMIT:
        raise CorruptError(f"a pixel model's tables have more than {COLUMNS_LIMIT} columns")
    across = plane.across_table
    if across.ndim != 3 or across.shape[:2] != (number, CODES) or across.shape[2] > COLUMNS_LIMIT:
        raise CorruptError(f"a pixel model's table of other planes has the shape {across.shape}")
    seen = plane.seen_table.shape[1]
    if plane.seen_bias.shape != (seen,) or plane.seen_shift.shape != (seen,):
        raise CorruptError("a pixel model's sums have other shapes than they should")
    sums, shifts = (np.abs(array.astype(np.int64)).max(initial=0) for array in (plane.seen_bias, plane.seen_shift))
    if sums > SEEN_LIMIT or shifts > SHIFT_LIMIT:
        raise CorruptError("a pixel model's sums leave their range")
    if plane.quiet.shape != size or plane.quiet.min() < 1 or plane.quiet.max() >= 1 << TOTAL_BITS:
        raise CorruptError("a pixel model's table for quiet pixels is out of range")
    inputs = len(taps(plane.near)) * plane.near_table.shape[1] + len(taps(plane.far)) * plane.far_table.shape[1]
    inputs += number * len(taps(plane.across)) * across.shape[2]
    if inputs + seen > INPUTS_LIMIT:
        raise CorruptError(f"a pixel model's first layer has {inputs + seen} inputs, the limit is {INPUTS_LIMIT}")
    largest = np.full(inputs + seen, TABLE_LIMIT + 1, np.int64)
    largest[inputs:] = HIDDEN_HIGH
    units = len(plane.layers[0].shift)
    if plane.row.shape != (size[0], units) or plane.column.shape != (size[1], units):
        raise CorruptError("a pixel model's positions do not fit its first layer")
    position_O = np.abs(plane.row.astype(np.int64)).max(axis=0) + np.abs(plane.column.astype(np.int64)).max(axis=0)
    for layer in plane.layers:
        _prove_layer(layer, largest, 1, position_O)
        largest, position_O = np.full(len(layer.shift), HIDDEN_HIGH, np.int64), np.zeros(1, np.int64)
    _prove_layer(plane.flag, largest, 1, outputs=1)
    _prove_layer(plane.high, largest, 1, outputs=HALF)
    extra = [RELATIVE_LIMIT + 1] * len(taps(RELATIVE)) + [COUNT_LIMIT] * (HALF if plane.has_counts else 0)
    _prove_layer(plane.low1, np.concatenate([largest, extra]), HALF)
    _prove_layer(plane.low2, np.full(len(plane.low1.shift), HIDDEN_HIGH, np.int64), 1, outputs=HALF)


def _prove_template(ranges: Ranges, *, causal: bool) -> None:
    if ranges.ndim != 2 or ranges.shape[1:] != (3,) or len(ranges) > 2 * REACH_LIMIT + 1:
        raise CorruptError(f"a pixel model's template has the shape {ranges.shape}")
    for dy, first, last in ranges.tolist():
        below = 0 if causal else REACH_LIMIT
        if not (-REACH_LIMIT <= dy <= below and -REACH_LIMIT <= first <= last <= REACH_LIMIT):
            raise CorruptError(f"a pixel model sees the columns {first} to {last} of row {dy}")
        if causal and dy == 0 and last >= 0:
            raise CorruptError("a pixel model sees pixels that come later")


def _prove_layer(
    layer: DenseLayer,
    largest_I: NDArray[np.int64],
    bias_rows: int,
    more_O: NDArray[np.int64] | None = None,
    outputs: int | None = None,
) -> None:
    """A layer that sees integers of up to largest_I, and has more_O added to its sums. Raises CorruptError."""
    units = len(layer.shift) if layer.shift.ndim == 1 else 0
    if not 1 <= units <= WIDTH_LIMIT or units != (outputs or units):
        raise CorruptError(f"a pixel model's layer has {units} outputs")
    if layer.weight.shape != (units, len(largest_I)) or layer.bias.shape != (bias_rows, units):
        raise CorruptError(
            f"a pixel model's layer has weights of shape {layer.weight.shape}, biases {layer.bias.shape}"
        )
    sums_O = np.abs(layer.weight.astype(np.int64)) @ largest_I + np.abs(layer.bias.astype(np.int64)).max(axis=0)
    require_exact(sums_O if more_O is None else sums_O + more_O, layer.shift)
