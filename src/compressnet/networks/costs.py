"""What running a program takes, as its nodes tell: an upper bound for every backend."""

from __future__ import annotations

import math

from compressnet.limits import Cost
from compressnet.networks.program import Node, Program
from compressnet.networks.proof import register_shapes

VALUE_BYTES = 4
"""Of a register, at most."""
VALUE_WORK = 32
"""Of a value that is written: moving it takes as long as so many multiply-accumulates."""
FIELDS_VALUES = 1 << 22
"""Values of receptive fields that are laid out together, where a row does not have more."""
NODE_WORK, RUN_IMAGES = 1 << 16, 16
"""Of calling whatever computes a node, once for so many images."""
COPIES = 3
"""Of a node's result, while it is computed."""


def program_cost(program: Program, grid: tuple[int, int] = (1, 1), images: int = 1) -> Cost:
    """What a proved program takes for images: the memory of one of them, the work of all.

    grid: rows and columns, where the program is for one place of it.
    """
    shapes = {name: _at(shape, grid) for name, shape in register_shapes(program).items()}
    last_use = {name: i for i, node in enumerate(program.nodes) for name in node.inputs}
    alive = {"x": math.prod(shapes["x"])}
    memory = work = 0
    for i, node in enumerate(program.nodes):
        values = math.prod(shapes[node.output])
        room, products = _within(node, shapes[node.inputs[0]], shapes[node.output])
        memory = max(memory, sum(alive.values()) + COPIES * values + room)
        work += images * (products + VALUE_WORK * values) + NODE_WORK * -(-images // RUN_IMAGES)
        alive[node.output] = values
        for name in {name for name in node.inputs if last_use[name] == i}:
            del alive[name]
    return Cost(memory=VALUE_BYTES * memory, work=work)


def _at(shape: tuple[int, ...], grid: tuple[int, int]) -> tuple[int, ...]:
    """A register's shape for a grid, from that for one place of it."""
    if len(shape) == 1:
        return (shape[0] * math.prod(grid),)
    return shape[0], shape[1] * grid[0], shape[2] * grid[1]


def _within(node: Node, x: tuple[int, ...], y: tuple[int, ...]) -> tuple[int, int]:
    """Values that a node takes room for besides its result, and products that it adds up."""
    match node.op:
        case "conv":
            field = math.prod(node.arrays["weight"].shape[1:])
            padded = x[0] * math.prod(side + 2 * node.attributes["padding"] for side in x[1:])
            together = max(field * y[2], min(field * y[1] * y[2], FIELDS_VALUES))
            return padded + together, field * math.prod(y)
        case "dense":
            return 0, node.arrays["weight"].size
        case "unshuffle":  # a convolution with ones and zeros, where ONNX Runtime does it
            return y[0] * x[0] * node.attributes["factor"] ** 2, 0
        case _:
            return 0, 0
