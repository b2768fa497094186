"""The networks' shapes: which nodes encoder, decoder and refinement have.

A list of `Layer`s is read three times: by torch (training), by the freeze (the integer program),
and so by every backend. Names follow the literature: g_a is the analysis (encoder), g_s the
synthesis (decoder).
"""

from __future__ import annotations

import math
from dataclasses import replace

from compressnet.lossy.context import PHASES
from compressnet.training.lossy.networks.formats import HIDDEN_RANGE, LATENT_RANGE, PIXEL_LIMIT, SIGNED_RANGE
from compressnet.training.lossy.networks.layer_list import (
    Layer,
    add,
    append_dense_residuals,
    append_residuals,
    conv,
    dense,
    extended,
)
from compressnet.training.lossy.networks.widths import Widths


def analysis(kind: tuple[int, int, int], widths: Widths) -> list[Layer]:
    """g_a: images (N,C,H,W) to latents.

    They are registers `vector` (N,V) and `grid` (N,G,R,C), or one of the two.
    """
    height, width, channels = kind
    rows, columns = widths.grid_shape(height, width)
    fine, coarse, patch_px = widths.fine, widths.coarse, widths.patch_px
    layers: list[Layer] = []
    x = extended("x", kind, widths, layers)
    layers += [
        Layer(op="unshuffle", inputs=(x,), output="patches", attributes={"factor": patch_px, "channels": channels}),
        conv("patches", "fine0", "fine", (fine, patch_px**2 * channels, 1), by_quality=True),
    ]
    last = append_residuals(layers, "fine", fine, widths.fine_blocks)
    layers.append(conv(last, "coarse0", "coarse", (coarse, fine, 2), by_quality=True))
    last = append_residuals(layers, "coarse", coarse, widths.analysis_blocks)
    if widths.deep:
        layers.append(conv(last, "deep0", "deep", (widths.deep, coarse, 2), by_quality=True))
        last = append_residuals(layers, "deep", widths.deep, widths.deep_blocks)
    inner = widths.deep or coarse
    if widths.vector:
        width = widths.analysis_dense or widths.dense
        hidden = dense(
            last, "dense", (width, inner * rows * columns), activation="leaky", clamp=HIDDEN_RANGE, by_quality=True
        )
        layers.append(hidden)
        final = append_dense_residuals(layers, width, widths.analysis_dense_blocks)
        vector = dense(final, "vector", (widths.vector, width), step="latent", clamp=LATENT_RANGE)
        layers += _beside(vector, _straight_dense("x", widths.vector, kind, "latent"), widths)
    if widths.grid:
        grid = conv(last, "grid", "latent", (widths.grid, inner, 1), activation="linear", clamp=LATENT_RANGE)
        attributes = {"factor": widths.tile_px, "channels": channels}
        tiles = Layer(op="unshuffle", inputs=(x,), output="tiles", attributes=attributes)
        shape = (widths.grid, widths.tile_px**2 * channels, 1)
        straight = conv("tiles", "", "latent", shape, activation="linear", clamp=LATENT_RANGE)
        layers += [tiles, *_beside(grid, straight, widths)] if widths.linear else [grid]
    return layers


def _straight_dense(source: str, outputs: int, kind: tuple[int, int, int], step: str) -> Layer:
    return dense(source, "", (outputs, math.prod(kind)), step=step, clamp=LATENT_RANGE)


def _beside(layer: Layer, straight: Layer, widths: Widths) -> list[Layer]:
    """A layer of latents, and if the design has linear branches, one that is added to it."""
    if not widths.linear:
        return [layer]
    curved, other = f"{layer.output}.curved", f"{layer.output}.straight"
    return [
        replace(layer, output=curved),
        replace(straight, output=other),
        add((curved, other), layer.output, "latent", activation="linear", clamp=LATENT_RANGE),
    ]


def synthesis(kind: tuple[int, int, int], widths: Widths) -> list[Layer]:
    """g_s: dequantized symbols to images (N,C,H,W).

    The symbols are registers `vector` (N,V) and `grid` (N,G,R,C), or one of the two.
    """
    height, width, channels = kind
    rows, columns = widths.grid_shape(height, width)
    fine, coarse, patch_px = widths.fine, widths.coarse, widths.patch_px
    layers: list[Layer] = []
    if widths.vector:
        shape = {"channels": coarse, "height": rows, "width": columns}
        hidden = dense(
            "vector", "dense", (widths.dense, widths.vector), activation="leaky", clamp=HIDDEN_RANGE, by_quality=True
        )
        inner = [hidden]
        final = append_dense_residuals(inner, widths.dense, widths.dense_blocks)
        flat = dense(final, "flat", (coarse * rows * columns, widths.dense), step="coarse", clamp=SIGNED_RANGE)
        layers += [
            *inner,
            flat if widths.grid else replace(flat, activation="leaky", clamp=HIDDEN_RANGE),
            Layer(op="reshape", inputs=("flat",), output="global" if widths.grid else "coarse0", attributes=shape),
        ]
    if widths.deep:
        layers.append(conv("grid", "deep0", "deep", (widths.deep, widths.grid, 1), by_quality=True))
        last = append_residuals(layers, "deep", widths.deep, widths.deep_blocks)
        layers += [
            conv(last, "rise", "coarse", (4 * coarse, widths.deep, 1), by_quality=True),
            Layer(op="shuffle", inputs=("rise",), output="coarse0", attributes={"factor": 2}),
        ]
    elif widths.grid:
        local = conv("grid", "local", "coarse", (coarse, widths.grid, 1), by_quality=True)
        if widths.vector:
            layers.append(replace(local, activation="linear", clamp=SIGNED_RANGE))
            layers.append(add(("global", "local"), "coarse0", "coarse"))
        else:
            layers.append(replace(local, output="coarse0"))
    last = append_residuals(layers, "coarse", coarse, widths.coarse_blocks)
    layers += [
        conv(last, "up", "fine", (4 * fine, coarse, 1), by_quality=True),
        Layer(op="shuffle", inputs=("up",), output="fine0", attributes={"factor": 2}),
    ]
    last = append_residuals(layers, "fine", fine, widths.fine_blocks)
    cropped: list[Layer] = []
    whole = "y"
    if (height, width) != (widths.tile_px * rows, widths.tile_px * columns):
        whole, attributes = "whole", {"height": height, "width": width}
        cropped = [Layer(op="crop", inputs=("whole",), output="y", attributes=attributes)]
    shape = (patch_px**2 * channels, fine, 1)
    pixels = conv(last, "pixels", "pixels", shape, activation="linear", clamp=(0, PIXEL_LIMIT))
    shuffled = Layer(op="shuffle", inputs=("pixels",), output=whole, attributes={"factor": patch_px})
    if not widths.linear:
        return [*layers, pixels, shuffled, *cropped]
    layers += [replace(pixels, clamp=LATENT_RANGE), replace(shuffled, output="curved")]
    branches = ["curved"]
    if widths.vector:
        shape = {"channels": channels, "height": widths.tile_px * rows, "width": widths.tile_px * columns}
        total = math.prod(shape.values())
        straight = dense("vector", "flatpixels", (total, widths.vector), step="pixels", clamp=LATENT_RANGE)
        layers += [straight, Layer(op="reshape", inputs=("flatpixels",), output="straight", attributes=shape)]
        branches.append("straight")
    if widths.grid:
        shape = (widths.tile_px**2 * channels, widths.grid, 1)
        layers += [
            conv("grid", "tiles", "pixels", shape, activation="linear", clamp=LATENT_RANGE),
            Layer(op="shuffle", inputs=("tiles",), output="tiled", attributes={"factor": widths.tile_px}),
        ]
        branches.append("tiled")
    while len(branches) > 2:
        first, second, *branches = branches
        layers.append(add((first, second), f"{first}.{second}", "pixels", activation="linear", clamp=LATENT_RANGE))
        branches.insert(0, f"{first}.{second}")
    both = add((branches[0], branches[1]), whole, "pixels", activation="linear", clamp=(0, PIXEL_LIMIT))
    return [*layers, both, *cropped]


def refinement(kind: tuple[int, int, int], widths: Widths) -> list[Layer]:
    """g_r: images, and what a first encoding of them misses, to corrections of the latents.

    Registers `x` and `error`, (N,C,H,W) each, to `vector` and `grid`. One step of iterative
    amortized inference (Marino et al., arXiv:1807.09356).
    """
    height, width, channels = kind
    rows, columns = widths.grid_shape(height, width)
    fine, coarse = widths.fine, widths.coarse
    patch_values, patches = widths.patch_px**2 * channels, widths.tile_px // widths.patch_px
    unshuffled = {"factor": widths.patch_px, "channels": channels}
    shape = {"channels": 2 * patch_values, "height": patches * rows, "width": patches * columns}
    layers: list[Layer] = []
    x, error = (extended(name, kind, widths, layers) for name in ("x", "error"))
    layers += [
        Layer(op="unshuffle", inputs=(x,), output="patches", attributes=unshuffled),
        Layer(op="unshuffle", inputs=(error,), output="errors", attributes=unshuffled),
        Layer(op="concat", inputs=("patches", "errors"), output="both"),
        Layer(op="reshape", inputs=("both",), output="stacked", attributes=shape),
        conv("stacked", "fine0", "fine", (fine, 2 * patch_values, 1), by_quality=True),
    ]
    last = append_residuals(layers, "fine", fine, widths.fine_blocks)
    layers.append(conv(last, "coarse0", "coarse", (coarse, fine, 2), by_quality=True))
    last = append_residuals(layers, "coarse", coarse, widths.refinement_blocks)
    if widths.vector:
        units = widths.refinement_dense
        hidden = dense(
            last, "dense", (units, coarse * rows * columns), activation="leaky", clamp=HIDDEN_RANGE, by_quality=True
        )
        layers.append(hidden)
        layers.append(dense("dense", "vector", (widths.vector, units), step="latent", clamp=LATENT_RANGE))
    if widths.grid:
        layers.append(conv(last, "grid", "latent", (widths.grid, coarse, 1), activation="linear", clamp=LATENT_RANGE))
    return layers


def symbol_groups(kind: tuple[int, int, int], widths: Widths) -> list[list[int]]:
    """The order of coding: lists of symbol indices, each list coded given all lists before it.

    First the vector, `vector_group` symbols at a time. Then the grid, channel by channel, each in
    four interleaved phases, so that a position's neighbours are known by the time of the later
    phases.
    """
    rows, columns = widths.grid_shape(kind[0], kind[1])
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
