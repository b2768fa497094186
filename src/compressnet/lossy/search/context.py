"""The convolutional entropy model over all symbols at once, forward and backward.

    y_hat (N,D) -> grid (N,G,R,C) -> slice by slice -> five outputs of each symbol

As parts of an ONNX graph; see `compressnet.lossy.search.rate`. All places are computed at once:
what a phase must not see is zero before its convolution, and what it computes at other phases'
places is taken out after it.

Axes: N images, D symbols, G channels, R rows, C columns, U hidden units, S channels of a slice, O
outputs, P phases.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from onnx import helper

from compressnet.lossy.context import PHASES, ContextPrior, ContextSlice, phase_masks, pyramid_phases
from compressnet.lossy.prior import OUTPUTS
from compressnet.lossy.search.tape import Tape, scale_of
from compressnet.networks.dense import DenseLayer
from compressnet.networks.numpy import bias_at

LATER = range(1, len(PHASES))
"""Phases that see something of their own slice."""

Float64 = NDArray[np.float64]


class OwnSlice:
    """What phases see of their own slice's channels, convolved."""

    def __init__(self, tape: Tape, rows: int, columns: int, weight: Float64) -> None:
        """weight: (U,S,3,3), scaled."""
        self.tape, self.weight = tape, weight
        known, self.lattice_PRC = phase_masks(rows, columns)
        self.known = [tape.floats(mask) for mask in known]
        self.lattice = [tape.floats(mask) for mask in self.lattice_PRC]

    def forward(self, own: str, x: str) -> str:
        """Sums x (N,U,R,C) and what comes of the slice's channels (N,S,R,C)."""
        tape = self.tape
        for phase in LATER:
            seen = conv(tape, tape.add("Mul", [own, self.known[phase]]), self.weight, padding=1)
            x = tape.add("Add", [x, tape.add("Mul", [seen, self.lattice[phase]])])
        return x

    def backward(self, gradient: str) -> str:
        """The gradient of the slice's channels, from that of the sums."""
        tape, own = self.tape, ""
        for phase in LATER:
            seen = conv(tape, tape.add("Mul", [gradient, self.lattice[phase]]), _turned(self.weight), padding=1)
            seen = tape.add("Mul", [seen, self.known[phase]])
            own = tape.add("Add", [own, seen]) if own else seen
        return own


class Units:
    """The hidden layers and outputs of a slice."""

    def __init__(self, tape: Tape, part: ContextSlice) -> None:
        self.tape, self.part = tape, part
        self.sums = "", ""

    def forward(self, x: str) -> str:
        """Sums of the first layer (N,U,R,C) to outputs (N,O,R,C)."""
        second = self._dense(self.tape.hidden(x), self.part.hidden)
        self.sums = x, second
        return self._dense(self.tape.hidden(second), self.part.output)

    def backward(self, gradient: str) -> str:
        """The gradient of the first layer's sums, from that of the outputs."""
        for layer, sums in ((self.part.output, self.sums[1]), (self.part.hidden, self.sums[0])):
            gradient = conv(self.tape, gradient, _matrix(layer).T[:, :, None, None], padding=0)
            gradient = self.tape.before_hidden(gradient, sums)
        return gradient

    def _dense(self, x: str, layer: DenseLayer) -> str:
        bias = layer.bias[0] * scale_of(layer.shift)
        return conv(self.tape, x, _matrix(layer)[:, :, None, None], padding=0, bias=bias)


class Pyramid:
    """The first phase of the first slice, from coarse to fine.

    Level l is the grid's every 2^(l+1)-th row and column; the last is one place. Each level's sums
    are right but in its own first phase, whose sums are those of the next level.
    """

    def __init__(self, tape: Tape, part: ContextSlice, rows: int, columns: int) -> None:
        self.tape, self.grid = tape, (rows, columns)
        self.units = Units(tape, part)
        self.sides = [(-(-rows // 2), -(-columns // 2))]
        while max(self.sides[-1]) > 1:
            self.sides.append((-(-self.sides[-1][0] // 2), -(-self.sides[-1][1] // 2)))
        scale = scale_of(part.shift)
        weight = part.weight * scale[:, None, None, None]
        self.levels = [OwnSlice(tape, *sides, weight) for sides in self.sides]
        bias = bias_at(part.bias, tape.quality)
        self.biases: list[Float64] = []
        for level, own in enumerate(self.levels):
            places = np.einsum("pu,prc->rcu", part.phase[pyramid_phases(level)], own.lattice_PRC)
            self.biases.append(((places + bias) * scale).transpose(2, 0, 1))

    @property
    def sees_something(self) -> bool:
        """Whether there are more levels than the last one, which sees nothing."""
        return len(self.levels) > 1

    def forward(self, own: str) -> str:
        """The slice's channels (N,S,R,C) to the outputs of the first phase's places (N,O,r,c)."""
        sums = [
            level.forward(self._thinned(own, number + 1), self.tape.floats(bias[None]))
            for number, (level, bias) in enumerate(zip(self.levels, self.biases, strict=True))
        ]
        whole = sums.pop()
        while sums:
            whole = replaced(self.tape, sums.pop(), whole, self.sides[len(sums)])
        return self.units.forward(whole)

    def backward(self, gradient: str) -> str:
        """The gradient of the slice's channels, from that of the outputs."""
        tape, total = self.tape, ""
        gradient = self.units.backward(gradient)
        for number, level in enumerate(self.levels[:-1]):
            found = level.backward(self._thinned(gradient, number))
            found = spread(tape, found, self.sides[number], 2 ** (number + 1), self.grid)
            total = tape.add("Add", [total, found]) if total else found
        return total

    def _thinned(self, x: str, level: int) -> str:
        """Every 2^level-th row and column."""
        return thinned(self.tape, x, 2**level) if level else x


class ContextTape:
    """A convolutional entropy model: outputs (N,5*D), kind by kind."""

    def __init__(self, tape: Tape, prior: ContextPrior) -> None:
        self.tape, self.prior = tape, prior
        self.grid: tuple[int, int, int] = tuple(prior.grid.tolist())
        self.ends: list[int] = np.cumsum(prior.slice_channels).tolist()
        self.starts = [0, *self.ends[:-1]]
        self.weights = [part.weight * scale_of(part.shift)[:, None, None, None] for part in prior.slices]
        sides = self.grid[1:]
        self.own = [
            OwnSlice(tape, *sides, weight[:, start:]) for weight, start in zip(self.weights, self.starts, strict=True)
        ]
        self.units = [Units(tape, part) for part in prior.slices]
        self.pyramid = None if prior.pyramid is None else Pyramid(tape, prior.pyramid, *sides)

    def forward(self, y_hat: str) -> str:
        """y_hat (N,D) to the outputs."""
        tape = self.tape
        grid = tape.add("Reshape", [y_hat, tape.integers(-1, *self.grid)])
        outputs = [
            tape.add("Reshape", [self._slice(number, grid), tape.integers(0, OUTPUTS, -1)])
            for number in range(len(self.ends))
        ]
        whole = tape.add("Concat", outputs, axis=2)
        return tape.add("Reshape", [whole, tape.integers(0, -1)])

    def _slice(self, number: int, grid: str) -> str:
        tape, start = self.tape, self.starts[number]
        own = self._channels(grid, start, self.ends[number])
        x = tape.floats(self._biases(number)[None])
        if start:
            before = self._channels(grid, 0, start)
            x = tape.add("Add", [x, conv(tape, before, self.weights[number][:, :start], padding=1)])
        outputs = self.units[number].forward(self.own[number].forward(own, x))
        if number or self.pyramid is None:
            return outputs
        return replaced(tape, outputs, self.pyramid.forward(own), self.grid[1:])

    def _biases(self, number: int) -> Float64:
        """What is added at every place, (U,R,C)."""
        part = self.prior.slices[number]
        lattice_PRC = self.own[number].lattice_PRC
        places = part.row[:, None] + part.column[None] + np.einsum("pu,prc->rcu", part.phase, lattice_PRC)
        return ((places + bias_at(part.bias, self.tape.quality)) * scale_of(part.shift)).transpose(2, 0, 1)

    def _channels(self, grid: str, start: int, stop: int) -> str:
        tape = self.tape
        return tape.add("Slice", [grid, tape.integers(start), tape.integers(stop), tape.integers(1)])

    def backward(self, gradient: str) -> str:
        """The gradient with respect to y_hat."""
        tape, (channels, rows, columns) = self.tape, self.grid
        whole = tape.add("Reshape", [gradient, tape.integers(0, OUTPUTS, -1)])
        sizes = [int(size) * rows * columns for size in self.prior.slice_channels]
        parts = [tape.name() for _ in sizes]
        tape.nodes.append(helper.make_node("Split", [whole, tape.integers(*sizes)], parts, axis=2))
        total = ""
        for number, part in enumerate(parts):
            part = tape.add("Reshape", [part, tape.integers(0, -1, rows, columns)])
            pads = tape.integers(0, 0, 0, 0, 0, channels - self.ends[number], 0, 0)
            found = tape.add("Pad", [self._backward_slice(number, part), pads])
            total = tape.add("Add", [total, found]) if total else found
        return tape.add("Reshape", [total, tape.integers(0, -1)])

    def _backward_slice(self, number: int, gradient: str) -> str:
        """From the outputs of a slice to the channels up to its end."""
        tape, start = self.tape, self.starts[number]
        before = self.units[number].backward(gradient)
        own = self.own[number].backward(before)
        if start:
            return tape.add(
                "Concat", [conv(tape, before, _turned(self.weights[number][:, :start]), padding=1), own], axis=1
            )
        if self.pyramid is None or not self.pyramid.sees_something:
            return own
        return tape.add("Add", [own, self.pyramid.backward(thinned(tape, gradient, 2))])


def conv(tape: Tape, x: str, weight: Float64, *, padding: int, bias: Float64 | None = None) -> str:
    """A convolution."""
    inputs = [x, tape.floats(weight)] + ([] if bias is None else [tape.floats(bias)])
    return tape.add("Conv", inputs, pads=[padding] * 4)


def thinned(tape: Tape, x: str, step: int) -> str:
    """Every step-th row and column of (N,K,R,C)."""
    ends = tape.integers(np.iinfo(np.int32).max, np.iinfo(np.int32).max)
    return tape.add("Slice", [x, tape.integers(0, 0), ends, tape.integers(2, 3), tape.integers(step, step)])


def replaced(tape: Tape, x: str, coarse: str, sides: tuple[int, int]) -> str:
    """An array (N,K,R,C) with its every second row and column from `coarse`."""
    rows, columns = sides
    places = np.arange(rows * columns).reshape(rows, columns)
    few = places[::2, ::2]
    few[...] = rows * columns + np.arange(few.size).reshape(few.shape)
    flat = [tape.add("Reshape", [part, tape.integers(0, 0, -1)]) for part in (x, coarse)]
    chosen = tape.add("Gather", [tape.add("Concat", flat, axis=2), tape.integers(*places.ravel().tolist())], axis=2)
    return tape.add("Reshape", [chosen, tape.integers(0, 0, rows, columns)])


def spread(tape: Tape, x: str, sides: tuple[int, int], step: int, grid: tuple[int, int]) -> str:
    """An array (N,K,r,c) in every step-th row and column of (N,K,R,C), and zeros elsewhere."""
    rows, columns = grid
    places = np.full((rows, columns), sides[0] * sides[1])
    few = places[::step, ::step]
    few[...] = np.arange(few.size).reshape(few.shape)
    flat = tape.add("Reshape", [x, tape.integers(0, 0, -1)])
    flat = tape.add("Pad", [flat, tape.integers(0, 0, 0, 0, 0, 1)])
    chosen = tape.add("Gather", [flat, tape.integers(*places.ravel().tolist())], axis=2)
    return tape.add("Reshape", [chosen, tape.integers(0, 0, rows, columns)])


def _turned(weight: Float64) -> Float64:
    """The kernel of the way back."""
    return np.ascontiguousarray(weight.transpose(1, 0, 2, 3)[:, :, ::-1, ::-1])


def _matrix(layer: DenseLayer) -> Float64:
    """A layer's weights scaled by 2^-shift: (O,I)."""
    return layer.weight * scale_of(layer.shift)[:, None]
