"""ONNX graphs with a way back: a program's nodes, and the gradient of what they compute.

The forward pass is that of the codec. The backward pass takes rounding for the identity
(straight-through, Bengio et al., arXiv:1308.3432) and has no gradient where a value was clamped.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from compressnet.networks.dense import HIDDEN_HIGH, HIDDEN_LOW
from compressnet.networks.graphs import GraphBuilder
from compressnet.networks.numpy import segment_values
from compressnet.networks.program import LEAKY_SHIFT, Node


class Tape(GraphBuilder):
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
        """The gradient before activation and clamp, from the one after.

        `sums` is what was activated.
        """
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
            gradient = self.masked(gradient, self._sums[node.output], node.low, node.high, leaky=node.leaky)
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
            case "crop":
                pads = self.integers(0, 0, 0, 0, 0, 0, shape[1] - a["height"], shape[2] - a["width"])
                return [self.add("Pad", [gradient, pads])]
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

    def round(self, values: str, low: float, high: float) -> str:
        """clamp(floor(values + 1/2), low, high)."""
        rounded = self.add("Floor", [self.add("Add", [values, self.floats(0.5)])])
        return self.add("Clip", [rounded, self.floats(low), self.floats(high)])

    def hidden(self, sums: str) -> str:
        """A hidden layer's values, from its sums."""
        return self.round(self.add("LeakyRelu", [sums], alpha=2.0**-LEAKY_SHIFT), HIDDEN_LOW, HIDDEN_HIGH)

    def before_hidden(self, gradient: str, sums: str) -> str:
        """The gradient of a hidden layer's sums, from that of its values."""
        return self.masked(gradient, sums, HIDDEN_LOW, HIDDEN_HIGH, leaky=True)


def scale_of(shift: NDArray[np.integer]) -> NDArray[np.float64]:
    """What each output's sums are multiplied by."""
    return np.exp2(-shift.astype(np.float64))
