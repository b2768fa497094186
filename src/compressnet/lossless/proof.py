"""The proof that a pixel model runs exactly, on any machine and for any image."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from compressnet.coding.softmax import TOTAL_BITS
from compressnet.errors import CorruptError
from compressnet.limits import SIDE_LIMIT_PX
from compressnet.lossless.model import (
    CODES,
    COLUMNS_LIMIT,
    COUNT_LIMIT,
    HALF,
    INPUTS_LIMIT,
    LAYERS_LIMIT,
    REACH_LIMIT,
    RELATIVE,
    RELATIVE_LIMIT,
    SEEN_LIMIT,
    TABLE_LIMIT,
    WIDTH_LIMIT,
    PixelModel,
    PlaneModel,
    Ranges,
    taps,
)
from compressnet.networks.dense import HIDDEN_HIGH, DenseLayer, require_exact
from compressnet.networks.proof import SHIFT_LIMIT


def prove_pixels(model: PixelModel) -> None:
    """Check a pixel model's shapes and prove that float32 computes it exactly.

    Raises CorruptError.
    """
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
    """A layer that sees integers of up to largest_I, and has more_O added to its sums.

    Raises CorruptError.
    """
    units = len(layer.shift) if layer.shift.ndim == 1 else 0
    if not 1 <= units <= WIDTH_LIMIT or units != (outputs or units):
        raise CorruptError(f"a pixel model's layer has {units} outputs")
    if layer.weight.shape != (units, len(largest_I)) or layer.bias.shape != (bias_rows, units):
        raise CorruptError(
            f"a pixel model's layer has weights of shape {layer.weight.shape}, biases {layer.bias.shape}"
        )
    sums_O = np.abs(layer.weight.astype(np.int64)) @ largest_I + np.abs(layer.bias.astype(np.int64)).max(axis=0)
    require_exact(sums_O if more_O is None else sums_O + more_O, layer.shift, "a pixel model's layer")
