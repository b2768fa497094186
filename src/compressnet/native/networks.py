"""Programs run by the compiled core."""

from __future__ import annotations

from ctypes import c_int32
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compressnet.native.library import Core, check_status
from compressnet.native.models import Memory, Model, make_model
from compressnet.native.structures import Arrays, CnNode, CnProgram
from compressnet.networks.numpy import channels_last
from compressnet.networks.program import MOVING_OPS, OPS, Integer, Node, Program, Range
from compressnet.networks.proof import register_shapes
from compressnet.threads import spread_rows

_TYPES: dict[np.dtype[Any], int] = {np.dtype(np.uint8): 0, np.dtype(np.int16): 1, np.dtype(np.int32): 2}
"""The cn_type of what the core reads and writes."""
SCRATCH_LIMIT = 1 << 30
"""Of one network, in bytes; NumPy, which frees registers as it goes, runs what takes more."""
_PART_IMAGES = 64
"""Images that are worth a thread."""
_ATTRIBUTES = {
    "conv": ("stride", "padding"),
    "slice": ("start", "stop"),
    "reshape": ("channels", "height", "width"),
    "shuffle": ("factor",),
    "unshuffle": ("factor",),
    "crop": ("height", "width"),
    "extend": ("rows", "columns"),
}
"""Which attributes of a node stand in `attributes`."""


def needed_nodes(program: Program) -> list[Node]:
    """A program's nodes, less those that `y` does not follow from."""
    nodes, needed = list[Node](), {"y"}
    for node in reversed(program.nodes):
        if node.output in needed:
            nodes.append(node)
            needed.update(node.inputs)
    return nodes[::-1]


def program_structure(program: Program, arrays: Arrays, like: NativeProgram | None = None) -> CnProgram:
    """A proved program's needed nodes; registers get numbers.

    like: what has some of its weights.
    """
    nodes = needed_nodes(program)
    known = {} if like is None else like.numbers
    shapes, numbers, ranges = register_shapes(program), {"x": 0}, {"x": program.input_range}
    structures: list[CnNode] = []
    for i, node in enumerate(nodes, 1):
        numbers[node.output] = i
        ranges[node.output] = _range(node, [ranges[name] for name in node.inputs])
        inputs = [numbers[name] for name in node.inputs]
        structures.append(_node(node, inputs, shapes[node.output], ranges[node.output], arrays))
        structures[-1].like = known.get(id(node.arrays.get("weight")), -1)
    low, high = program.input_range
    return CnProgram(
        nodes=arrays.structures(CnNode, structures),
        count=len(structures),
        shape=_shape(program.input_shape),
        low=low,
        high=high,
        like=None if like is None else like.model.address,
    )


def _range(node: Node, inputs: list[Range]) -> Range:
    """The range of a node's output."""
    if node.op in MOVING_OPS:
        return min(low for low, _ in inputs), max(high for _, high in inputs)
    return node.low, node.high


def _shape(shape: tuple[int, ...]) -> Any:
    """A register's shape, three sides long."""
    return (c_int32 * 3)(*shape, *[1] * (3 - len(shape)))


def _node(node: Node, inputs: list[int], shape: tuple[int, ...], values: Range, arrays: Arrays) -> CnNode:
    found = node.arrays
    structure = CnNode(
        op=OPS.index(node.op),
        inputs=len(inputs),
        input=arrays.pointer(inputs, np.int32),
        attributes=(c_int32 * 3)(*[node.attributes[name] for name in _ATTRIBUTES.get(node.op, ())]),
        shape=_shape(shape),
        low=values[0],
        high=values[1],
        leaky=int(node.leaky),
    )
    if node.op == "gain":
        structure.segments = len(found["repeats"])
        structure.table = arrays.pointer(found["table"], np.int16)
        structure.bound = arrays.pointer(found["bound"], np.int16) if "bound" in found else None
        structure.repeats = arrays.pointer(found["repeats"], np.int32)
    if node.op in ("conv", "dense"):
        structure.kernel = (c_int32 * 2)(*found["weight"].shape[2:])
        structure.bias_rows = len(found["bias"])
        structure.weight = arrays.pointer(found["weight"], np.int8)
        structure.bias = arrays.pointer(found["bias"], np.int32)
    if "shift" in found:
        structure.shift = arrays.pointer(found["shift"], np.int8)
    return structure


class NativeProgram:
    """A program made ready to run: a `Runner`."""

    def __init__(self, model: Model, program: Program, output_shape: tuple[int, ...], threads: int) -> None:
        """output_shape: (C,H,W) or (D,)."""
        self.model, self._threads = model, threads
        self._nodes = needed_nodes(program)
        self._shape = channels_last(output_shape)
        self._scratch_bytes = model.functions.cn_network_scratch(model.address)

    @property
    def numbers(self) -> dict[int, int]:
        """The number of each node that has weights, by the identity of their array."""
        return {id(node.arrays["weight"]): i for i, node in enumerate(self._nodes) if "weight" in node.arrays}

    def __call__(self, batch: NDArray[np.integer], quality: int, dtype: type[Integer]) -> NDArray[Integer]:
        """Run a batch, on all threads where it is large."""
        values = np.ascontiguousarray(batch, batch.dtype if batch.dtype in _TYPES else np.int32)
        out = np.empty((len(batch), *self._shape), dtype)
        if out.dtype not in _TYPES:
            limits = np.iinfo(out.dtype)
            return np.clip(self(values, quality, np.int32), limits.min, limits.max).astype(dtype)

        def run(rows: slice) -> None:
            self._run(values[rows], quality, out[rows])

        spread_rows(run, len(batch), _PART_IMAGES, self._threads)
        return out

    def _run(self, values: NDArray[np.integer], quality: int, out: NDArray[np.integer]) -> None:
        model, scratch = self.model, Memory.of(self._scratch_bytes)
        types = _TYPES[values.dtype], _TYPES[out.dtype]
        status = model.functions.cn_network_run(
            *(model.address, quality, types[0], values.ctypes.data, types[1], out.ctypes.data),
            *(len(values), scratch.address),
        )
        check_status(status, "ran a network")


def compile_program(
    core: Core, program: Program, output_shape: tuple[int, ...], threads: int, like: NativeProgram | None = None
) -> NativeProgram | None:
    """A proved program made ready to run; None where the core cannot run it.

    like: such a program for images of another size, to share its weights.
    """
    arrays, model = Arrays(), None
    if like is not None:
        model = make_model(core, "network", program_structure(program, arrays, like), like.model)
    if model is None:
        model = make_model(core, "network", program_structure(program, arrays))
    if model is None or model.functions.cn_network_scratch(model.address) > SCRATCH_LIMIT:
        return None
    return NativeProgram(model, program, output_shape, threads)
