"""The networks' shapes: which nodes the encoder and the decoder have, before any weight is known.

One list of `Layer`s is read three times: by torch (training), by the freeze (the integer program), and so by
every backend. Names follow the literature: g_a is the analysis (encoder), g_s the synthesis (decoder).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from compressnet.errors import InputError
from compressnet.lossy.context import PHASES
from compressnet.networks.program import Activation, Op, Range
from compressnet.training.common.gather import SMALLEST_SIDE_PX

HIDDEN_RANGE: Range = (-32, 223)
"""Hidden activations: 8 bits, most of them for the positive side, as a leaky ReLU divides the rest by 8."""
SIGNED_RANGE: Range = (-128, 127)
LATENT_RANGE: Range = (-2047, 2047)
"""Latents before rounding: 12 bits, only ever multiplied by a gain."""
TILE_PX = 4
"""A grid of symbols has a place for each tile of so many pixels a side; other sides are extended, and cropped again."""
PIXEL_EXPONENT = 6
"""Networks see pixels in steps of 2^-6: 0 to 4 (scaled to 0..1 they learn more slowly)."""
LATENT_EXPONENT = 8
SYMBOL_EXPONENT = 7
"""Dequantized symbols are integers in steps of 2^-7, those of the gains, so that nothing is rounded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """A node to be: `outputs` and `inputs_per_output` size its weights, `step` names the exponent it shares."""

    op: Op
    inputs: tuple[str, ...]
    output: str
    step: str = ""
    outputs: int = 0
    fan_in: tuple[int, ...] = ()
    """The weight's shape without its outputs: (I,) or (I,kh,kw)."""
    attributes: Mapping[str, int] = field(default_factory=dict[str, int])
    activation: Activation = "linear"
    clamp: Range = SIGNED_RANGE
    by_quality: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Widths:
    """How large the networks are."""

    fine: int = 16
    """Channels at half of the image's side."""
    coarse: int = 32
    """Channels at a quarter of the image's side."""
    dense: int = 160
    vector: int = 32
    """Symbols that describe the image as a whole; 0 for none."""
    grid: int = 4
    """Symbols for each 4x4 pixels; 0 for none."""
    vector_group: int = 1
    """Symbols of the vector that are coded at once, each blind to the others."""
    hidden_vector: int = 8
    """Hidden units of the entropy model for each group of the vector."""
    hidden_grid: int = 20
    """Hidden units of the entropy model for each group of the grid."""
    slices: int = 0
    """Slices that the grid's channels are cut into for a convolutional entropy model; 0 for a masked MLP."""
    hidden_slice: int = 32
    """Hidden units of the convolutional entropy model, in each of its two layers, for each slice."""
    weight_limit: int = 127
    """Largest magnitude of most of the decoding part's weights as integers: a smaller one makes a smaller codec."""
    fine_blocks: int = 1
    coarse_blocks: int = 1
    analysis_blocks: int = 1
    """Residual blocks of the encoder at a quarter of the side; the decoder has `coarse_blocks`."""
    analysis_dense: int = 0
    """Width of the encoder's dense layers; 0: as the decoder's."""
    dense_blocks: int = 0
    """Residual blocks of dense layers in the decoder."""
    analysis_dense_blocks: int = 0
    """Residual blocks of dense layers in the encoder."""
    channels: int = 0
    """Channels that the networks see; fewer are mapped to them (`compressnet.training.lossy.networks.channels`); 0: the images'."""
    positions: bool = True
    """Whether the convolutional entropy model knows where in an image it is; not if sizes share a network."""
    refined: bool = False
    """Whether the encoder looks at what its first symbols decode to, and corrects them."""
    refinement_blocks: int = 2
    """Residual blocks of the refinement at a quarter of the side."""
    refinement_dense: int = 320
    linear: bool = False
    """Whether linear branches beside the networks lead from pixels to latents, and from symbols to pixels."""


def grid_shape(height: int, width: int) -> tuple[int, int]:
    """Rows and columns of the symbols' grid, one for each 4x4 pixels. Raises InputError for sides below 8 pixels."""
    if height < SMALLEST_SIDE_PX or width < SMALLEST_SIDE_PX:
        raise InputError(f"images of {height}x{width}: training takes sides from {SMALLEST_SIDE_PX} pixels up")
    return -(-height // TILE_PX), -(-width // TILE_PX)


def _extended(source: str, kind: tuple[int, int, int], layers: list[Layer]) -> str:
    """Append what makes an image's sides multiples of 4, where they are not; returns the register."""
    rows, columns = (-side % TILE_PX for side in kind[:2])
    if not rows and not columns:
        return source
    attributes = {"rows": rows, "columns": columns}
    layers.append(Layer(op="extend", inputs=(source,), output=f"{source}.extended", attributes=attributes))
    return f"{source}.extended"


def _conv(
    source: str,
    output: str,
    step: str,
    shape: tuple[int, int, int],
    *,
    activation: Activation = "leaky",
    clamp: Range = HIDDEN_RANGE,
    by_quality: bool = False,
) -> Layer:
    """A 3x3 convolution; shape: (outputs, inputs, stride)."""
    outputs, inputs, stride = shape
    return Layer(
        op="conv",
        inputs=(source,),
        output=output,
        step=step,
        outputs=outputs,
        fan_in=(inputs, 3, 3),
        attributes={"stride": stride, "padding": 1},
        activation=activation,
        clamp=clamp,
        by_quality=by_quality,
    )


def _dense(
    source: str,
    output: str,
    shape: tuple[int, int],
    *,
    step: str = "dense",
    activation: Activation = "linear",
    clamp: Range,
) -> Layer:
    """A matrix product; shape: (outputs, inputs)."""
    return Layer(
        op="dense",
        inputs=(source,),
        output=output,
        step=step,
        outputs=shape[0],
        fan_in=(shape[1],),
        activation=activation,
        clamp=clamp,
    )


def _add(
    inputs: tuple[str, str], output: str, step: str, *, activation: Activation = "leaky", clamp: Range = HIDDEN_RANGE
) -> Layer:
    """The sum of two registers, all three on one step."""
    return Layer(op="add", inputs=inputs, output=output, step=step, activation=activation, clamp=clamp)


def _append_residuals(layers: list[Layer], step: str, channels: int, blocks: int) -> str:
    """Append residual blocks to `STEP0`, `STEP1`, ..; returns the last one's register.

    The first is leaky(x + conv(leaky(conv(x)))). Later ones leave out the outer activation, so that one which is added
    to a trained network can begin as the identity (`compressnet.training.freeze.thaw`).
    """
    for i in range(1, blocks + 1):
        source, name = f"{step}{i - 1}", f"{step}{i}"
        shape = (channels, channels, 1)
        layers.append(_conv(source, f"{name}.a", f"{name}.a", shape))
        layers.append(_conv(f"{name}.a", f"{name}.b", step, shape, activation="linear", clamp=SIGNED_RANGE))
        layers.append(_add((source, f"{name}.b"), name, step, activation="leaky" if i == 1 else "linear"))
    return f"{step}{blocks}"


def _append_dense_residuals(layers: list[Layer], width: int, blocks: int) -> str:
    """Append blocks x + dense(leaky(dense(x))) to `dense`, `dense1`, ..; returns the last one's register."""
    last = "dense"
    for i in range(1, blocks + 1):
        name = f"dense{i}"
        inner = _dense(last, f"{name}.a", (width, width), step=f"{name}.a", activation="leaky", clamp=HIDDEN_RANGE)
        layers += [
            inner,
            _dense(f"{name}.a", f"{name}.b", (width, width), clamp=SIGNED_RANGE),
            _add((last, f"{name}.b"), name, "dense", activation="linear"),
        ]
        last = name
    return last


def analysis(kind: tuple[int, int, int], widths: Widths) -> list[Layer]:
    """g_a: images (N,C,H,W) to latents, registers `vector` (N,V) and `grid` (N,G,H/4,W/4) where it has such."""
    height, width, channels = kind
    rows, columns = grid_shape(height, width)
    fine, coarse = widths.fine, widths.coarse
    layers: list[Layer] = []
    x = _extended("x", kind, layers)
    layers += [
        Layer(op="unshuffle", inputs=(x,), output="patches", attributes={"factor": 2, "channels": channels}),
        _conv("patches", "fine0", "fine", (fine, 4 * channels, 1), by_quality=True),
    ]
    last = _append_residuals(layers, "fine", fine, widths.fine_blocks)
    layers.append(_conv(last, "coarse0", "coarse", (coarse, fine, 2), by_quality=True))
    last = _append_residuals(layers, "coarse", coarse, widths.analysis_blocks)
    if widths.vector:
        width = widths.analysis_dense or widths.dense
        dense = _dense(last, "dense", (width, coarse * rows * columns), activation="leaky", clamp=HIDDEN_RANGE)
        layers.append(replace(dense, by_quality=True))
        final = _append_dense_residuals(layers, width, widths.analysis_dense_blocks)
        vector = _dense(final, "vector", (widths.vector, width), step="latent", clamp=LATENT_RANGE)
        layers += _beside(vector, _straight_dense("x", widths.vector, kind, "latent"), widths)
    if widths.grid:
        grid = _conv(last, "grid", "latent", (widths.grid, coarse, 1), activation="linear", clamp=LATENT_RANGE)
        tiles = Layer(op="unshuffle", inputs=(x,), output="tiles", attributes={"factor": 4, "channels": channels})
        straight = _conv(
            "tiles", "", "latent", (widths.grid, 16 * channels, 1), activation="linear", clamp=LATENT_RANGE
        )
        layers += [tiles, *_beside(grid, straight, widths)] if widths.linear else [grid]
    return layers


def _straight_dense(source: str, outputs: int, kind: tuple[int, int, int], step: str) -> Layer:
    return _dense(source, "", (outputs, math.prod(kind)), step=step, clamp=LATENT_RANGE)


def _beside(layer: Layer, straight: Layer, widths: Widths) -> list[Layer]:
    """A layer of latents, and where the design has linear branches, one that is added to it."""
    if not widths.linear:
        return [layer]
    curved, other = f"{layer.output}.curved", f"{layer.output}.straight"
    return [
        replace(layer, output=curved),
        replace(straight, output=other),
        _add((curved, other), layer.output, "latent", activation="linear", clamp=LATENT_RANGE),
    ]


def synthesis(kind: tuple[int, int, int], widths: Widths) -> list[Layer]:
    """g_s: dequantized symbols, registers `vector` (N,V) and `grid` (N,G,H/4,W/4), to images (N,C,H,W)."""
    height, width, channels = kind
    rows, columns = grid_shape(height, width)
    fine, coarse = widths.fine, widths.coarse
    layers: list[Layer] = []
    if widths.vector:
        shape = {"channels": coarse, "height": rows, "width": columns}
        dense = _dense("vector", "dense", (widths.dense, widths.vector), activation="leaky", clamp=HIDDEN_RANGE)
        inner = [replace(dense, by_quality=True)]
        final = _append_dense_residuals(inner, widths.dense, widths.dense_blocks)
        flat = _dense(final, "flat", (coarse * rows * columns, widths.dense), step="coarse", clamp=SIGNED_RANGE)
        layers += [
            *inner,
            flat if widths.grid else replace(flat, activation="leaky", clamp=HIDDEN_RANGE),
            Layer(op="reshape", inputs=("flat",), output="global" if widths.grid else "coarse0", attributes=shape),
        ]
    if widths.grid:
        local = _conv("grid", "local", "coarse", (coarse, widths.grid, 1), by_quality=True)
        if widths.vector:
            layers.append(replace(local, activation="linear", clamp=SIGNED_RANGE))
            layers.append(_add(("global", "local"), "coarse0", "coarse"))
        else:
            layers.append(replace(local, output="coarse0"))
    last = _append_residuals(layers, "coarse", coarse, widths.coarse_blocks)
    layers += [
        _conv(last, "up", "fine", (4 * fine, coarse, 1), by_quality=True),
        Layer(op="shuffle", inputs=("up",), output="fine0", attributes={"factor": 2}),
    ]
    last = _append_residuals(layers, "fine", fine, widths.fine_blocks)
    cropped: list[Layer] = []
    whole = "y"
    if height % TILE_PX or width % TILE_PX:
        whole, attributes = "whole", {"height": height, "width": width}
        cropped = [Layer(op="crop", inputs=("whole",), output="y", attributes=attributes)]
    pixels = _conv(last, "pixels", "pixels", (4 * channels, fine, 1), activation="linear", clamp=(0, 255))
    shuffled = Layer(op="shuffle", inputs=("pixels",), output=whole, attributes={"factor": 2})
    if not widths.linear:
        return [*layers, pixels, shuffled, *cropped]
    layers += [replace(pixels, clamp=LATENT_RANGE), replace(shuffled, output="curved")]
    branches = ["curved"]
    if widths.vector:
        shape = {"channels": channels, "height": TILE_PX * rows, "width": TILE_PX * columns}
        total = math.prod(shape.values())
        straight = _dense("vector", "flatpixels", (total, widths.vector), step="pixels", clamp=LATENT_RANGE)
        layers += [straight, Layer(op="reshape", inputs=("flatpixels",), output="straight", attributes=shape)]
        branches.append("straight")
    if widths.grid:
        shape = (16 * channels, widths.grid, 1)
        layers += [
            _conv("grid", "tiles", "pixels", shape, activation="linear", clamp=LATENT_RANGE),
            Layer(op="shuffle", inputs=("tiles",), output="tiled", attributes={"factor": 4}),
        ]
        branches.append("tiled")
    while len(branches) > 2:
        first, second, *branches = branches
        layers.append(_add((first, second), f"{first}.{second}", "pixels", activation="linear", clamp=LATENT_RANGE))
        branches.insert(0, f"{first}.{second}")
    both = _add((branches[0], branches[1]), whole, "pixels", activation="linear", clamp=(0, 255))
    return [*layers, both, *cropped]


def refinement(kind: tuple[int, int, int], widths: Widths) -> list[Layer]:
    """g_r: images `x` and what the decoding of a first encoding lacks, `error`, to corrections of the latents.

    Both are (N,C,H,W); the corrections are registers `vector` and `grid`. One step of iterative amortized inference
    (Marino et al., arXiv:1807.09356).
    """
    height, width, channels = kind
    rows, columns = grid_shape(height, width)
    fine, coarse = widths.fine, widths.coarse
    unshuffled = {"factor": 2, "channels": channels}
    shape = {"channels": 8 * channels, "height": 2 * rows, "width": 2 * columns}
    layers: list[Layer] = []
    x, error = (_extended(name, kind, layers) for name in ("x", "error"))
    layers += [
        Layer(op="unshuffle", inputs=(x,), output="patches", attributes=unshuffled),
        Layer(op="unshuffle", inputs=(error,), output="errors", attributes=unshuffled),
        Layer(op="concat", inputs=("patches", "errors"), output="both"),
        Layer(op="reshape", inputs=("both",), output="stacked", attributes=shape),
        _conv("stacked", "fine0", "fine", (fine, 8 * channels, 1), by_quality=True),
    ]
    last = _append_residuals(layers, "fine", fine, widths.fine_blocks)
    layers.append(_conv(last, "coarse0", "coarse", (coarse, fine, 2), by_quality=True))
    last = _append_residuals(layers, "coarse", coarse, widths.refinement_blocks)
    if widths.vector:
        units = widths.refinement_dense
        dense = _dense(last, "dense", (units, coarse * rows * columns), activation="leaky", clamp=HIDDEN_RANGE)
        layers.append(replace(dense, by_quality=True))
        layers.append(_dense("dense", "vector", (widths.vector, units), step="latent", clamp=LATENT_RANGE))
    if widths.grid:
        layers.append(_conv(last, "grid", "latent", (widths.grid, coarse, 1), activation="linear", clamp=LATENT_RANGE))
    return layers


def symbol_groups(kind: tuple[int, int, int], widths: Widths) -> list[list[int]]:
    """The order of coding: lists of symbol indices, each list coded given all lists before it.

    First the vector, `vector_group` symbols at a time. Then the grid, channel by channel, each in four interleaved
    phases, so that a position's neighbours are known by the time of the later phases.
    """
    rows, columns = grid_shape(kind[0], kind[1])
    step = widths.vector_group
    groups = [list(range(i, min(i + step, widths.vector))) for i in range(0, widths.vector, step)]
    for channel in range(widths.grid):
        for phase_row, phase_column in PHASES:
            groups.append(
                [
                    widths.vector + (channel * rows + row) * columns + column
                    for row in range(phase_row, rows, 2)
                    for column in range(phase_column, columns, 2)
                ]
            )
    return groups
