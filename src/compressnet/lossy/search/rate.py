"""Both entropy models over all symbols at once, forward and backward, as parts of an ONNX graph.

    y_hat (N,D) -> network -> five outputs of each symbol -> mixture of two logistics at k -> bits

Symbols are in their natural order throughout, not in that of coding.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from onnx import helper

from compressnet.coding.mixture import MEAN_STEPS
from compressnet.lossy.context import PHASES, ContextPrior, ContextSlice, phase_masks
from compressnet.lossy.masked import MaskedPrior, layer_matrices
from compressnet.lossy.prior import MEAN_RANGE, MEAN_SHIFT, OUTPUTS, SCALE_RANGE, WEIGHT_RANGE, Prior
from compressnet.lossy.search.tape import Tape
from compressnet.networks.dense import HIDDEN_HIGH, HIDDEN_LOW, DenseLayer
from compressnet.networks.numpy import bias_at
from compressnet.networks.program import LEAKY_SHIFT

SCALE_STEPS = 8
"""Log scales are in 1/8 of an octave, see `compressnet.coding.mixture`."""
WEIGHT_STEPS = 16
LOG2_SCALE_LIMIT = 5.0
FLOOR = 2.0**-16
"""About what every symbol of an alphabet keeps."""

Float64 = NDArray[np.float64]


def rate_gradient(tape: Tape, prior: Prior, y_hat: str, k: str) -> tuple[str, str, str]:
    """Bits (N,D) of k.

    Their gradient with respect to k directly, and to y_hat through the network.
    """
    if isinstance(prior, MaskedPrior):
        network = _MaskedTape(tape, prior)
    else:
        assert isinstance(prior, ContextPrior)
        network = _ContextTape(tape, prior)
    parts = [tape.name() for _ in range(OUTPUTS)]
    sizes = tape.integers(*[len(prior.order)] * OUTPUTS)
    tape.nodes.append(helper.make_node("Split", [network.forward(y_hat), sizes], parts, axis=1))
    bits, direct, gradients = mixture_gradient(tape, prior, parts, k)
    return bits, direct, network.backward(tape.add("Concat", gradients, axis=1))


def _hidden(tape: Tape, sums: str) -> str:
    return tape.round(tape.add("LeakyRelu", [sums], alpha=2.0**-LEAKY_SHIFT), HIDDEN_LOW, HIDDEN_HIGH)


def _before_hidden(tape: Tape, gradient: str, sums: str) -> str:
    return tape.masked(gradient, sums, HIDDEN_LOW, HIDDEN_HIGH, leaky=True)


def _scale(shift: NDArray[np.integer]) -> Float64:
    return np.exp2(-shift.astype(np.float64))


class _MaskedTape:
    """A masked MLP: outputs (N,5*D), kind by kind."""

    def __init__(self, tape: Tape, prior: MaskedPrior) -> None:
        self.tape = tape
        symbols, units = len(prior.order), int(prior.group_units.sum())
        layers = (prior.hidden1, prior.hidden2, prior.output)
        by_group = zip(layers, layer_matrices(prior), (symbols, units, units), strict=True)
        matrices = [_full_matrix(layer, parts, columns) for layer, parts, columns in by_group]
        biases = [bias_at(layer.bias, tape.quality) * _scale(layer.shift) for layer in layers]
        natural = np.argsort(prior.order)
        matrices[0] = matrices[0][:, natural]
        rows = _natural_rows(prior, natural)
        matrices[2], biases[2] = matrices[2][rows], biases[2][rows]
        self.matrices, self.biases = matrices, biases
        self.sums: list[str] = []

    def forward(self, y_hat: str) -> str:
        """y_hat (N,D) to the outputs."""
        for layer in range(2):
            self.sums.append(self._gemm(y_hat, layer))
            y_hat = _hidden(self.tape, self.sums[-1])
        return self._gemm(y_hat, 2)

    def _gemm(self, x: str, layer: int) -> str:
        tape = self.tape
        return tape.add("Gemm", [x, tape.floats(self.matrices[layer].T), tape.floats(self.biases[layer])])

    def backward(self, gradient: str) -> str:
        """The gradient with respect to y_hat."""
        for layer in (2, 1, 0):
            gradient = self.tape.add("MatMul", [gradient, self.tape.floats(self.matrices[layer])])
            if layer:
                gradient = _before_hidden(self.tape, gradient, self.sums[layer - 1])
        return gradient


def _full_matrix(layer: DenseLayer, parts: list[NDArray[np.int8]], columns: int) -> Float64:
    """A masked layer's weights with their zeros, scaled by 2^-shift: (O,I)."""
    matrix = np.zeros((len(layer.shift), columns))
    row = 0
    for part in parts:
        matrix[row : row + len(part), : part.shape[1]] = part
        row += len(part)
    return matrix * _scale(layer.shift)[:, None]


def _natural_rows(prior: MaskedPrior, natural: NDArray[np.integer]) -> NDArray[np.int64]:
    """The rows of the output layer, in the order that makes outputs natural: (5*D,).

    Outputs then come kind by kind, with symbols in their natural order.
    """
    rows = np.zeros((OUTPUTS, len(natural)), np.int64)
    start = first = 0
    for size in prior.group_symbols.tolist():
        rows[:, first : first + size] = start + np.arange(OUTPUTS * size).reshape(OUTPUTS, size)
        start, first = start + OUTPUTS * size, first + size
    return rows[:, natural].ravel()


class _ContextTape:
    """A convolutional entropy model: outputs (N,5*D), kind by kind.

    All positions at once: what a phase must not see is zero before its convolution, and what it
    computes at other phases' positions is taken out after it.
    """

    def __init__(self, tape: Tape, prior: ContextPrior) -> None:
        self.tape, self.prior = tape, prior
        self.grid = prior.grid.tolist()
        known, lattice = phase_masks(*self.grid[1:])
        self.later = range(1, len(PHASES))
        self.known = [tape.floats(mask) for mask in known]
        self.lattice = [tape.floats(mask) for mask in lattice]
        self.lattice_PRC = lattice
        self.ends = np.cumsum(prior.slice_channels).tolist()
        self.weights = [part.weight * _scale(part.shift)[:, None, None, None] for part in prior.slices]
        self.sums: list[tuple[str, str]] = []

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
        tape, part, start = self.tape, self.prior.slices[number], self._start(number)
        own = self._channels(grid, start, self.ends[number])
        x = tape.floats(self._biases(part)[None])
        if start:
            before = self._channels(grid, 0, start)
            x = tape.add("Add", [x, self._conv(before, self.weights[number][:, :start], padding=1)])
        for phase in self.later:
            seen = self._conv(tape.add("Mul", [own, self.known[phase]]), self.weights[number][:, start:], padding=1)
            x = tape.add("Add", [x, tape.add("Mul", [seen, self.lattice[phase]])])
        second = self._dense(_hidden(tape, x), part.hidden)
        self.sums.append((x, second))
        return self._dense(_hidden(tape, second), part.output)

    def _start(self, number: int) -> int:
        return self.ends[number - 1] if number else 0

    def _biases(self, part: ContextSlice) -> Float64:
        """What is added at every position, (U,R,C)."""
        places = part.row[:, None] + part.column[None] + np.einsum("pu,prc->rcu", part.phase, self.lattice_PRC)
        return ((places + bias_at(part.bias, self.tape.quality)) * _scale(part.shift)).transpose(2, 0, 1)

    def _channels(self, grid: str, start: int, stop: int) -> str:
        tape = self.tape
        return tape.add("Slice", [grid, tape.integers(start), tape.integers(stop), tape.integers(1)])

    def _conv(self, x: str, weight: Float64, *, padding: int, bias: Float64 | None = None) -> str:
        inputs = [x, self.tape.floats(weight)] + ([] if bias is None else [self.tape.floats(bias)])
        return self.tape.add("Conv", inputs, pads=[padding] * 4)

    def _dense(self, x: str, layer: DenseLayer) -> str:
        scale_O = _scale(layer.shift)
        return self._conv(x, _matrix(layer)[:, :, None, None], padding=0, bias=layer.bias[0] * scale_O)

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
        tape, part, start = self.tape, self.prior.slices[number], self._start(number)
        for layer, sums in ((part.output, self.sums[number][1]), (part.hidden, self.sums[number][0])):
            gradient = self._conv(gradient, _matrix(layer).T[:, :, None, None], padding=0)
            gradient = _before_hidden(tape, gradient, sums)
        turned = np.ascontiguousarray(self.weights[number].transpose(1, 0, 2, 3)[:, :, ::-1, ::-1])
        own = ""
        for phase in self.later:
            seen = self._conv(tape.add("Mul", [gradient, self.lattice[phase]]), turned[start:], padding=1)
            seen = tape.add("Mul", [seen, self.known[phase]])
            own = tape.add("Add", [own, seen]) if own else seen
        if not start:
            return own
        return tape.add("Concat", [self._conv(gradient, turned[:start], padding=1), own], axis=1)


def _matrix(layer: DenseLayer) -> Float64:
    """A layer's weights scaled by 2^-shift: (O,I)."""
    return layer.weight * _scale(layer.shift)[:, None]


def mixture_gradient(tape: Tape, prior: Prior, parts: list[str], k: str) -> tuple[str, str, list[str]]:
    """Bits of k (N,D), their gradient with respect to k, and to the five outputs of each symbol.

    parts: the outputs, five of (N,D), unrounded.
    """
    quality = tape.quality
    repeats = prior.dequantize.arrays["repeats"]
    inverse_D = np.repeat(prior.inverse_gain[quality].astype(np.float64), repeats)[None]
    offset_D = np.repeat(prior.scale_offset[quality].astype(np.float64), repeats)[None] / SCALE_STEPS
    mean_step_D = inverse_D * 2.0**-MEAN_SHIFT / MEAN_STEPS
    one, ln2 = tape.floats(1.0), math.log(2)
    first = tape.add(
        "Sigmoid",
        [tape.add("Mul", [tape.round(parts[4], *WEIGHT_RANGE), tape.floats(1 / WEIGHT_STEPS)])],
    )
    masses: list[str] = []
    by_k: list[str] = []
    by_scale: list[str] = []
    for j in (0, 2):
        mean = tape.add("Mul", [tape.round(parts[j], *MEAN_RANGE), tape.floats(mean_step_D)])
        steps = tape.round(parts[j + 1], *SCALE_RANGE)
        log2_scale = tape.add("Add", [tape.add("Mul", [steps, tape.floats(1 / SCALE_STEPS)]), tape.floats(offset_D)])
        log2_scale = tape.add("Clip", [log2_scale, tape.floats(-LOG2_SCALE_LIMIT), tape.floats(LOG2_SCALE_LIMIT)])
        reciprocal = tape.add("Exp", [tape.add("Mul", [log2_scale, tape.floats(-ln2)])])
        distance = tape.add("Sub", [k, mean])
        edges = [tape.add("Mul", [tape.add("Add", [distance, tape.floats(half)]), reciprocal]) for half in (0.5, -0.5)]
        heights = [tape.add("Sigmoid", [edge]) for edge in edges]
        slopes = [tape.add("Mul", [h, tape.add("Sub", [one, h])]) for h in heights]
        masses.append(tape.add("Sub", heights))
        by_k.append(tape.add("Mul", [tape.add("Sub", slopes), reciprocal]))
        leaning = [tape.add("Mul", pair) for pair in zip(slopes, edges, strict=True)]
        by_scale.append(tape.add("Mul", [tape.add("Sub", leaning), tape.floats(-ln2)]))
    second = tape.add("Sub", [one, first])
    shares = (first, second)
    p = tape.add("Add", [tape.add("Mul", [s, m]) for s, m in zip(shares, masses, strict=True)])
    p = tape.add("Add", [p, tape.floats(FLOOR)])
    bits = tape.add("Mul", [tape.add("Log", [p]), tape.floats(-1 / ln2)])
    by_p = tape.add("Div", [tape.floats(-1 / ln2), p])
    gradients = [""] * OUTPUTS
    direct = ""
    for j, (share, d_k, d_scale) in enumerate(zip(shares, by_k, by_scale, strict=True)):
        weighted = tape.add("Mul", [by_p, share])
        along_k = tape.add("Mul", [weighted, d_k])
        direct = tape.add("Add", [direct, along_k]) if direct else along_k
        gradients[2 * j] = tape.add("Mul", [along_k, tape.floats(-mean_step_D)])
        along_scale = tape.add("Mul", [weighted, d_scale])
        gradients[2 * j + 1] = tape.add("Mul", [along_scale, tape.floats(1 / SCALE_STEPS)])
    slope = tape.add("Mul", [first, second])
    difference = tape.add("Mul", [tape.add("Sub", masses), slope])
    gradients[4] = tape.add("Mul", [tape.add("Mul", [by_p, difference]), tape.floats(1 / WEIGHT_STEPS)])
    return bits, direct, gradients
