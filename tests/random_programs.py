"""Programs of all ops by chance, with sums that float32 holds and registers of all ranges."""

from __future__ import annotations

import contextlib
import math
from dataclasses import replace
from typing import Any

import numpy as np

from compressnet.errors import CorruptError
from compressnet.networks.program import ANCHORS, MOVING_OPS, OPS, QUALITIES, Node, Op, Program, Range
from compressnet.networks.proof import EXACT_BELOW, prove, register_shapes

RANGES: tuple[Range, ...] = ((-128, 127), (-32, 223), (0, 255), (-2047, 2047), (-1, 1), (7, 7), (-(1 << 23), 1 << 23))
LARGEST_REGISTER = 2000


def random_program(rng: np.random.Generator) -> tuple[Program, tuple[int, ...]]:
    """A proved program, and the shape of its output, (C,H,W) or (D,)."""
    shape = _sides(rng, 3) if rng.random() < 0.7 else (int(rng.integers(1, 70)),)
    program = Program(nodes=(), input_range=_range(rng), input_shape=shape)
    ranges = {"x": program.input_range}
    for _ in range(int(rng.integers(4, 30))):
        with contextlib.suppress(CorruptError):
            node = _node(rng, program, ranges)
            trial = replace(program, nodes=(*program.nodes, replace(node, output="y")))
            found = register_shapes(trial)["y"]
            prove(trial, found)
            if math.prod(found) <= LARGEST_REGISTER:
                program = replace(program, nodes=(*program.nodes, node))
                ranges[node.output] = _range_of(node, ranges)
    last = program.nodes[-1] if program.nodes else Node(op="concat", inputs=("x",), output="y")
    unused = [Node(op="concat", inputs=("x", "x"), output="unused")] * int(rng.integers(0, 2))
    program = replace(program, nodes=(*program.nodes[:-1], replace(last, output="y"), *unused))
    return program, register_shapes(program)["y"]


def random_batch(rng: np.random.Generator, program: Program, images: int) -> np.ndarray:
    """Inputs (images,H,W,C) or (images,D) of the smallest type that the core reads."""
    low, high = program.input_range
    *rest, last = program.input_shape[1:] + program.input_shape[:1]
    values = rng.integers(low, high + 1, (images, *rest, last))
    values = np.where(rng.random(values.shape) < 0.2, rng.choice([low, high], values.shape), values)
    fits = [t for t in (np.uint8, np.int16, np.int32) if np.iinfo(t).min <= low and high <= np.iinfo(t).max]
    return values.astype(fits[0])


def _range(rng: np.random.Generator) -> Range:
    return RANGES[int(rng.integers(0, len(RANGES)))]


def _range_of(node: Node, ranges: dict[str, Range]) -> Range:
    if node.op in MOVING_OPS:
        inputs = [ranges[name] for name in node.inputs]
        return min(low for low, _ in inputs), max(high for _, high in inputs)
    return node.low, node.high


def _sides(rng: np.random.Generator, count: int) -> tuple[int, ...]:
    return tuple(rng.integers(1, 12, count).tolist())


def _node(rng: np.random.Generator, program: Program, ranges: dict[str, Range]) -> Node:
    """A node by chance, which may not fit."""
    op: Op = OPS[int(rng.integers(0, len(OPS)))]
    shapes = register_shapes(program)
    recent = list(shapes)[-3:]
    inputs = tuple(recent[i] for i in rng.integers(0, len(recent), {"add": 2, "concat": 2}.get(op, 1)))
    shape = shapes[inputs[0]]
    if op == "add" and rng.random() < 0.8:
        inputs = (inputs[0], next(name for name in shapes if shapes[name] == shape))
    low, high = _range(rng)
    node = Node(
        op=op,
        inputs=inputs,
        output=f"r{len(program.nodes)}",
        attributes=_attributes(rng, op, shape),
        activation="leaky" if rng.random() < 0.5 else "linear",
        low=low,
        high=high,
    )
    largest = max(map(abs, ranges[inputs[0]]))
    return replace(node, arrays=_arrays(rng, op, shape, largest))


def _attributes(rng: np.random.Generator, op: Op, shape: tuple[int, ...]) -> dict[str, int]:
    def upto(limit: int) -> int:
        return int(rng.integers(0, limit + 1))

    height, width = shape[1:] if len(shape) == 3 else (1, 1)
    match op:
        case "conv":
            return {"stride": 1 + upto(2), "padding": upto(3)}
        case "slice":
            start = upto(shape[0] - 1)
            return {"start": start, "stop": start + 1 + upto(shape[0] - start - 1)}
        case "reshape":
            total = math.prod(shape)
            channels = int(rng.choice([i for i in range(1, total + 1) if total % i == 0]))
            rest = total // channels
            rows = int(rng.choice([i for i in range(1, rest + 1) if rest % i == 0]))
            return {"channels": channels, "height": rows, "width": rest // rows}
        case "shuffle":
            return {"factor": 1 + upto(2)}
        case "unshuffle":
            return {"factor": 1 + upto(2), "channels": shape[0]}
        case "crop":
            return {"height": 1 + upto(height - 1), "width": 1 + upto(width - 1)}
        case "extend":
            return {"rows": upto(height), "columns": upto(width)}
        case _:
            return {}


def _arrays(rng: np.random.Generator, op: Op, shape: tuple[int, ...], largest: int) -> dict[str, np.ndarray[Any, Any]]:
    """With sums that reach as far as float32 holds them, where weights may be so large."""
    if op == "gain":
        segments = int(rng.integers(1, 5))
        factor = min((1 << 15) - 1, (EXACT_BELOW - 1) // max(largest, 1))
        arrays = {
            "table": rng.integers(-factor, factor + 1, (QUALITIES, segments)).astype(np.int16),
            "repeats": rng.multinomial(shape[0], np.full(segments, 1 / segments)).astype(np.int32),
            "shift": rng.integers(-3, 15, 1).astype(np.int8),
        }
        if rng.random() < 0.5:
            arrays["bound"] = rng.integers(0, 200, (QUALITIES, segments)).astype(np.int16)
        return arrays
    if op not in ("conv", "dense"):
        return {}
    outputs = int(rng.integers(1, 40))
    inputs = (shape[0], *_sides(rng, 2)) if op == "conv" else (math.prod(shape),)
    if op == "conv" and rng.random() < 0.7:
        inputs = (shape[0], 3, 3)
    bias = 1 << int(rng.integers(1, 20))
    factor = min(127, (EXACT_BELOW - 1 - bias) // max(largest * math.prod(inputs), 1))
    return {
        "weight": rng.integers(-factor, factor + 1, (outputs, *inputs)).astype(np.int8),
        "bias": rng.integers(-bias, bias + 1, (int(rng.choice([1, ANCHORS])), outputs)).astype(np.int32),
        "shift": rng.integers(-2, 14, outputs).astype(np.int8),
    }
