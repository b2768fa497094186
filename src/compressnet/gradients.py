"""The gradient of rate + lambda * distortion with respect to symbols, as an ONNX graph: what effort above 1 runs.

    k (N,D) real -> dequantize -> y_hat -> decoder -> x_hat -> squared error      (integers as in the codec)
                                  y_hat -> entropy model -> mixture of logistics -> bits

The forward pass is that of the codec. The backward pass takes rounding for the identity (straight-through, Bengio et
al., arXiv:1308.3432) and has no gradient where a value was clamped. It proposes; what a symbol costs is decided in
integers elsewhere, so nothing here has to be exact.
"""

from __future__ import annotations

import math

import numpy as np
from onnx import TensorProto, helper

from compressnet.bundle import DEQUANTIZED, Network
from compressnet.exact import LEAKY_SHIFT, Node, bias_at, register_shapes, segment_values
from compressnet.graphs import GraphBuilder
from compressnet.prior import (
    HIDDEN_HIGH,
    HIDDEN_LOW,
    MEAN_RANGE,
    MEAN_SHIFT,
    OUTPUTS,
    SCALE_RANGE,
    WEIGHT_RANGE,
    MaskedLayer,
    Prior,
    layer_shapes,
)
from compressnet.tables import MEAN_STEPS

SCALE_STEPS = 8
"""Log scales are in 1/8 of an octave, see `compressnet.tables`."""
WEIGHT_STEPS = 16
LOG2_SCALE_LIMIT = 5.0
FLOOR = 2.0**-16
"""About what every symbol of an alphabet keeps."""


class _Tape(GraphBuilder):
    """A graph builder that remembers what it did, and can go back."""

    def __init__(self, quality: int) -> None:
        super().__init__(quality)
        self._sums: dict[str, str] = {}
        self._current = ""

    def forward(self, nodes: tuple[Node, ...], registers: dict[str, str]) -> dict[str, str]:
        """Append nodes; returns all registers."""
        registers = dict(registers)
        for node in nodes:
            self._current = node.output
            registers[node.output] = self._node(node, [registers[name] for name in node.inputs])
        return registers

    def _requantize(self, values: str, node: Node, *, whole: bool = False) -> str:
        self._sums[self._current] = values
        return super()._requantize(values, node, whole=whole)

    def masked(self, gradient: str, sums: str, low: float, high: float, *, leaky: bool) -> str:
        """The gradient before activation and clamp, from the one after; `sums` is what was activated."""
        low = low * 2**LEAKY_SHIFT if leaky and low < 0 else low
        clipped = self.add("Clip", [sums, self.floats(low - 0.5), self.floats(high + 0.5)])
        inside = self.add("Equal", [clipped, sums])
        if leaky:
            negative = self.add("Less", [sums, self.floats(0.0)])
            slope = self.add("Where", [negative, self.floats(2.0**-LEAKY_SHIFT), self.floats(1.0)])
            gradient = self.add("Mul", [gradient, slope])
        return self.add("Where", [inside, gradient, self.floats(0.0)])

    def backward(
        self, nodes: tuple[Node, ...], shapes: dict[str, tuple[int, ...]], output: str, gradient: str
    ) -> dict[str, str]:
        """Gradients of the registers that nodes read, from that of `output`."""
        gradients = {output: gradient}
        for node in reversed(nodes):
            after = gradients.pop(node.output)
            for name, part in zip(node.inputs, self._backward_node(node, after, shapes), strict=True):
                gradients[name] = self.add("Add", [gradients[name], part]) if name in gradients else part
        return gradients

    def _backward_node(self, node: Node, gradient: str, shapes: dict[str, tuple[int, ...]]) -> list[str]:
        a, shape = node.attributes, shapes[node.inputs[0]]
        if node.op in ("conv", "dense", "add", "gain"):
            leaky = node.activation == "leaky"
            gradient = self.masked(gradient, self._sums[node.output], node.low, node.high, leaky=leaky)
        match node.op:
            case "add":
                return [gradient, gradient]
            case "dense":
                weight, _ = self._scaled(node)
                flat = self.add("MatMul", [gradient, self.floats(weight)])
                return [self.add("Reshape", [flat, self.integers(-1, *shape)])]
            case "conv":
                return [self._backward_conv(node, gradient)]
            case "gain":
                gains = segment_values(node, "table", self.quality) * 2.0 ** -float(node.arrays["shift"][0])
                return [self.add("Mul", [gradient, self.floats(gains[None])])]
            case "shuffle":
                channels = shape[0] // a["factor"] ** 2
                unshuffle = Node(
                    op="unshuffle", inputs=(), output="", attributes={"factor": a["factor"], "channels": channels}
                )
                return [self._unshuffle(unshuffle, gradient)]
            case "reshape":
                return [self.add("Reshape", [gradient, self.integers(-1, *shape)])]
            case "slice":
                pads = self.integers(0, a["start"], 0, shape[0] - a["stop"])
                return [self.add("Pad", [gradient, pads])]
            case _:
                raise AssertionError(f"decoders do not have {node.op}")

    def _backward_conv(self, node: Node, gradient: str) -> str:
        """With a stride of 1 the gradient of a convolution is one, of the kernel turned round."""
        weight, _ = self._scaled(node)
        stride, padding = node.attributes["stride"], node.attributes["padding"]
        kernel = weight.shape[2]
        if stride == 1:
            turned = np.ascontiguousarray(weight.transpose(1, 0, 2, 3)[:, :, ::-1, ::-1])
            return self.add("Conv", [gradient, self.floats(turned)], pads=[kernel - 1 - padding] * 4)
        raise AssertionError("decoders do not have strides")


def _full_matrix(layer: MaskedLayer, shapes: list[tuple[int, int]], columns: int) -> np.ndarray:
    """A masked layer's weights with their zeros, scaled by 2^-shift: float64 (O,I)."""
    matrix = np.zeros((len(layer.shift), columns))
    row = start = 0
    for rows, seen in shapes:
        matrix[row : row + rows, :seen] = layer.weight[start : start + rows * seen].reshape(rows, seen)
        row, start = row + rows, start + rows * seen
    return matrix * np.exp2(-layer.shift.astype(np.float64))[:, None]


class _PriorTape:
    """The entropy model over all symbols at once, forward and backward; symbols in their natural order."""

    def __init__(self, tape: _Tape, prior: Prior) -> None:
        self.tape, self.prior = tape, prior
        shapes = layer_shapes(prior)
        symbols = len(prior.order)
        units = int(prior.group_units.sum())
        layers = (prior.hidden1, prior.hidden2, prior.output)
        matrices = [
            _full_matrix(layer, shape, columns)
            for layer, shape, columns in zip(layers, shapes, (symbols, units, units), strict=True)
        ]
        biases = [bias_at(layer.bias, tape.quality) * np.exp2(-layer.shift.astype(np.float64)) for layer in layers]
        natural = np.argsort(prior.order)
        matrices[0] = matrices[0][:, natural]
        rows = self._natural_rows(natural)
        matrices[2], biases[2] = matrices[2][rows], biases[2][rows]
        self.matrices, self.biases = matrices, biases

    def _natural_rows(self, natural: np.ndarray) -> np.ndarray:
        """Rows of the output layer such that outputs come kind by kind, symbols in natural order: (5*D,)."""
        rows = np.zeros((OUTPUTS, len(natural)), np.int64)
        start = first = 0
        for size in self.prior.group_symbols.tolist():
            block = start + np.arange(OUTPUTS * size).reshape(OUTPUTS, size)
            rows[:, first : first + size] = block
            start, first = start + OUTPUTS * size, first + size
        return rows[:, natural].ravel()

    def _gemm(self, x: str, layer: int) -> str:
        tape = self.tape
        return tape.add("Gemm", [x, tape.floats(self.matrices[layer].T), tape.floats(self.biases[layer])])

    def _round(self, values: str, low: float, high: float) -> str:
        tape = self.tape
        rounded = tape.add("Floor", [tape.add("Add", [values, tape.floats(0.5)])])
        return tape.add("Clip", [rounded, tape.floats(low), tape.floats(high)])

    def run(self, y_hat: str, k: str) -> tuple[str, str, str]:
        """Bits (N,D); their gradient with respect to k directly, and to y_hat through the network."""
        tape = self.tape
        sums: list[str] = []
        x = y_hat
        for layer in range(2):
            sums.append(self._gemm(x, layer))
            x = self._round(tape.add("LeakyRelu", [sums[-1]], alpha=2.0**-LEAKY_SHIFT), HIDDEN_LOW, HIDDEN_HIGH)
        outputs = self._gemm(x, 2)
        parts = [tape.name() for _ in range(OUTPUTS)]
        sizes = tape.integers(*[len(self.prior.order)] * OUTPUTS)
        tape.nodes.append(helper.make_node("Split", [outputs, sizes], parts, axis=1))
        bits, direct, gradients = self._mixture(parts, k)
        gradient = tape.add("Concat", gradients, axis=1)
        for layer in (2, 1, 0):
            gradient = tape.add("MatMul", [gradient, tape.floats(self.matrices[layer])])
            if layer:
                gradient = tape.masked(gradient, sums[layer - 1], HIDDEN_LOW, HIDDEN_HIGH, leaky=True)
        return bits, direct, gradient

    def _mixture(self, parts: list[str], k: str) -> tuple[str, str, list[str]]:
        """Bits of k, their gradient with respect to k, and to the five outputs of each symbol."""
        tape, prior, quality = self.tape, self.prior, self.tape.quality
        repeats = prior.dequantize.arrays["repeats"]
        inverse_D = np.repeat(prior.inverse_gain[quality].astype(np.float64), repeats)[None]
        offset_D = np.repeat(prior.scale_offset[quality].astype(np.float64), repeats)[None] / SCALE_STEPS
        mean_step_D = inverse_D * 2.0**-MEAN_SHIFT / MEAN_STEPS
        one, ln2 = tape.floats(1.0), math.log(2)
        first = tape.add(
            "Sigmoid",
            [tape.add("Mul", [self._round(parts[4], *WEIGHT_RANGE), tape.floats(1 / WEIGHT_STEPS)])],
        )
        masses: list[str] = []
        by_k: list[str] = []
        by_scale: list[str] = []
        for j in (0, 2):
            mean = tape.add("Mul", [self._round(parts[j], *MEAN_RANGE), tape.floats(mean_step_D)])
            steps = self._round(parts[j + 1], *SCALE_RANGE)
            log2_scale = tape.add(
                "Add", [tape.add("Mul", [steps, tape.floats(1 / SCALE_STEPS)]), tape.floats(offset_D)]
            )
            log2_scale = tape.add("Clip", [log2_scale, tape.floats(-LOG2_SCALE_LIMIT), tape.floats(LOG2_SCALE_LIMIT)])
            reciprocal = tape.add("Exp", [tape.add("Mul", [log2_scale, tape.floats(-ln2)])])
            distance = tape.add("Sub", [k, mean])
            edges = [
                tape.add("Mul", [tape.add("Add", [distance, tape.floats(half)]), reciprocal]) for half in (0.5, -0.5)
            ]
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


def gradient_model(network: Network, quality: int) -> bytes:
    """The ONNX file: `k` float (N,D), `x` float pixels (N,C,H,W), `lam` float (1,) -> `loss` (N,), `gradient` (N,D).

    loss: bits + lam * squared error, pixels in [0,1], of each image.
    """
    tape = _Tape(quality)
    decoder = network.decoder
    shapes = register_shapes(decoder)
    registers = tape.forward(decoder.nodes, {"x": "k"})
    bits, direct, through_prior = _PriorTape(tape, network.prior).run(registers[DEQUANTIZED], "k")
    error = tape.add("Sub", [registers["y"], "x"])
    scale = tape.add("Mul", ["lam", tape.floats([1 / 255**2])])
    squared = tape.add(
        "ReduceSum", [tape.add("Flatten", [tape.add("Mul", [error, error])], axis=1), tape.integers(1)], keepdims=0
    )
    coded = tape.floats((network.symbol_bounds(quality) > 0)[None])
    rate = tape.add("ReduceSum", [tape.add("Mul", [bits, coded]), tape.integers(1)], keepdims=0)
    tape.add("Add", [rate, tape.add("Mul", [squared, scale])], "loss")
    gradient = tape.add("Mul", [error, tape.add("Mul", [scale, tape.floats([2.0])])])
    first, rest = decoder.nodes[0], decoder.nodes[1:]
    through_decoder = tape.backward(rest, shapes, "y", gradient)[DEQUANTIZED]
    both = tape.add("Add", [through_decoder, through_prior])
    through = tape.backward((first,), shapes, DEQUANTIZED, both)["x"]
    tape.add("Mul", [tape.add("Add", [through, direct]), coded], "gradient")
    symbols = len(network.prior.order)
    inputs = [
        helper.make_tensor_value_info("k", TensorProto.FLOAT, ["N", symbols]),
        helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", *shapes["y"]]),
        helper.make_tensor_value_info("lam", TensorProto.FLOAT, [1]),
    ]
    outputs = [
        helper.make_tensor_value_info("loss", TensorProto.FLOAT, ["N"]),
        helper.make_tensor_value_info("gradient", TensorProto.FLOAT, ["N", symbols]),
    ]
    return tape.model(inputs, outputs, {})


def latents_model(network: Network, quality: int) -> bytes:
    """The ONNX file: `x` float pixels (N,C,H,W) -> `y` float (N,D), the encoder's symbols before they are rounded."""
    assert network.encoder is not None
    builder = _Tape(quality)
    nodes = network.encoder.nodes
    registers = builder.forward(nodes[:-1], {"x": "x"})
    gain = nodes[-1]
    gains = segment_values(gain, "table", quality) * 2.0 ** -float(gain.arrays["shift"][0])
    builder.add("Mul", [registers[gain.inputs[0]], builder.floats(gains[None])], "y")
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", *network.encoder.input_shape])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", len(network.prior.order)])
    return builder.model([x], [y], {})
