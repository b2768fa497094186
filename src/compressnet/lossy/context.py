"""The convolutional entropy model: each symbol of a grid from its neighbourhood.

It computes in integers, so it is the same on every machine. The grid's channels are cut into
slices, coded one after the other; a slice is coded in four phases, each an interleaved lattice of
every second row and column. A symbol's distribution follows through two hidden layers from the 3x3
positions around it: in all channels of earlier slices, and in its own slice as far as earlier
phases have shown them (zeros elsewhere). The first layer has biases by quality, phase, row and
column. The model has few weights, which suits codecs that archives embed.

Channel slices after Minnen and Singh (arXiv:2007.08739), spatial phases after He et al.
(arXiv:2103.15306).

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
            units = len(part.weight)
            first = (part.weight.shape, part.bias.shape, part.phase.shape, part.row.shape, part.column.shape)
            expected = ((units, end, WINDOW, WINDOW), (ANCHORS, units), (len(PHASES), units))
            if first != (*expected, (rows, units), (columns, units)) or part.shift.shape != (units,) or units < 1:
                raise CorruptError("the entropy model's weights do not fit its grid")
            largest_bias = _largest(part.bias) + _largest(part.phase) + _largest(part.row) + _largest(part.column)
            _prove_sums(part.weight, largest_bias, part.shift, self.dequantized_limit)
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
    grid: NDArray[np.int32], slice_channels: NDArray[np.int32]
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """The order of coding (D,), and how many symbols each group has.

    Symbols go slice by slice, in each phase by phase, and in each of these channel by channel.

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
        groups += [symbols_GRC[start : start + size, row::2, column::2].ravel() for row, column in PHASES]
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


class ContextEvaluator(PriorEvaluator):
    """A convolutional entropy model made ready to run."""

    def __init__(self, prior: ContextPrior) -> None:
        super().__init__(prior)
        self.context = prior
        self.weights = [
            tuple(
                np.ascontiguousarray(weight.reshape(len(weight), -1).T.astype(np.float32))
                for weight in (part.weight.transpose(0, 2, 3, 1), part.hidden.weight, part.output.weight)
            )
            for part in prior.slices
        ]
        ends = np.cumsum(prior.slice_channels)
        self.channels = [slice(end - size, end) for end, size in zip(ends, prior.slice_channels, strict=True)]

    def start(self, images: int, quality: int) -> PriorPass:
        """A pass over some images, all at one quality."""
        return _ContextPass(self, images, quality)


class _ContextPass(PriorPass):
    """The grids of some images, zero where they are not known yet, with a border of zeros."""

    def __init__(self, evaluator: ContextEvaluator, images: int, quality: int) -> None:
        super().__init__(evaluator, quality)
        self._evaluator = evaluator
        channels, rows, columns = evaluator.context.grid.tolist()
        self._canvas = np.zeros((images, rows + 2, columns + 2, channels), np.float32)
        self._sides = rows, columns

    def mixture(self, group: int) -> Mixture:
        """The distributions of a group's symbols, n = N * symbols of the group, image by image."""
        number, phase = divmod(group, len(PHASES))
        part = self._evaluator.context.slices[number]
        weights = self._evaluator.weights[number]
        windows, shape = self._windows(self._evaluator.channels[number].stop, phase)
        sums = windows @ weights[0]
        sums.reshape(*shape, -1)[...] += self._biases(part, phase)
        hidden = hidden_units(sums, part.shift)
        for layer, weight in ((part.hidden, weights[1]), (part.output, weights[2])):
            sums = hidden @ weight
            sums += layer.bias[0].astype(np.float32)
            hidden = hidden_units(sums, layer.shift) if layer is part.hidden else output_values(sums, layer.shift)
        size = hidden.shape[1] // OUTPUTS
        values = hidden.reshape(shape[0], shape[1] * shape[2], OUTPUTS, size).transpose(0, 2, 3, 1)
        return self._evaluator.to_mixture(values.reshape(shape[0], -1), group, self._quality)

    def _windows(self, channels: int, phase: int) -> tuple[Float32, tuple[int, int, int]]:
        """What a phase's positions see, (N*r*c, 9*channels), and (N, r, c)."""
        row, column = PHASES[phase]
        windows = np.lib.stride_tricks.sliding_window_view(self._canvas[..., :channels], (WINDOW, WINDOW), axis=(1, 2))
        chosen = windows[:, row::2, column::2].transpose(0, 1, 2, 4, 5, 3)
        return chosen.reshape(-1, WINDOW * WINDOW * channels), chosen.shape[:3]

    def _biases(self, part: ContextSlice, phase: int) -> Float32:
        """What is added at each of a phase's positions: (r,c,U)."""
        row, column = PHASES[phase]
        common = bias_at(part.bias, self._quality) + part.phase[phase]
        return (part.row[row::2, None] + part.column[None, column::2] + common).astype(np.float32)

    def reveal(self, group: int, symbols_Ng: NDArray[np.integer]) -> None:
        """Tell the pass a group's symbols (N, symbols of the group), before the next group."""
        number, phase = divmod(group, len(PHASES))
        row, column = PHASES[phase]
        rows, columns = self._sides
        inside = self._canvas[:, 1 : rows + 1, 1 : columns + 1, self._evaluator.channels[number]]
        lattice = inside[:, row::2, column::2]
        values = self.dequantized(group, symbols_Ng).reshape(len(lattice), -1, lattice.shape[1], lattice.shape[2])
        lattice[...] = values.transpose(0, 2, 3, 1)

    def skip(self, group: int) -> None:
        """Nothing to do: what is not revealed is 0."""
