"""The proof that an integer program is exact in float32, and the shapes of its registers."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from compressnet.errors import CorruptError
from compressnet.limits import REGISTER_VALUES_LIMIT
from compressnet.networks.program import ANCHORS, MOVING_OPS, QUALITIES, Node, Program, Range

EXACT_BELOW = 1 << 24
"""Integers below this magnitude are exact in float32."""
CLAMP_LIMIT = 1 << 23
"""Largest |low| and |high|: below it adding 1/2 is exact as well."""
SHIFT_LIMIT = 20
"""Largest |shift|: with it floor(x * 2^-shift + 1/2) has no rounding of its own
(docs/FORMAT.md)."""

EXTENDED_PX = 32
"""A side may be extended to so many pixels, or to twice its own."""
_ADDED = ("rows", "columns")


def prove(program: Program, output_shape: tuple[int, ...]) -> Range:
    """The range of the output, after proving that float32 computes the program exactly.

    Raises CorruptError where a sum could reach 2^24, a shift is out of bounds, shapes do not fit,
    or a register is written twice or read before it is written.
    """
    ranges: dict[str, Range] = {"x": program.input_range}
    shapes: dict[str, tuple[int, ...]] = {"x": program.input_shape}
    for node in program.nodes:
        missing = [name for name in node.inputs if name not in ranges]
        if not node.inputs:
            raise CorruptError(f"network node {node.output!r} has no input")
        if node.op != "concat" and len(node.inputs) != 1 + (node.op == "add"):
            raise CorruptError(f"network node {node.output!r} ({node.op}) has {len(node.inputs)} inputs")
        if missing:
            raise CorruptError(f"network node {node.output!r} reads {', '.join(missing)} before it is written")
        if node.output in ranges or "y" in node.inputs:
            raise CorruptError(f"network node {node.output!r} writes a register twice, or reads the output")
        shapes[node.output] = _prove_shape(node, [shapes[name] for name in node.inputs])
        ranges[node.output] = _prove_range(node, [ranges[name] for name in node.inputs])
    if shapes.get("y") != output_shape:
        raise CorruptError(f"the network's output has shape {shapes.get('y')}, not {output_shape}")
    return ranges["y"]


def register_shapes(program: Program) -> dict[str, tuple[int, ...]]:
    """The shape of every register of a proved program, without N."""
    shapes: dict[str, tuple[int, ...]] = {"x": program.input_shape}
    for node in program.nodes:
        shapes[node.output] = _prove_shape(node, [shapes[name] for name in node.inputs])
    return shapes


def magnitudes(weight: NDArray[np.integer]) -> NDArray[np.int64]:
    """The sum of the magnitudes of each output's weights, int8 (O,...): (O,)."""
    return np.abs(weight, dtype=np.int16).reshape(len(weight), -1).sum(axis=1, dtype=np.int64)


def _prove_shape(node: Node, inputs: list[tuple[int, ...]]) -> tuple[int, ...]:
    """The shape of a node's output without N; checks the shapes of its arrays."""
    x, a = inputs[0], node.attributes
    total = math.prod(x)
    arrays = {name: array.shape for name, array in node.arrays.items()}
    shape: tuple[int, ...] | None = None
    match node.op:
        case "conv" if len(x) == 3 and a["stride"] >= 1 and len(arrays["weight"]) == 4:
            outputs, channels, kernel_height, kernel_width = arrays["weight"]
            _, height, width = x
            rows = (height + 2 * a["padding"] - kernel_height) // a["stride"] + 1
            columns = (width + 2 * a["padding"] - kernel_width) // a["stride"] + 1
            if channels == x[0] and min(outputs, kernel_height, kernel_width, rows, columns) >= 1:
                shape = (outputs, rows, columns)
        case "dense" if arrays["weight"][1:] == (total,) and arrays["weight"][0] >= 1:
            shape = (arrays["weight"][0],)
        case "add" if inputs[0] == inputs[-1]:
            shape = x
        case "gain" if arrays["table"] == arrays.get("bound", arrays["table"]) == (QUALITIES, *arrays["repeats"]):
            repeats = node.arrays["repeats"]
            if repeats.ndim == 1 and repeats.min(initial=1) >= 0 and arrays["shift"] == (1,):
                shape = x if x == (int(repeats.sum(dtype=np.int64)),) else None
        case "concat":
            shape = (sum(math.prod(part) for part in inputs),)
        case "slice" if len(x) == 1 and 0 <= a["start"] < a["stop"] <= total:
            shape = (a["stop"] - a["start"],)
        case "reshape" if a["channels"] * a["height"] * a["width"] == total:
            shape = (a["channels"], a["height"], a["width"])
        case "shuffle" if len(x) == 3 and a["factor"] >= 1 and x[0] % a["factor"] ** 2 == 0:
            shape = (x[0] // a["factor"] ** 2, x[1] * a["factor"], x[2] * a["factor"])
        case "unshuffle" if len(x) == 3 and a["factor"] >= 1 and x[0] == a["channels"]:
            if x[1] % a["factor"] == x[2] % a["factor"] == 0:
                shape = (x[0] * a["factor"] ** 2, x[1] // a["factor"], x[2] // a["factor"])
        case "crop" if len(x) == 3 and 1 <= a["height"] <= x[1] and 1 <= a["width"] <= x[2]:
            shape = (x[0], a["height"], a["width"])
        case "extend" if len(x) == 3 and all(_extends(side, a[name]) for side, name in zip(x[1:], _ADDED, strict=True)):
            shape = (x[0], x[1] + a["rows"], x[2] + a["columns"])
        case _:
            pass
    if node.op in ("conv", "dense") and shape is not None:
        rows_of_bias = arrays["bias"][0] if len(arrays["bias"]) == 2 else 0
        if arrays["bias"][1:] != shape[:1] or rows_of_bias not in (1, ANCHORS) or arrays["shift"] != shape[:1]:
            shape = None
    if shape is None:
        raise CorruptError(f"network node {node.output!r} ({node.op}) does not fit its input of shape {x}")
    if math.prod(shape) > REGISTER_VALUES_LIMIT:
        raise CorruptError(f"network node {node.output!r} ({node.op}) has more than {REGISTER_VALUES_LIMIT} values")
    return shape


def _extends(side_px: int, added_px: int) -> bool:
    """Whether a side may be extended by so much."""
    return side_px + added_px <= max(2 * side_px, EXTENDED_PX)


def _prove_range(node: Node, inputs: list[Range]) -> Range:
    """The range of a node's output; refuses sums that float32 might round."""
    largest = max(max(abs(low), abs(high)) for low, high in inputs)
    if node.op in MOVING_OPS:
        return min(low for low, _ in inputs), max(high for _, high in inputs)
    if node.op == "add":
        sums = sum(max(abs(low), abs(high)) for low, high in inputs)
    elif node.op == "gain":
        sums = largest * int(np.abs(node.arrays["table"].astype(np.int64)).max())
    else:
        bias_O = np.abs(node.arrays["bias"].astype(np.int64)).max(axis=0)
        sums = int((magnitudes(node.arrays["weight"]) * largest + bias_O).max())
    if sums >= EXACT_BELOW:
        raise CorruptError(f"network node {node.output!r} can reach {sums}; float32 is exact below {EXACT_BELOW}")
    if "shift" in node.arrays and int(np.abs(node.arrays["shift"].astype(np.int64)).max()) > SHIFT_LIMIT:
        raise CorruptError(f"network node {node.output!r} has a shift beyond +-{SHIFT_LIMIT}")
    if not -CLAMP_LIMIT <= node.low <= node.high <= CLAMP_LIMIT:
        raise CorruptError(f"network node {node.output!r} clamps to [{node.low}, {node.high}]")
    if node.op == "gain" and "bound" in node.arrays:
        if node.arrays["bound"].min() < 0:
            raise CorruptError(f"network node {node.output!r} has a negative bound")
        bound = int(node.arrays["bound"].max())
        return max(node.low, -bound), min(node.high, bound)
    return node.low, node.high
