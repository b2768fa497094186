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
from compressnet.lossy.context import ContextPrior
from compressnet.lossy.masked import MaskedPrior, layer_matrices
from compressnet.lossy.prior import MEAN_RANGE, MEAN_SHIFT, OUTPUTS, SCALE_RANGE, WEIGHT_RANGE, Prior
from compressnet.lossy.search.context import ContextTape
from compressnet.lossy.search.tape import Tape, scale_of
from compressnet.networks.dense import DenseLayer
from compressnet.networks.numpy import bias_at

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
        network = ContextTape(tape, prior)
    parts = [tape.name() for _ in range(OUTPUTS)]
    sizes = tape.integers(*[len(prior.order)] * OUTPUTS)
    tape.nodes.append(helper.make_node("Split", [network.forward(y_hat), sizes], parts, axis=1))
    bits, direct, gradients = mixture_gradient(tape, prior, parts, k)
    return bits, direct, network.backward(tape.add("Concat", gradients, axis=1))


class _MaskedTape:
    """A masked MLP: outputs (N,5*D), kind by kind."""

    def __init__(self, tape: Tape, prior: MaskedPrior) -> None:
        self.tape = tape
        symbols, units = len(prior.order), int(prior.group_units.sum())
        layers = (prior.hidden1, prior.hidden2, prior.output)
        by_group = zip(layers, layer_matrices(prior), (symbols, units, units), strict=True)
        matrices = [_full_matrix(layer, parts, columns) for layer, parts, columns in by_group]
        biases = [bias_at(layer.bias, tape.quality) * scale_of(layer.shift) for layer in layers]
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
            y_hat = self.tape.hidden(self.sums[-1])
        return self._gemm(y_hat, 2)

    def _gemm(self, x: str, layer: int) -> str:
        tape = self.tape
        return tape.add("Gemm", [x, tape.floats(self.matrices[layer].T), tape.floats(self.biases[layer])])

    def backward(self, gradient: str) -> str:
        """The gradient with respect to y_hat."""
        for layer in (2, 1, 0):
            gradient = self.tape.add("MatMul", [gradient, self.tape.floats(self.matrices[layer])])
            if layer:
                gradient = self.tape.before_hidden(gradient, self.sums[layer - 1])
        return gradient


def _full_matrix(layer: DenseLayer, parts: list[NDArray[np.int8]], columns: int) -> Float64:
    """A masked layer's weights with their zeros, scaled by 2^-shift: (O,I)."""
    matrix = np.zeros((len(layer.shift), columns))
    row = 0
    for part in parts:
        matrix[row : row + len(part), : part.shape[1]] = part
        row += len(part)
    return matrix * scale_of(layer.shift)[:, None]


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
