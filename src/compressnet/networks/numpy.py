"""Integer programs run by NumPy: the definition of what they compute."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compressnet.networks.costs import FIELDS_VALUES, program_cost
from compressnet.networks.program import ANCHOR_STEP, LEAKY_SHIFT, Activation, Float32, Integer, Node, Program, Runner
from compressnet.threads import one_blas_thread

BATCH_VALUES = 1 << 20
"""Pixels times channels of images that are run together."""
BATCH_BYTES = 1 << 26
"""Of registers of images that are run together, where one image does not take more."""


def bias_at(bias_AO: NDArray[np.integer], quality: int) -> NDArray[np.int64]:
    """The bias (O,) at a quality: linear between the anchors, rounded by floor(x + 1/2).

    It is computed in integers.
    """
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
    """clamp(floor(act(sums) * 2^-shift + 1/2), low, high), in place where it can.

    `shift` broadcasts.
    """
    if activation == "leaky":
        np.maximum(sums, sums * np.float32(2.0**-LEAKY_SHIFT), out=sums)
    sums *= np.exp2(-shift.astype(np.float32))
    sums += np.float32(0.5)
    np.floor(sums, out=sums)
    return np.clip(sums, np.float32(low), np.float32(high), out=sums)


def segment_values(node: Node, name: str, quality: int) -> NDArray[np.int32]:
    """A gain node's `table` or `bound` at a quality, repeated for every symbol: (D,)."""
    return np.repeat(node.arrays[name][quality].astype(np.int32), node.arrays["repeats"])


def _windows(x_NCHW: Float32, kernel: tuple[int, int], stride: int, padding: int) -> Float32:
    """The receptive fields, a view: (N,C,H',W',kh,kw)."""
    padded = np.pad(x_NCHW, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    return np.lib.stride_tricks.sliding_window_view(padded, kernel, axis=(2, 3))[:, :, ::stride, ::stride]


def _conv(node: Node, x_NCHW: Float32, quality: int) -> Float32:
    weight = node.arrays["weight"].astype(np.float32)
    outputs, field = len(weight), math.prod(weight.shape[1:])
    bias = bias_at(node.arrays["bias"], quality).astype(np.float32)
    a = node.attributes
    windows = _windows(x_NCHW, (weight.shape[2], weight.shape[3]), a["stride"], a["padding"])
    n, _, h, w = windows.shape[:4]
    values = np.empty((n, outputs, h, w), np.float32)
    step = max(1, FIELDS_VALUES // (n * w * field))
    for start in range(0, h, step):
        rows = windows[:, :, start : start + step]
        sums = rows.transpose(0, 2, 3, 1, 4, 5).reshape(-1, field) @ weight.reshape(outputs, -1).T
        sums += bias
        sums = requantize(sums, node.arrays["shift"], node.activation, node.low, node.high)
        values[:, :, start : start + step] = sums.reshape(n, -1, w, outputs).transpose(0, 3, 1, 2)
    return values


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
    """Add so many rows and columns, which repeat the last ones."""
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


def channels_last(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape (C,H,W) of a register as (H,W,C); (D,) as it is."""
    return (*shape[1:], shape[0])


def planes_of(batch: NDArray[Any]) -> NDArray[Any]:
    """A view of images (N,H,W,C) as (N,C,H,W); of vectors (N,D) as they are."""
    return batch.transpose(0, 3, 1, 2) if batch.ndim == 4 else batch


def floats_of(batch: NDArray[np.integer]) -> Float32:
    """A batch (N,H,W,C) or (N,D) as a program's register `x`."""
    return np.ascontiguousarray(planes_of(batch), np.float32)


def set_floats(out: NDArray[np.integer], y: Float32) -> None:
    """Fill a batch (N,H,W,C) or (N,D) from a program's register `y`."""
    limits = np.iinfo(out.dtype)
    np.copyto(planes_of(out), np.clip(y, limits.min, limits.max), casting="unsafe")


def batch_of(program: Program, output_shape: tuple[int, ...], at_most: int) -> int:
    """How many images a program is run over at a time, so that registers stay small."""
    by_values = BATCH_VALUES // max(math.prod(program.input_shape), math.prod(output_shape))
    return max(1, min(at_most, by_values, BATCH_BYTES // program_cost(program).memory))


class NumpyBackend:
    """The definition, in NumPy. Registers are freed after their last use."""

    name = "numpy"
    batch_images = 64
    """At most; fewer where images are large (`batch_of`)."""

    def compile(self, program: Program, output_shape: tuple[int, ...], like: Runner | None = None) -> Runner:
        """Make a proved program ready to run; output_shape is (C,H,W) or (D,)."""
        del like
        last_use = {name: i for i, node in enumerate(program.nodes) for name in node.inputs}

        def run_batch(batch: Float32, quality: int) -> Float32:
            registers: dict[str, Float32] = {"x": batch}
            for i, node in enumerate(program.nodes):
                inputs = [registers[name] for name in node.inputs]
                registers[node.output] = run_node(node, inputs, quality)
                for name in set(node.inputs):
                    if last_use[name] == i:
                        del registers[name]
            return registers["y"]

        @one_blas_thread()
        def run(batch: NDArray[np.integer], quality: int, dtype: type[Integer]) -> NDArray[Integer]:
            out = np.empty((len(batch), *channels_last(output_shape)), dtype)
            together = batch_of(program, output_shape, self.batch_images)
            for start in range(0, len(batch), together):
                rows = slice(start, start + together)
                set_floats(out[rows], run_batch(floats_of(batch[rows]), quality))
            return out

        return run
