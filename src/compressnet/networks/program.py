"""Integer networks, computed exactly with float32 arithmetic.

They define every symbol and pixel. A `Program` is a straight line of `Node`s over named registers
that hold integers. The matrix products (`conv`, `dense`) accumulate integer products; every
partial sum of theirs stays below 2^24, where float32 is exact whatever the order of the additions,
so any BLAS gives the same integers. What follows a sum is

    out = clamp(floor(act(sum) * 2^-shift + 1/2), low, high)

with `act` the identity or a leaky ReLU of slope 1/8: multiplications by powers of two, a floor and
a clamp, each of them exact. `compressnet.networks.proof.prove` derives the range of every register
and refuses a program that could leave the exact range; no program runs unproved. docs/FORMAT.md
states the same in integers alone.

Axes: N images, C channels, H rows, W columns, D symbols, O outputs, I inputs, Q qualities.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

Op = Literal["conv", "dense", "add", "gain", "concat", "slice", "reshape", "shuffle", "unshuffle", "crop", "extend"]
Activation = Literal["linear", "leaky"]
Range = tuple[int, int]
Float32 = NDArray[np.float32]
Integer = TypeVar("Integer", bound=np.integer)

MOVING_OPS: tuple[Op, ...] = ("concat", "slice", "reshape", "shuffle", "unshuffle", "crop", "extend")
"""Ops that move values and compute none."""
OPS: tuple[Op, ...] = ("conv", "dense", "add", "gain", *MOVING_OPS)
LEAKY_SHIFT = 3
"""The leaky ReLU's slope on the negative side is 2^-LEAKY_SHIFT."""
QUALITIES = 100
"""Lossy qualities are 0 to 99."""
ANCHOR_STEP = 9
"""Biases that depend on the quality are stored at the qualities 0, 9, ..

99 and are linear in between.
"""
ANCHORS = (QUALITIES - 1) // ANCHOR_STEP + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One step of a program.

    op, inputs, output: what is computed, from which registers, into which.
    attributes: small integers by name: `stride`, `padding` (conv), `factor` (shuffle, unshuffle),
    `start`, `stop` (slice), `channels`, `height`, `width` (reshape; unshuffle has `channels` too,
    crop the other two), `rows`, `columns` (extend).
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

    @property
    def leaky(self) -> bool:
        """Whether its activation is leaky; a gain is linear, whatever it says."""
        return self.activation == "leaky" and self.op != "gain"


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """Nodes in order of execution, from the register `x` to the register `y`."""

    nodes: tuple[Node, ...]
    input_range: Range
    input_shape: tuple[int, ...]
    """Without N: (C,H,W) for images, (D,) for symbols."""


class Runner(Protocol):
    """A program made ready to run, by some backend."""

    def __call__(self, batch: NDArray[np.integer], quality: int, dtype: type[Integer]) -> NDArray[Integer]:
        """Run a batch of integers, (N,H,W,C) or (N,D), at a quality of 0 to 99.

        Returns (N,H,W,C) or (N,D). Unlike registers, images are channels last on both sides.
        dtype: of the result, int32 or smaller; values beyond its range are clamped.
        """
        ...


class Backend(Protocol):
    """What makes programs ready to run. All backends give the same integers, to the last bit."""

    name: str

    def compile(self, program: Program, output_shape: tuple[int, ...], like: Runner | None = None) -> Runner:
        """Make a proved program ready to run; output_shape is (C,H,W) or (D,).

        like: what this backend made of such a program for images of another size; weights that are
        the same arrays may be shared with it.
        """
        ...
