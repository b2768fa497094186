"""The convolutional entropy model: each symbol of a grid from its neighbourhood.

It computes in integers, so it is the same on every machine. The grid's channels are cut into
slices, coded one after the other; a slice is coded in four phases, each an interleaved lattice of
every second row and column. A symbol's distribution follows through two hidden layers from the 3x3
positions around it: in all channels of earlier slices, and in its own slice as far as earlier
phases have shown them (zeros elsewhere). The first layer has biases by quality, phase, row and
column. The model has few weights, which suits codecs that archives embed.

The first phase of the first slice sees nothing, so what is the same all over an image would be
told again in every other row and column. A model with a pyramid codes the places of that phase
from coarse to fine: one place, then at half the distance the three phases around it, and so on,
each from the 3x3 places at that distance. One set of layers serves all distances.

Channel slices after Minnen and Singh (arXiv:2007.08739), spatial phases after He et al.
(arXiv:2103.15306); from coarse to fine as the passes of an interlaced PNG (Adam7).

Axes: N images, G channels, R rows, C columns, U hidden units, O outputs, P phases.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from compressnet.coding.mixture import Mixture
from compressnet.errors import CorruptError
from compressnet.lossy.prior import OUTPUTS, Prior, PriorEvaluator, PriorPass, output_values
from compressnet.networks.dense import HIDDEN_HIGH, DenseLayer, hidden_units, require_exact
from compressnet.networks.numpy import bias_at
from compressnet.networks.program import ANCHORS, Float32
from compressnet.networks.proof import magnitudes

PHASES = ((0, 0), (1, 1), (0, 1), (1, 0))
"""First row and column of each phase's lattice."""
WINDOW = 3
PYRAMID_LEVELS = 4
"""Distances of 2, 4, 8, and 16 or more places have biases of their own in a pyramid."""
PYRAMID_PHASES = 1 + (len(PHASES) - 1) * PYRAMID_LEVELS


@dataclass(frozen=True, slots=True)
class Lattice:
    """The places of a group: in every `step`-th row and column from a first one."""

    row: int
    column: int
    step: int
    phase: int
    """The row of the biases `phase` that it gets."""
    is_pyramid: bool = False
    """Whether the pyramid's layers code it."""

    @property
    def distance(self) -> int:
        """From a place to the next ones that it sees."""
        return max(1, self.step // 2)

    def count(self, rows: int, columns: int) -> int:
        """Places in a grid."""
        return len(range(self.row, rows, self.step)) * len(range(self.column, columns, self.step))


def pyramid_phases(level: int) -> list[int]:
    """The rows of a pyramid's biases for four phases; level 0 is a distance of 2 places."""
    first = 1 + min(level, PYRAMID_LEVELS - 1) * (len(PHASES) - 1)
    return [0, *range(first, first + len(PHASES) - 1)]


def pyramid_lattices(rows: int, columns: int) -> list[Lattice]:
    """The places of the first phase from coarse to fine; none is empty."""
    step = 2
    while step < max(rows, columns):
        step *= 2
    found = [Lattice(0, 0, step, 0, is_pyramid=True)]
    while step > 2:
        distance = step // 2
        phases = pyramid_phases(distance.bit_length() - 2)
        for phase, (row, column) in zip(phases[1:], PHASES[1:], strict=True):
            found.append(Lattice(row * distance, column * distance, step, phase, is_pyramid=True))
        step = distance
    return [lattice for lattice in found if lattice.count(rows, columns)]


def slice_lattices(rows: int, columns: int, *, has_pyramid: bool) -> list[Lattice]:
    """The groups of a slice, in order of coding."""
    own = [Lattice(row, column, 2, phase) for phase, (row, column) in enumerate(PHASES)]
    return pyramid_lattices(rows, columns) + own[1:] if has_pyramid else own


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextSlice:
    """The layers of a slice of s channels that ends with channel e."""

    weight: NDArray[np.int8]
    """(U,e,3,3)."""
    bias: NDArray[np.int32]
    """(12,U), see `compressnet.networks.numpy.bias_at`."""
    phase: NDArray[np.int32]
    """(4,U)."""
    row: NDArray[np.int32]
    """(R,U)."""
    column: NDArray[np.int32]
    """(C,U)."""
    shift: NDArray[np.int8]
    """(U,)."""
    hidden: DenseLayer
    """(U,U)."""
    output: DenseLayer
    """(5*s,U): all first means, log scales, second means, log scales, weights."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextPrior(Prior):
    """An entropy model over a grid of symbols, with weights that do not depend on the position."""

    grid: NDArray[np.int32]
    """(3,): channels, rows, columns."""
    slice_channels: NDArray[np.int32]
    """Channels of each slice."""
    slices: tuple[ContextSlice, ...]
    pyramid: ContextSlice | None = None
    """Layers of the first slice's first phase, `phase` (13,U); None: that phase sees nothing."""

    def evaluator(self) -> PriorEvaluator:
        """The model made ready to run."""
        return ContextEvaluator(self)

    def prove_layers(self) -> None:
        """Check the layers' shapes and prove that float32 computes them exactly.

        Raises CorruptError.
        """
        _, rows, columns = (int(side) for side in self.grid)
        ends = np.cumsum(self.slice_channels).tolist()
        for part, size, end in zip(self.slices, self.slice_channels.tolist(), ends, strict=True):
            shape = (size, end, len(PHASES), rows, columns)
            _prove_slice(part, shape, self.dequantized_limit)
        if self.pyramid is not None:
            size = int(self.slice_channels[0])
            _prove_slice(self.pyramid, (size, size, PYRAMID_PHASES, rows, columns), self.dequantized_limit)


def _prove_slice(part: ContextSlice, shape: tuple[int, int, int, int, int], dequantized_limit: int) -> None:
    """The same for one slice's layers.

    shape: its channels, the last one's number, phases, and the grid's rows and columns.
    """
    size, end, phases, rows, columns = shape
    units = len(part.weight)
    first = (part.weight.shape, part.bias.shape, part.phase.shape, part.row.shape, part.column.shape)
    expected = ((units, end, WINDOW, WINDOW), (ANCHORS, units), (phases, units))
    if first != (*expected, (rows, units), (columns, units)) or part.shift.shape != (units,) or units < 1:
        raise CorruptError("the entropy model's weights do not fit its grid")
    largest_bias = _largest(part.bias) + _largest(part.phase) + _largest(part.row) + _largest(part.column)
    _prove_sums(part.weight, largest_bias, part.shift, dequantized_limit)
    for layer, outputs in ((part.hidden, units), (part.output, OUTPUTS * size)):
        shapes = (layer.weight.shape, layer.bias.shape, layer.shift.shape)
        if shapes != ((outputs, units), (1, outputs), (outputs,)):
            raise CorruptError("the entropy model's weights do not fit its grid")
        _prove_sums(layer.weight, _largest(layer.bias), layer.shift, HIDDEN_HIGH)


def _largest(bias_AU: NDArray[np.integer]) -> NDArray[np.int64]:
    return np.abs(bias_AU.astype(np.int64)).max(axis=0)


def _prove_sums(
    weight: NDArray[np.integer], bias_O: NDArray[np.int64], shift: NDArray[np.integer], largest: int
) -> None:
    require_exact(magnitudes(weight) * largest + bias_O, shift, "the entropy model")


def context_order(
    grid: NDArray[np.int32], slice_channels: NDArray[np.int32], *, has_pyramid: bool = False
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """The order of coding (D,), and how many symbols each group has.

    Symbols go slice by slice, in each phase by phase, and in each of these channel by channel;
    with a pyramid, the first phase of the first slice is the groups of the pyramid.

    grid: channels, rows, columns. Raises CorruptError where the slices do not make up all of the
    channels.
    """
    if grid.shape != (3,) or grid.min() < 1 or slice_channels.ndim != 1 or slice_channels.min(initial=1) < 1:
        raise CorruptError("the entropy model has an empty grid")
    if int(slice_channels.sum()) != int(grid[0]) or grid[1:].min() < 2:
        raise CorruptError("the entropy model's slices do not fit its grid")
    symbols_GRC = np.arange(int(np.prod(grid.astype(np.int64))), dtype=np.int32).reshape(grid.tolist())
    groups: list[NDArray[np.int32]] = []
    start = 0
    for size in slice_channels.tolist():
        for at in slice_lattices(int(grid[1]), int(grid[2]), has_pyramid=has_pyramid and not start):
            groups.append(symbols_GRC[start : start + size, at.row :: at.step, at.column :: at.step].ravel())
        start += size
    return np.concatenate(groups), np.array([len(group) for group in groups], np.int32)


def phase_masks(rows: int, columns: int) -> tuple[Float32, Float32]:
    """What is known before each phase, and what the phase itself codes: (P,R,C) each.

    Positions known before have ones in the first, positions of the phase have ones in the second.
    """
    lattice = np.zeros((len(PHASES), rows, columns), np.float32)
    for phase, (row, column) in enumerate(PHASES):
        lattice[phase, row::2, column::2] = 1
    return np.cumsum(lattice, axis=0) - lattice, lattice


@dataclass(frozen=True, slots=True)
class _Coded:
    """What codes a group: a lattice of places, a slice's layers, and its channels."""

    at: Lattice
    part: ContextSlice
    weights: tuple[Float32, ...]
    channels: slice


class ContextEvaluator(PriorEvaluator):
    """A convolutional entropy model made ready to run."""

    def __init__(self, prior: ContextPrior) -> None:
        super().__init__(prior)
        self.context = prior
        _, rows, columns = prior.grid.tolist()
        self.coded: list[_Coded] = []
        pyramid = None if prior.pyramid is None else (prior.pyramid, _laid_out(prior.pyramid))
        start = 0
        for part, size in zip(prior.slices, prior.slice_channels.tolist(), strict=True):
            own, channels = (part, _laid_out(part)), slice(start, start + size)
            for at in slice_lattices(rows, columns, has_pyramid=pyramid is not None and not start):
                layers = pyramid if at.is_pyramid and pyramid is not None else own
                self.coded.append(_Coded(at, *layers, channels))
            start += size

    def start(self, images: int, quality: int) -> PriorPass:
        """A pass over some images, all at one quality."""
        return _ContextPass(self, images, quality)


def _laid_out(part: ContextSlice) -> tuple[Float32, ...]:
    """A slice's weights as matrices (inputs, outputs)."""
    matrices = (part.weight.transpose(0, 2, 3, 1), part.hidden.weight, part.output.weight)
    return tuple(np.ascontiguousarray(matrix.reshape(len(matrix), -1).T.astype(np.float32)) for matrix in matrices)


class _ContextPass(PriorPass):
    """The grids of some images, zero where they are not known yet, with a border of zeros."""

    def __init__(self, evaluator: ContextEvaluator, images: int, quality: int) -> None:
        super().__init__(evaluator, quality)
        self._evaluator = evaluator
        channels, rows, columns = evaluator.context.grid.tolist()
        self._canvas = np.zeros((images, rows + 2, columns + 2, channels), np.float32)

    def mixture(self, group: int) -> Mixture:
        """The distributions of a group's symbols, n = N * symbols of the group, image by image."""
        coded = self._evaluator.coded[group]
        part = coded.part
        windows, shape = self._windows(coded.channels.stop, coded.at)
        sums = windows @ coded.weights[0]
        sums.reshape(*shape, -1)[...] += self._biases(part, coded.at)
        hidden = hidden_units(sums, part.shift)
        for layer, weight in ((part.hidden, coded.weights[1]), (part.output, coded.weights[2])):
            sums = hidden @ weight
            sums += layer.bias[0].astype(np.float32)
            hidden = hidden_units(sums, layer.shift) if layer is part.hidden else output_values(sums, layer.shift)
        size = hidden.shape[1] // OUTPUTS
        values = hidden.reshape(shape[0], shape[1] * shape[2], OUTPUTS, size).transpose(0, 2, 3, 1)
        return self._evaluator.to_mixture(values.reshape(shape[0], -1), group, self._quality)

    def _windows(self, channels: int, at: Lattice) -> tuple[Float32, tuple[int, int, int]]:
        """What a group's places see, (N*r*c, 9*channels), and (N, r, c)."""
        known, distance = self._canvas[..., :channels], at.distance
        if distance > 1:
            known = np.pad(known[:, 1:-1:distance, 1:-1:distance], ((0, 0), (1, 1), (1, 1), (0, 0)))
        windows = np.lib.stride_tricks.sliding_window_view(known, (WINDOW, WINDOW), axis=(1, 2))
        stride = at.step // distance
        chosen = windows[:, at.row // distance :: stride, at.column // distance :: stride].transpose(0, 1, 2, 4, 5, 3)
        return chosen.reshape(-1, WINDOW * WINDOW * channels), chosen.shape[:3]

    def _biases(self, part: ContextSlice, at: Lattice) -> Float32:
        """What is added at each of a group's places: (r,c,U)."""
        common = bias_at(part.bias, self._quality) + part.phase[at.phase]
        row, column = part.row[at.row :: at.step, None], part.column[None, at.column :: at.step]
        return (row + column + common).astype(np.float32)

    def reveal(self, group: int, symbols_Ng: NDArray[np.integer]) -> None:
        """Tell the pass a group's symbols (N, symbols of the group), before the next group."""
        coded = self._evaluator.coded[group]
        at, inside = coded.at, self._canvas[:, 1:-1, 1:-1, coded.channels]
        places = inside[:, at.row :: at.step, at.column :: at.step]
        values = self.dequantized(group, symbols_Ng).reshape(len(places), -1, places.shape[1], places.shape[2])
        places[...] = values.transpose(0, 2, 3, 1)

    def skip(self, group: int) -> None:
        """Nothing to do: what is not revealed is 0."""
