"""The networks' shapes: which nodes the encoder and the decoder have, before any weight is known.

One list of `Layer`s is read three times: by torch (training), by the freeze (the integer program), and so by
every backend. Names follow the literature: g_a is the analysis (encoder), g_s the synthesis (decoder).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from compressnet.errors import InputError
from compressnet.exact import Activation, Op, Range

HIDDEN_RANGE: Range = (-32, 223)
"""Hidden activations: 8 bits, most of them for the positive side, as a leaky ReLU divides the rest by 8."""
SIGNED_RANGE: Range = (-128, 127)
LATENT_RANGE: Range = (-2047, 2047)
"""Latents before rounding: 12 bits, only ever multiplied by a gain."""
PIXEL_EXPONENT = 6
"""Networks see pixels in steps of 2^-6: 0 to 4 (scaled to 0..1 they learn more slowly)."""
LATENT_EXPONENT = 8
SYMBOL_EXPONENT = 4
"""Dequantized symbols are 8-bit integers in steps of 2^-4."""


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
    """Symbols that describe the image as a whole."""
    grid: int = 4
    """Symbols for each 4x4 pixels."""
    hidden_vector: int = 8
    """Hidden units of the entropy model for each symbol of the vector."""
    hidden_grid: int = 20
    """Hidden units of the entropy model for each group of the grid."""
    fine_blocks: int = 1
    coarse_blocks: int = 1


def grid_shape(height: int, width: int) -> tuple[int, int]:
    """Rows and columns of the symbols' grid. Raises InputError for sides that are not a multiple of 4."""
    if height % 4 or width % 4 or height < 8 or width < 8:
        raise InputError(
            f"images of {height}x{width}: training takes sides that are multiples of 4 from 8 up; "
            "pad or crop the images first"
        )
    return height // 4, width // 4


def _conv(source: str, output: str, step: str, shape: tuple[int, int, int], **changes: object) -> Layer:
    outputs, inputs, stride = shape
    base: dict[str, object] = {
        "activation": "leaky",
        "clamp": HIDDEN_RANGE,
        "attributes": {"stride": stride, "padding": 1},
        "fan_in": (inputs, 3, 3),
    }
    return Layer(op="conv", inputs=(source,), output=output, step=step, outputs=outputs, **(base | changes))  # pyright: ignore[reportArgumentType]


def _residual(source: str, name: str, step: str, channels: int) -> list[Layer]:
    """leaky(x + conv(leaky(conv(x)))), all on x's step where it adds."""
    return [
        _conv(source, f"{name}.a", f"{name}.a", (channels, channels, 1)),
        _conv(f"{name}.a", f"{name}.b", step, (channels, channels, 1), activation="linear", clamp=SIGNED_RANGE),
        Layer(
            op="add",
            inputs=(source, f"{name}.b"),
            output=name,
            step=step,
            activation="leaky",
            clamp=HIDDEN_RANGE,
        ),
    ]


def analysis(kind: tuple[int, int, int], widths: Widths) -> list[Layer]:
    """g_a: images (N,C,H,W) -> latents: register `vector` (N,V) and `grid` (N,G*H/4*W/4)."""
    height, width, channels = kind
    rows, columns = grid_shape(height, width)
    fine, coarse = widths.fine, widths.coarse
    layers = [
        Layer(op="unshuffle", inputs=("x",), output="patches", attributes={"factor": 2, "channels": channels}),
        _conv("patches", "fine0", "fine", (fine, 4 * channels, 1), by_quality=True),
    ]
    last = "fine0"
    for i in range(widths.fine_blocks):
        layers += _residual(last, f"fine{i + 1}", "fine", fine)
        last = f"fine{i + 1}"
    layers.append(_conv(last, "coarse0", "coarse", (coarse, fine, 2), by_quality=True))
    last = "coarse0"
    for i in range(widths.coarse_blocks):
        layers += _residual(last, f"coarse{i + 1}", "coarse", coarse)
        last = f"coarse{i + 1}"
    return [
        *layers,
        Layer(
            op="dense",
            inputs=(last,),
            output="dense",
            step="dense",
            outputs=widths.dense,
            fan_in=(coarse * rows * columns,),
            activation="leaky",
            clamp=HIDDEN_RANGE,
            by_quality=True,
        ),
        Layer(
            op="dense",
            inputs=("dense",),
            output="vector",
            step="latent",
            outputs=widths.vector,
            fan_in=(widths.dense,),
            clamp=LATENT_RANGE,
        ),
        _conv(last, "grid", "latent", (widths.grid, coarse, 1), activation="linear", clamp=LATENT_RANGE),
    ]


def synthesis(kind: tuple[int, int, int], widths: Widths) -> list[Layer]:
    """g_s: dequantized symbols, registers `vector` (N,V) and `grid` (N,G,H/4,W/4) -> images (N,C,H,W)."""
    height, width, channels = kind
    rows, columns = grid_shape(height, width)
    fine, coarse = widths.fine, widths.coarse
    layers = [
        Layer(
            op="dense",
            inputs=("vector",),
            output="dense",
            step="dense",
            outputs=widths.dense,
            fan_in=(widths.vector,),
            activation="leaky",
            clamp=HIDDEN_RANGE,
            by_quality=True,
        ),
        Layer(
            op="dense",
            inputs=("dense",),
            output="flat",
            step="coarse",
            outputs=coarse * rows * columns,
            fan_in=(widths.dense,),
        ),
        Layer(
            op="reshape",
            inputs=("flat",),
            output="global",
            attributes={"channels": coarse, "height": rows, "width": columns},
        ),
        _conv(
            "grid",
            "local",
            "coarse",
            (coarse, widths.grid, 1),
            activation="linear",
            clamp=SIGNED_RANGE,
            by_quality=True,
        ),
        Layer(
            op="add",
            inputs=("global", "local"),
            output="coarse0",
            step="coarse",
            activation="leaky",
            clamp=HIDDEN_RANGE,
        ),
    ]
    last = "coarse0"
    for i in range(widths.coarse_blocks):
        layers += _residual(last, f"coarse{i + 1}", "coarse", coarse)
        last = f"coarse{i + 1}"
    layers += [
        _conv(last, "up", "fine", (4 * fine, coarse, 1), by_quality=True),
        Layer(op="shuffle", inputs=("up",), output="fine0", attributes={"factor": 2}),
    ]
    last = "fine0"
    for i in range(widths.fine_blocks):
        layers += _residual(last, f"fine{i + 1}", "fine", fine)
        last = f"fine{i + 1}"
    return [
        *layers,
        _conv(last, "pixels", "pixels", (4 * channels, fine, 1), activation="linear", clamp=(0, 255)),
        Layer(op="shuffle", inputs=("pixels",), output="y", attributes={"factor": 2}),
    ]


def symbol_groups(kind: tuple[int, int, int], widths: Widths) -> list[list[int]]:
    """The order of coding: lists of symbol indices, each list coded given all lists before it.

    First the vector, one symbol at a time. Then the grid, channel by channel, each in four interleaved
    phases, so that a position's neighbours are known by the time of the later phases.
    """
    rows, columns = grid_shape(kind[0], kind[1])
    groups = [[i] for i in range(widths.vector)]
    for channel in range(widths.grid):
        for phase_row, phase_column in ((0, 0), (1, 1), (0, 1), (1, 0)):
            groups.append(
                [
                    widths.vector + (channel * rows + row) * columns + column
                    for row in range(phase_row, rows, 2)
                    for column in range(phase_column, columns, 2)
                ]
            )
    return groups
