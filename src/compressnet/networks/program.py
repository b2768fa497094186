"""Integer networks, computed exactly with float32 arithmetic: the definition of every symbol and pixel.

A `Program` is a straight line of `Node`s over named registers that hold integers. The matrix products
(`conv`, `dense`) accumulate integer products; every partial sum of theirs stays below 2^24, where float32 is
exact whatever the order of the additions, so any BLAS gives the same integers. What follows a sum is

    out = clamp(floor(act(sum) * 2^-shift + 1/2), low, high)

with `act` the identity or a leaky ReLU of slope 1/8: multiplications by powers of two, a floor and a clamp,
each of them exact. `prove` derives the range of every register and refuses a program that could leave the
exact range; no program runs unproved. docs/FORMAT.md states the same in integers alone.

Axes: N images, C channels, H rows, W columns, D symbols, O outputs, I inputs, Q qualities.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from compressnet.errors import CorruptError

Op = Literal["conv", "dense", "add", "gain", "concat", "slice", "reshape", "shuffle", "unshuffle", "crop", "extend"]
Activation = Literal["linear", "leaky"]
Range = tuple[int, int]
Float32 = NDArray[np.float32]

MOVING_OPS: tuple[Op, ...] = ("concat", "slice", "reshape", "shuffle", "unshuffle", "crop", "extend")
"""Ops that move values and compute none."""
OPS: tuple[Op, ...] = ("conv", "dense", "add", "gain", *MOVING_OPS)
EXACT_BELOW = 1 << 24
"""Integers below this magnitude are exact in float32."""
CLAMP_LIMIT = 1 << 23
"""Largest |low| and |high|: below it adding 1/2 is exact as well."""
LEAKY_SHIFT = 3
"""The leaky ReLU's slope on the negative side is 2^-LEAKY_SHIFT."""
SHIFT_LIMIT = 20
"""Largest |shift|: with it floor(x * 2^-shift + 1/2) has no rounding of its own (docs/FORMAT.md)."""
QUALITIES = 100
"""Lossy qualities are 0 to 99."""
ANCHOR_STEP = 9
"""Biases that depend on the quality are stored at the qualities 0, 9, .. 99 and are linear in between."""
ANCHORS = (QUALITIES - 1) // ANCHOR_STEP + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One step of a program.

    op, inputs, output: what is computed, from which registers, into which.
    attributes: small integers by name: `stride`, `padding` (conv), `factor` (shuffle, unshuffle), `start`,
        `stop` (slice), `channels`, `height`, `width` (reshape; unshuffle has `channels` too, crop the other two),
        `rows`, `columns` (extend).
    activation, low, high: what follows a sum, see the module.
    weight: int8, (O,I,kh,kw) for conv, (O,I) for dense.
    bias: int32, (1,O), or (12,O) where it depends on the quality.
    shift: int8 (O,) for conv and dense, (1,) for gain.
    table: (100,S) for gain, the factor of each segment of symbols at each quality.
    bound: (100,S) for gain, where there is one: results are clamped to +-bound as well.
    repeats: (S,) for gain, the number of symbols in each segment.
    """

    op: Op
    inputs: tuple[str, ...]
    output: str
    attributes: Mapping[str, int] = field(default_factory=dict[str, int])
    activation: Activation = "linear"
    low: int = -128
    high: int = 127
    arrays: Mapping[str, NDArray[np.integer]] = field(default_factory=dict[str, NDArray[np.integer]])


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """Nodes in order of execution, from the register `x` to the register `y`."""

    nodes: tuple[Node, ...]
    input_range: Range
    input_shape: tuple[int, ...]
    """Without N: (C,H,W) for images, (D,) for symbols."""


class Runner(Protocol):
    """A program made ready to run, by some backend."""

    def __call__(self, batch: NDArray[np.integer], quality: int) -> NDArray[np.int32]:
        """Run a batch (N, ...) of integers at a quality of 0 to 99; returns (N, ...), int32."""
        ...


class Backend(Protocol):
    """What makes programs ready to run. All backends give the same integers, to the last bit."""

    name: str

    def compile(self, program: Program, output_shape: tuple[int, ...]) -> Runner:
        """Make a proved program ready to run; output_shape is without N."""
        ...


def bias_at(bias_AO: NDArray[np.integer], quality: int) -> NDArray[np.int64]:
    """The bias (O,) at a quality: linear between the anchors, rounded by floor(x + 1/2) in integers."""
    if len(bias_AO) == 1:
        return bias_AO[0].astype(np.int64)
    anchor, step = divmod(quality, ANCHOR_STEP)
    lower_O = bias_AO[anchor].astype(np.int64)
    if step == 0:
        return lower_O
    upper_O = bias_AO[anchor + 1].astype(np.int64)
    doubled_O = 2 * (lower_O * (ANCHOR_STEP - step) + upper_O * step) + ANCHOR_STEP
    return doubled_O // (2 * ANCHOR_STEP)


def requantize(sums: Float32, shift: NDArray[np.integer], activation: Activation, low: float, high: float) -> Float32:
    """clamp(floor(act(sums) * 2^-shift + 1/2), low, high), in place where it can; shift broadcasts."""
    if activation == "leaky":
        np.maximum(sums, sums * np.float32(2.0**-LEAKY_SHIFT), out=sums)
    sums *= np.exp2(-shift.astype(np.float32))
    sums += np.float32(0.5)
    np.floor(sums, out=sums)
    return np.clip(sums, np.float32(low), np.float32(high), out=sums)


def segment_values(node: Node, name: str, quality: int) -> NDArray[np.int32]:
    """A gain node's `table` or `bound` at a quality, repeated for every symbol: (D,)."""
    return np.repeat(node.arrays[name][quality].astype(np.int32), node.arrays["repeats"])


def _im2col(x_NCHW: Float32, kernel: tuple[int, int], stride: int, padding: int) -> tuple[Float32, int, int]:
    """The receptive fields as rows: ((N*H'*W'), C*kh*kw), H', W'."""
    padded = np.pad(x_NCHW, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, kernel, axis=(2, 3))[:, :, ::stride, ::stride]
    n, c, h, w = windows.shape[:4]
    columns = windows.transpose(0, 2, 3, 1, 4, 5).reshape(n * h * w, c * kernel[0] * kernel[1])
    return columns, h, w


def _conv(node: Node, x_NCHW: Float32, quality: int) -> Float32:
    weight = node.arrays["weight"].astype(np.float32)
    outputs = len(weight)
    columns, h, w = _im2col(
        x_NCHW, (weight.shape[2], weight.shape[3]), node.attributes["stride"], node.attributes["padding"]
    )
    sums = columns @ weight.reshape(outputs, -1).T
    sums += bias_at(node.arrays["bias"], quality).astype(np.float32)
    values = requantize(sums, node.arrays["shift"], node.activation, node.low, node.high)
    return np.ascontiguousarray(values.reshape(len(x_NCHW), h, w, outputs).transpose(0, 3, 1, 2))


def _dense(node: Node, x_NI: Float32, quality: int) -> Float32:
    sums = x_NI.reshape(len(x_NI), -1) @ node.arrays["weight"].astype(np.float32).T
    sums += bias_at(node.arrays["bias"], quality).astype(np.float32)
    return requantize(sums, node.arrays["shift"], node.activation, node.low, node.high)


def _gain(node: Node, x_ND: Float32, quality: int) -> Float32:
    values = x_ND * segment_values(node, "table", quality).astype(np.float32)
    values = requantize(values, node.arrays["shift"], "linear", node.low, node.high)
    if "bound" in node.arrays:
        bound_D = segment_values(node, "bound", quality).astype(np.float32)
        np.clip(values, -bound_D, bound_D, out=values)
    return values


def _shuffle(x_NCHW: Float32, factor: int) -> Float32:
    n, c, h, w = x_NCHW.shape
    split = x_NCHW.reshape(n, c // factor**2, factor, factor, h, w).transpose(0, 1, 4, 2, 5, 3)
    return np.ascontiguousarray(split).reshape(n, c // factor**2, h * factor, w * factor)


def _unshuffle(x_NCHW: Float32, factor: int) -> Float32:
    n, c, h, w = x_NCHW.shape
    split = x_NCHW.reshape(n, c, h // factor, factor, w // factor, factor).transpose(0, 1, 3, 5, 2, 4)
    return np.ascontiguousarray(split).reshape(n, c * factor**2, h // factor, w // factor)


def _extend(x_NCHW: Float32, rows: int, columns: int) -> Float32:
    """So many rows and columns more: the last ones again."""
    return np.pad(x_NCHW, ((0, 0), (0, 0), (0, rows), (0, columns)), mode="edge")


def run_node(node: Node, inputs: list[Float32], quality: int) -> Float32:
    """One node on float32 registers that hold integers."""
    x = inputs[0]
    match node.op:
        case "conv":
            return _conv(node, x, quality)
        case "dense":
            return _dense(node, x, quality)
        case "add":
            return requantize(x + inputs[1], np.zeros(1, np.int8), node.activation, node.low, node.high)
        case "gain":
            return _gain(node, x, quality)
        case "concat":
            return np.concatenate([array.reshape(len(array), -1) for array in inputs], axis=1)
        case "slice":
            return x[:, node.attributes["start"] : node.attributes["stop"]]
        case "reshape":
            a = node.attributes
            return x.reshape(len(x), a["channels"], a["height"], a["width"])
        case "shuffle":
            return _shuffle(x, node.attributes["factor"])
        case "unshuffle":
            return _unshuffle(x, node.attributes["factor"])
        case "crop":
            return np.ascontiguousarray(x[:, :, : node.attributes["height"], : node.attributes["width"]])
        case "extend":
            return _extend(x, node.attributes["rows"], node.attributes["columns"])


class NumpyBackend:
    """The definition, in NumPy. Registers are freed after their last use."""

    name = "numpy"
    batch_images = 64

    def compile(self, program: Program, output_shape: tuple[int, ...]) -> Runner:
        """Make a proved program ready to run; output_shape is without N."""
        last_use = {name: i for i, node in enumerate(program.nodes) for name in node.inputs}

        def run_batch(batch: Float32, quality: int) -> NDArray[np.int32]:
            registers: dict[str, Float32] = {"x": batch}
            for i, node in enumerate(program.nodes):
                inputs = [registers[name] for name in node.inputs]
                registers[node.output] = run_node(node, inputs, quality)
                for name in set(node.inputs):
                    if last_use[name] == i:
                        del registers[name]
            return registers["y"].astype(np.int32)

        def run(batch: NDArray[np.integer], quality: int) -> NDArray[np.int32]:
            values = batch.astype(np.float32)
            out = np.empty((len(values), *output_shape), np.int32)
            for start in range(0, len(values), self.batch_images):
                stop = start + self.batch_images
                out[start:stop] = run_batch(values[start:stop], quality)
            return out

        return run


def prove(program: Program, output_shape: tuple[int, ...]) -> Range:
    """The range of the output, after proving that float32 computes the program exactly.

    Raises CorruptError where a sum could reach 2^24, a shift is out of bounds, shapes do not fit, or a register is
    written twice or read before it is written.
    """
    ranges: dict[str, Range] = {"x": program.input_range}
    shapes: dict[str, tuple[int, ...]] = {"x": program.input_shape}
    for node in program.nodes:
        missing = [name for name in node.inputs if name not in ranges]
        if missing or not node.inputs:
            raise CorruptError(f"network node {node.output!r} reads {missing} before it is written")
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
            if channels == x[0] and rows >= 1 and columns >= 1:
                shape = (outputs, rows, columns)
        case "dense" if arrays["weight"][1:] == (total,):
            shape = (arrays["weight"][0],)
        case "add" if len(inputs) == 2 and inputs[0] == inputs[1]:
            shape = x
        case "gain" if arrays["table"] == arrays.get("bound", arrays["table"]) == (QUALITIES, *arrays["repeats"]):
            repeats = node.arrays["repeats"]
            if x == (int(repeats.sum()),) and repeats.min() >= 0 and arrays["shift"] == (1,):
                shape = x
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
        case "extend" if len(x) == 3 and a["rows"] <= x[1] and a["columns"] <= x[2]:
            shape = (x[0], x[1] + a["rows"], x[2] + a["columns"])
        case _:
            pass
    if node.op in ("conv", "dense") and shape is not None:
        rows_of_bias = arrays["bias"][0] if len(arrays["bias"]) == 2 else 0
        if arrays["bias"][1:] != shape[:1] or rows_of_bias not in (1, ANCHORS) or arrays["shift"] != shape[:1]:
            shape = None
    if shape is None:
        raise CorruptError(f"network node {node.output!r} ({node.op}) does not fit its input of shape {x}")
    return shape


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
        weight = node.arrays["weight"].astype(np.int64)
        bias_O = np.abs(node.arrays["bias"].astype(np.int64)).max(axis=0)
        sums = int((np.abs(weight).reshape(len(weight), -1).sum(axis=1) * largest + bias_O).max())
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
