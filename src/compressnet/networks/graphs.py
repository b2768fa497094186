"""Integer programs as ONNX graphs: what the ONNX Runtime backend runs and what `export` writes.

Every register is a float32 tensor that holds integers, exact as in `compressnet.networks.program`:
ordinary Conv and Gemm nodes whose weights are scaled by a power of two beforehand, then Add 1/2,
Floor and Clip. Opset 13 and ops that common runtimes know.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from compressnet.networks.numpy import bias_at, segment_values
from compressnet.networks.program import LEAKY_SHIFT, Node, Program

OPSET = 13
IR_VERSION = 8
"""As old as the opset allows, so that older runtimes take the files."""


class GraphBuilder:
    """Collects ONNX nodes and constants for programs at one quality."""

    def __init__(self, quality: int) -> None:
        self.quality = quality
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self._names = 0

    def add(self, op: str, inputs: Sequence[str], output: str | None = None, **attributes: Any) -> str:
        """Append a node; returns the name of its output."""
        name = output or self.name()
        self.nodes.append(helper.make_node(op, list(inputs), [name], **attributes))
        return name

    def name(self) -> str:
        """A fresh name."""
        self._names += 1
        return f"t{self._names}"

    def constant(self, values: NDArray[Any]) -> str:
        """Append a constant; returns its name."""
        name = self.name()
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def floats(self, values: Any) -> str:
        """Append a float32 constant; returns its name."""
        return self.constant(np.asarray(values, np.float32))

    def integers(self, *values: int) -> str:
        """Append an int64 constant, as shapes and axes are given; returns its name."""
        return self.constant(np.array(values, np.int64))

    def program(self, program: Program, source: str) -> str:
        """Append a whole program that reads the float tensor `source`.

        Returns the name of its output.
        """
        registers = {"x": source}
        for node in program.nodes:
            registers[node.output] = self._node(node, [registers[name] for name in node.inputs])
        return registers["y"]

    def _requantize(self, values: str, node: Node, *, whole: bool = False) -> str:
        """clamp(floor(act(values) + 1/2), low, high) of sums that 2^-shift has scaled already."""
        if node.leaky:
            values = self.add("LeakyRelu", [values], alpha=2.0**-LEAKY_SHIFT)
        if node.leaky or not whole:
            values = self.add("Floor", [self.add("Add", [values, self.floats(0.5)])])
        return self.add("Clip", [values, self.floats(node.low), self.floats(node.high)])

    def _scaled(self, node: Node) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Weight and bias times 2^-shift.

        Powers of two change exponents alone, so sums keep their digits.
        """
        scale_O = np.exp2(-node.arrays["shift"].astype(np.float64))
        weight = node.arrays["weight"].astype(np.float64)
        return (
            weight * scale_O.reshape(-1, *([1] * (weight.ndim - 1))),
            bias_at(node.arrays["bias"], self.quality).astype(np.float64) * scale_O,
        )

    def _node(self, node: Node, inputs: list[str]) -> str:
        a, x = node.attributes, inputs[0]
        match node.op:
            case "conv":
                weight, bias = self._scaled(node)
                padding, stride = a["padding"], a["stride"]
                inputs = [x, self.floats(weight), self.floats(bias)]
                return self._requantize(self.add("Conv", inputs, pads=[padding] * 4, strides=[stride] * 2), node)
            case "dense":
                weight, bias = self._scaled(node)
                flat = self.add("Flatten", [x], axis=1)
                return self._requantize(self.add("Gemm", [flat, self.floats(weight.T), self.floats(bias)]), node)
            case "add":
                return self._requantize(self.add("Add", inputs), node, whole=True)
            case "gain":
                return self._gain(node, x, (1, -1))
            case "concat":
                return self.add("Concat", [self.add("Flatten", [name], axis=1) for name in inputs], axis=1)
            case "slice":
                start, stop = self.integers(a["start"]), self.integers(a["stop"])
                return self.add("Slice", [x, start, stop, self.integers(1)])
            case "reshape":
                return self.add("Reshape", [x, self.integers(-1, a["channels"], a["height"], a["width"])])
            case "shuffle":
                return self.add("DepthToSpace", [x], blocksize=a["factor"], mode="CRD")
            case "unshuffle":
                return self._unshuffle(node, x)
            case "crop":
                ends = self.integers(a["height"], a["width"])
                return self.add("Slice", [x, self.integers(0, 0), ends, self.integers(2, 3)])
            case "extend":
                pads = self.integers(0, 0, 0, 0, 0, 0, a["rows"], a["columns"])
                return self.add("Pad", [x, pads], mode="edge")

    def _gain(self, node: Node, x: str, shape: tuple[int, ...]) -> str:
        """A gain whose table, a value for each symbol, has a shape."""
        table = segment_values(node, "table", self.quality) * 2.0 ** -float(node.arrays["shift"][0])
        values = self._requantize(self.add("Mul", [x, self.floats(table.reshape(shape))]), node)
        if "bound" not in node.arrays:
            return values
        bound = segment_values(node, "bound", self.quality).reshape(shape)
        return self.add("Max", [self.add("Min", [values, self.floats(bound)]), self.floats(-bound)])

    def _unshuffle(self, node: Node, x: str) -> str:
        """Pixel unshuffle as a convolution with ones and zeros.

        ONNX's SpaceToDepth would order the channels otherwise.
        """
        factor, channels = node.attributes["factor"], node.attributes["channels"]
        weight = np.zeros((channels * factor**2, channels, factor, factor), np.float32)
        for i in range(channels * factor**2):
            channel, row, column = i // factor**2, i // factor % factor, i % factor
            weight[i, channel, row, column] = 1
        return self.add("Conv", [x, self.floats(weight)], strides=[factor, factor])

    def model(
        self,
        inputs: Sequence[onnx.ValueInfoProto],
        outputs: Sequence[onnx.ValueInfoProto],
        metadata: Mapping[str, str],
    ) -> bytes:
        """The finished graph, checked, as the bytes of an ONNX file."""
        graph = helper.make_graph(self.nodes, "compressnet", list(inputs), list(outputs), self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="compressnet")
        model.ir_version = IR_VERSION
        helper.set_model_props(model, dict(metadata))
        onnx.checker.check_model(model, full_check=True)
        return model.SerializeToString()


class TiledGraphBuilder(GraphBuilder):
    """A graph for images of any size, of programs that are written for one tile.

    Heights and widths are tensors, int64 (1,): `grid` has rows and columns of tiles.
    """

    grid: tuple[str, str]

    def tile(self, height_and_width: str, tile_px: int, fewest: int) -> None:
        """Set the grid of images of a size, int64 (2,): at least `fewest` rows and columns."""
        above = self.add("Add", [height_and_width, self.integers(tile_px - 1)])
        tiles = self.add("Max", [self.add("Div", [above, self.integers(tile_px)]), self.integers(fewest)])
        rows, columns = (self.add("Slice", [tiles, self.integers(i), self.integers(i + 1)]) for i in range(2))
        self.grid = rows, columns

    def size_of(self, x: str) -> str:
        """Height and width of a tensor (N,C,H,W): int64 (2,)."""
        return self.add("Slice", [self.add("Shape", [x]), self.integers(2), self.integers(4)])

    def extend(self, x: str, tile_px: int) -> str:
        """Images (N,C,H,W) extended to whole tiles."""
        whole = self.add("Mul", [self.add("Concat", list(self.grid), axis=0), self.integers(tile_px)])
        added = self.add("Sub", [whole, self.size_of(x)])
        return self.add("Pad", [x, self.add("Concat", [self.integers(*[0] * 6), added], axis=0)], mode="edge")

    def crop(self, x: str, height_and_width: str) -> str:
        """Images (N,C,H,W) of whole tiles cropped to a size, int64 (2,)."""
        return self.add("Slice", [x, self.integers(0, 0), height_and_width, self.integers(2, 3)])

    def mapped(self, node: Node, x: str) -> str:
        """What a node makes of a tensor."""
        return self._node(node, [x])

    def _node(self, node: Node, inputs: list[str]) -> str:
        if node.op == "reshape":
            a = node.attributes
            sides = zip(("height", "width"), self.grid, strict=True)
            lengths = [self.add("Mul", [places, self.integers(a[name])]) for name, places in sides]
            shape = self.add("Concat", [self.integers(-1, a["channels"]), *lengths], axis=0)
            return self.add("Reshape", [inputs[0], shape])
        if node.op == "gain":
            segments = len(node.arrays["repeats"])
            by_segment = self.add("Reshape", [inputs[0], self.integers(0, segments, -1)])
            return self.add("Flatten", [self._gain(node, by_segment, (1, segments, 1))], axis=1)
        return super()._node(node, inputs)


def program_model(program: Program, quality: int, output_shape: tuple[int, ...]) -> bytes:
    """A program alone: float32 `x` (N, ...) to float32 `y` (N, ...), as a backend runs it."""
    builder = GraphBuilder(quality)
    output = builder.program(program, "x")
    builder.add("Identity", [output], "y")
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", *program.input_shape])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", *output_shape])
    return builder.model([x], [y], {})
