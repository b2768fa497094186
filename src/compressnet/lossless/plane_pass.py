"""One plane of many images, coded pixel by pixel in lockstep by a pixel model."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from compressnet.coding.softmax import TOTAL_BITS, frequencies
from compressnet.errors import CorruptError
from compressnet.images.kinds import Images
from compressnet.lossless.model import (
    CODES,
    COUNT_LIMIT,
    HALF,
    HALF_BITS,
    LOGIT_LIMIT,
    OUTSIDE,
    REACH_LIMIT,
    RELATIVE,
    RELATIVE_LIMIT,
    SEEN_LIMIT,
    PlaneModel,
    Ranges,
    taps,
)
from compressnet.networks.dense import HIDDEN_HIGH, HIDDEN_LOW, DenseLayer
from compressnet.networks.numpy import requantize
from compressnet.networks.program import Activation, Float32

Indices = NDArray[np.int64]
"""Whole numbers: places, values."""
Frequencies = NDArray[np.float64]
"""Whole numbers (A,n) that sum to 2^24 for each symbol."""
Code = Callable[[Indices, Frequencies, Indices | None], Indices]
"""(images in ascending order (n,), frequencies (A,n), symbols (n,) or None) -> symbols (n,)."""


class _Dense:
    """A layer made ready: sums of columns."""

    def __init__(self, layer: DenseLayer, activation: Activation, low: int, high: int) -> None:
        self._weight = layer.weight.astype(np.float32)
        self._bias_AO = layer.bias.astype(np.float32)
        self._shift = layer.shift[:, None]
        self._activation: Activation = activation
        self._low, self._high = low, high

    def __call__(self, x_In: Float32, more_On: Float32 | None = None, rows_n: Indices | None = None) -> Float32:
        """Values (O,n) of inputs (I,n).

        more_On: added to the sums; rows_n: which row of the bias, else the first.
        """
        sums = self._weight @ x_In
        sums += self._bias_AO[0][:, None] if rows_n is None else self._bias_AO[rows_n].T
        if more_On is not None:
            sums += more_On
        return requantize(sums, self._shift, self._activation, self._low, self._high)


class Plane:
    """A plane's model made ready."""

    def __init__(self, model: PlaneModel) -> None:
        self.model = model
        self.layers = [_Dense(layer, "leaky", HIDDEN_LOW, HIDDEN_HIGH) for layer in model.layers]
        self.flag = _Dense(model.flag, "linear", -LOGIT_LIMIT, LOGIT_LIMIT)
        self.high = _Dense(model.high, "linear", -LOGIT_LIMIT, LOGIT_LIMIT)
        self.low1 = _Dense(model.low1, "leaky", HIDDEN_LOW, HIDDEN_HIGH)
        self.low2 = _Dense(model.low2, "linear", -LOGIT_LIMIT, LOGIT_LIMIT)
        self.near_table, self.far_table = model.near_table.astype(np.float32), model.far_table.astype(np.float32)
        self.across_table = model.across_table.astype(np.float32)
        self.seen_table = model.seen_table.astype(np.int32)
        self.row, self.column = model.row.astype(np.float32), model.column.astype(np.float32)
        self.depth = max(-int(ranges[:, 0].min(initial=0)) for ranges in (model.near, model.far, np.array(RELATIVE)))


class _Rows:
    """What a table makes of the pixels of a row and of those above: (W', E, N) for each row.

    Rows are padded on both sides.
    """

    def __init__(self, table_KE: Float32, ranges: Ranges, background: int, depth: int, width: int, images: int) -> None:
        self._table, self._ranges, self._columns = table_KE, ranges.tolist(), table_KE.shape[1]
        self._empty = np.empty((width + 2 * REACH_LIMIT, self._columns, images), np.float32)
        self._empty[...] = table_KE[OUTSIDE][:, None]
        self._fresh = self._empty.copy()
        self._fresh[REACH_LIMIT:-REACH_LIMIT] = table_KE[background][:, None]
        self._rows = deque([self._empty] * (depth + 1), maxlen=depth + 1)
        self.inputs = len(taps(ranges)) * self._columns

    def next_row(self) -> None:
        """Go on to the next row, all background so far."""
        self._rows.append(self._fresh.copy())

    def set(self, x: int, chosen_n: Indices, codes_n: Indices) -> None:
        """Tell what some images have at a column of the row."""
        self._rows[-1][x + REACH_LIMIT][:, chosen_n] = self._table[codes_n].T

    def gather(self, x: int, chosen_n: Indices, out_In: Float32) -> None:
        """The neighbours of column x of some images, (inputs, n)."""
        start = 0
        for dy, first, last in self._ranges:
            stop = start + (last - first + 1) * self._columns
            slab = self._rows[dy - 1][x + first + REACH_LIMIT : x + last + 1 + REACH_LIMIT]
            np.take(slab.reshape(stop - start, slab.shape[2]), chosen_n, axis=1, out=out_In[start:stop], mode="clip")
            start = stop


class PlanePass:
    """One plane of some images, from its first pixel to its last."""

    def __init__(self, plane: Plane, planes_CHWN: Images, before: list[Plane], code: Code, *, is_known: bool) -> None:
        """planes_CHWN: this plane, the last one, and all before."""
        self._plane, self._model, self._code, self._is_known = plane, plane.model, code, is_known
        self._values_HWN = planes_CHWN[-1]
        self._height, self._width, images = self._values_HWN.shape
        self._images = images
        model = plane.model
        self._near = _Rows(plane.near_table, model.near, model.background, plane.depth, self._width, images)
        self._far = _Rows(plane.far_table, model.far, model.background, plane.depth, self._width, images)
        values = np.zeros((CODES, 1), np.float32)
        values[:OUTSIDE, 0] = np.arange(OUTSIDE)
        self._relative = _Rows(values, np.array(RELATIVE, np.int8), model.background, plane.depth, self._width, images)
        self._across = [
            (np.pad(other, ((REACH_LIMIT,) * 2, (REACH_LIMIT,) * 2, (0, 0))).astype(np.int16), table)
            for other, table in zip(planes_CHWN[:-1], plane.across_table, strict=True)
        ]
        for padded, _ in self._across:
            mask = np.ones(padded.shape[:2], np.bool_)
            mask[REACH_LIMIT:-REACH_LIMIT, REACH_LIMIT:-REACH_LIMIT] = False
            padded[mask] = OUTSIDE
        self._awake = self._awake_from_before(before)
        seen = len(model.seen_shift)
        self._sums_EN = np.repeat(model.seen_bias[:, None], images, axis=1)
        self._counts_VN = np.zeros((OUTSIDE, images), np.uint8)
        across_inputs = [len(taps(model.across)) * table.shape[1] for _, table in self._across]
        self._inputs = self._near.inputs + self._far.inputs + sum(across_inputs) + seen

    def _awake_from_before(self, before: list[Plane]) -> NDArray[np.bool_]:
        """Where the planes before say that a pixel is not quiet.

        With room below and at the sides: (H', W', N).
        """
        height, width = self._height, self._width
        awake = np.zeros((height + REACH_LIMIT, width + 2 * REACH_LIMIT, self._images), np.bool_)
        inner = awake[:height, REACH_LIMIT:-REACH_LIMIT]
        for (padded, _), other in zip(self._across, before, strict=True):
            others = (padded != other.model.background) & (padded != OUTSIDE)
            for dy, dx in taps(self._model.across):
                top, left = REACH_LIMIT + dy, REACH_LIMIT + dx
                inner |= others[top : top + height, left : left + width]
        return awake

    def run(self) -> None:
        """Code every pixel."""
        for y in range(self._height):
            for rows in (self._near, self._far, self._relative):
                rows.next_row()
            for x in range(self._width):
                self._pixel(y, x)

    def _pixel(self, y: int, x: int) -> None:
        model, values_N = self._model, self._values_HWN[y, x]
        awake = np.flatnonzero(self._awake[y, x + REACH_LIMIT])
        flags_2N = np.empty((2, self._images))
        flags_2N[0] = model.quiet[self._position(y, x)]
        hidden = self._hidden(y, x, awake)
        if len(awake):
            logits = np.zeros((2, len(awake)), np.float32)
            logits[1] = self._plane.flag(hidden)[0]
            flags_2N[0, awake] = frequencies(logits)[0]
        flags_2N[1] = (1 << TOTAL_BITS) - flags_2N[0]
        known = (values_N != model.background).astype(np.int64) if self._is_known else None
        flags_N = self._code(np.arange(self._images), flags_2N, known)
        others = np.flatnonzero(flags_N)
        if len(others):
            values = self._values(x, others, self._hidden_of(y, x, others, awake, hidden), values_N[others])
            if not self._is_known:
                if np.any(values == model.background):
                    raise CorruptError("the payload has a pixel that is background and not background")
                values_N[...] = model.background
                values_N[others] = values
            self._reveal(y, x, others, values)
        elif not self._is_known:
            values_N[...] = model.background

    def _position(self, y: int, x: int) -> tuple[int, int]:
        """Where the tables of positions have a pixel.

        A model that knows no positions has a single place, which is for all pixels.
        """
        return min(y, len(self._plane.row) - 1), min(x, len(self._plane.column) - 1)

    def _hidden_of(self, y: int, x: int, others: Indices, awake: Indices, hidden: Float32) -> Float32:
        """The last hidden layer of pixels that are not background.

        `hidden` has it for those that are not quiet.
        """
        places = np.searchsorted(awake, others)
        places[places == len(awake)] = 0
        found = awake[places] == others if len(awake) else np.zeros(len(others), np.bool_)
        if found.all():
            return hidden[:, places]
        result = np.empty((len(hidden), len(others)), np.float32)
        result[:, found] = hidden[:, places[found]]
        result[:, ~found] = self._hidden(y, x, others[~found])
        return result

    def _hidden(self, y: int, x: int, chosen_n: Indices) -> Float32:
        """The last hidden layer of some images' pixel: (O,n)."""
        plane, model = self._plane, self._model
        inputs = np.empty((self._inputs, len(chosen_n)), np.float32)
        far = self._near.inputs + self._far.inputs
        self._near.gather(x, chosen_n, inputs[: self._near.inputs])
        self._far.gather(x, chosen_n, inputs[self._near.inputs : far])
        start = far
        for padded, table in self._across:
            for dy, dx in taps(model.across):
                codes_n = padded[y + dy + REACH_LIMIT, x + dx + REACH_LIMIT, chosen_n]
                inputs[start : start + table.shape[1]] = table[codes_n].T
                start += table.shape[1]
        inputs[start:] = self._seen(chosen_n)
        row, column = self._position(y, x)
        values = inputs
        more: Float32 | None = (plane.row[row] + plane.column[column])[:, None]
        for layer in plane.layers:
            values, more = layer(values, more), None
        return values

    def _seen(self, chosen_n: Indices) -> Float32:
        """The sums over the values so far, as hidden values: (E,n)."""
        sums = np.clip(self._sums_EN[:, chosen_n], -SEEN_LIMIT, SEEN_LIMIT).astype(np.float32)
        return requantize(sums, self._model.seen_shift[:, None], "leaky", HIDDEN_LOW, HIDDEN_HIGH)

    def _values(self, x: int, others: Indices, hidden: Float32, known: NDArray[np.uint8]) -> Indices:
        """Code the values of pixels that are not background."""
        plane = self._plane
        high_n = self._code(others, frequencies(plane.high(hidden)), known >> HALF_BITS if self._is_known else None)
        relative = np.empty((self._relative.inputs, len(others)), np.float32)
        self._relative.gather(x, others, relative)
        relative -= (high_n << HALF_BITS) + HALF // 2
        np.clip(relative, -RELATIVE_LIMIT, RELATIVE_LIMIT, out=relative)
        inputs = [hidden, relative]
        if self._model.has_counts:
            values = (high_n << HALF_BITS) + np.arange(HALF)[:, None]
            inputs.append(self._counts_VN[values, others].astype(np.float32))
        units = plane.low1(np.concatenate(inputs), rows_n=high_n)
        low = known & (HALF - 1) if self._is_known else None
        low_n = self._code(others, frequencies(plane.low2(units)), low)
        return (high_n.astype(np.int64) << HALF_BITS) + low_n

    def _reveal(self, y: int, x: int, others: Indices, values: Indices) -> None:
        """Let later pixels know those that are not background."""
        for rows in (self._near, self._far, self._relative):
            rows.set(x, others, values)
        self._sums_EN[:, others] += self._plane.seen_table[values].T
        counts = self._counts_VN[values, others]
        self._counts_VN[values, others] = np.minimum(counts + 1, COUNT_LIMIT)
        for dy, first, last in self._model.far.tolist():
            start = x + REACH_LIMIT
            self._awake[y - dy, start - last : start - first + 1, others] = True
