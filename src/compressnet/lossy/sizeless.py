"""A network without a size: written for one tile of an image, it is laid out for any size.

An image is a grid of tiles, at least two rows and two columns of them; it is extended to whole
tiles and cropped again. Every op of such a network works at each place of the grid alike, so that
its weights are those of all sizes and only shapes follow from the grid. `at` lays it out: it puts
the size into the few nodes that have one, and what maps channels, extends and crops around them.
Arrays are shared, not copied.

What is proved of it holds for every size: sums do not depend on the size, and each register is as
many times as high as the grid has rows, and as many times as wide as it has columns, as it is for
one tile (`prove_sizeless`). docs/FORMAT.md, "Networks without a size".

Axes: C channels, G channels of the grid, U hidden units.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from compressnet.errors import CorruptError
from compressnet.images.kinds import Kind, size_text
from compressnet.limits import (
    CHANNELS_LIMIT,
    REGISTER_VALUES_LIMIT,
    SIDE_LIMIT_PX,
    SIZELESS_SYMBOLS_LIMIT,
    TILE_LIMIT_PX,
)
from compressnet.lossy.context import ContextPrior, ContextSlice, context_order, pyramid_lattices
from compressnet.lossy.network import Network, covers
from compressnet.lossy.probe import SizelessProbe
from compressnet.lossy.promotion import demotion, promotion, served_channels
from compressnet.networks.program import Node, Op, Program
from compressnet.networks.proof import prove, register_shapes

SMALLEST_GRID = 2
"""Rows and columns that a grid has at least."""
_PROVED_GRID = (SMALLEST_GRID, SMALLEST_GRID)
SIZELESS_OPS: tuple[Op, ...] = ("conv", "add", "gain", "concat", "reshape", "shuffle", "unshuffle")
"""Ops that do at every place of the grid what they do at one."""
_MAPPED, _WHOLE = "mapped {}", "whole {}"
"""Registers of nodes that are put around; no register of a codec has a space in its name."""


def grid_of(height: int, width: int, tile_px: int) -> tuple[int, int]:
    """Rows and columns of tiles that an image of a size has."""
    return max(SMALLEST_GRID, -(-height // tile_px)), max(SMALLEST_GRID, -(-width // tile_px))


@dataclass(frozen=True, slots=True, kw_only=True)
class SizelessNetwork:
    """What codes images of any size over a range of qualities."""

    channels: int
    """Those that its pixels have inside."""
    served: tuple[int, ...]
    """How many channels images may have, rising; those of fewer are mapped to its own."""
    tile_px: int
    """Pixels of a side for each place of the grid."""
    qualities: tuple[int, int]
    """Lowest and highest, both included."""
    encoder: Program | None
    """For one tile: (C,T,T) to (G,)."""
    decoder: Program
    """For one tile: (G,) to (C,T,T)."""
    prior: ContextPrior
    """For a grid of one place, which is coded by none."""
    probe: SizelessProbe
    lambdas: NDArray[np.float32] | None
    """(100,), as those of a network for one size."""

    @property
    def kind(self) -> Kind:
        """Its own channels; 0 stands for any height and width."""
        return 0, 0, self.channels

    def has_quality(self, quality: int) -> bool:
        """Whether it codes at a quality."""
        return covers(self.qualities, quality)

    def symbols_of(self, kind: Kind) -> int:
        """How many symbols an image has."""
        return int(self.prior.grid[0]) * math.prod(grid_of(kind[0], kind[1], self.tile_px))

    def why_not(self, kind: Kind) -> str | None:
        """Why it does not code images of a kind; None where it does."""
        if kind[2] not in self.served:
            return f"it codes images of {self.channels_text()} channels"
        if min(kind) < 1 or max(kind[:2]) > SIDE_LIMIT_PX or self.symbols_of(kind) > SIZELESS_SYMBOLS_LIMIT:
            return f"images of {size_text(kind[:2])} are too large for it"
        places = math.prod(grid_of(kind[0], kind[1], self.tile_px))
        if places * self._largest_register() > REGISTER_VALUES_LIMIT:
            return f"images of {size_text(kind[:2])} are too large for it"
        return None

    def channels_text(self) -> str:
        """How many channels images may have, in words."""
        return " or ".join(map(str, self.served))

    def _largest_register(self) -> int:
        """Values of the largest register of one tile."""
        programs = [program for program in (self.encoder, self.decoder) if program is not None]
        return max(math.prod(shape) for program in programs for shape in register_shapes(program).values())

    def at(self, kind: Kind) -> Network:
        """The network laid out for images of a kind that it codes."""
        assert self.why_not(kind) is None
        height, width, channels = kind
        grid = grid_of(height, width, self.tile_px)
        encoder = None
        if self.encoder is not None:
            encoder = Program(
                nodes=_encoder_nodes(self, kind, self.encoder),
                input_range=(0, 255),
                input_shape=(channels, height, width),
            )
        nodes = _decoder_nodes(self, kind)
        return Network(
            kind=kind,
            qualities=self.qualities,
            encoder=encoder,
            decoder=Program(nodes=nodes, input_range=self.decoder.input_range, input_shape=(self.symbols_of(kind),)),
            prior=_prior_at(self.prior, nodes[0], grid),
            probe=None,
            lambdas=self.lambdas,
        )


AnyNetwork = Network | SizelessNetwork
"""For images of one kind, or of any size."""


def prove_sizeless(network: SizelessNetwork) -> None:
    """Prove that float32 computes a network exactly, at every size. Raises CorruptError."""
    channels, tile_px, served = network.channels, network.tile_px, network.served
    if not (1 <= channels <= CHANNELS_LIMIT and 1 <= tile_px <= TILE_LIMIT_PX):
        raise CorruptError(f"a network codes images of {channels} channels in tiles of {tile_px} px, beyond the limits")
    if not served or list(served) != sorted(set(served)) or not set(served) <= set(served_channels(channels)):
        raise CorruptError(f"a network of {channels} channels is for images of {network.channels_text()} channels")
    symbols = int(network.prior.grid[0])
    shape = (channels, tile_px, tile_px)
    if prove(network.decoder, shape) != (0, 255):
        raise CorruptError("a decoder's pixels are not clamped to 0..255")
    _require_uniform(network.decoder)
    if network.encoder is not None:
        prove(network.encoder, (symbols,))
        _require_uniform(network.encoder)
    rows, columns = _PROVED_GRID
    laid_out = _prior_at(network.prior, _scaled(network.decoder.nodes[0], rows, columns), _PROVED_GRID)
    laid_out.prove(symbols * rows * columns)


def _require_uniform(program: Program) -> None:
    """Refuse nodes whose shapes do not grow with the grid. Raises CorruptError."""
    shapes = register_shapes(program)
    for node in program.nodes:
        height_and_width = shapes[node.inputs[0]][1:]
        fits = node.op in SIZELESS_OPS
        if node.op == "conv":
            side = 2 * node.attributes["padding"] + 1
            is_centred = node.arrays["weight"].shape[2:] == (side, side)
            fits = is_centred and all(length % node.attributes["stride"] == 0 for length in height_and_width)
        if node.op == "gain":
            fits = bool((node.arrays["repeats"] == 1).all())
        if not fits:
            raise CorruptError(f"network node {node.output!r} ({node.op}) does not fit a network without a size")


def _encoder_nodes(network: SizelessNetwork, kind: Kind, encoder: Program) -> tuple[Node, ...]:
    """From the images as they are to their symbols."""
    height, width, channels = kind
    rows, columns = grid_of(height, width, network.tile_px)
    nodes: list[Node] = []
    source = "x"
    mapping = promotion(channels, network.channels)
    if mapping is not None:
        nodes.append(mapping.node(source, _MAPPED.format("x")))
        source = _MAPPED.format("x")
    added = {"rows": rows * network.tile_px - height, "columns": columns * network.tile_px - width}
    if any(added.values()):
        nodes.append(Node(op="extend", inputs=(source,), output=_WHOLE.format("x"), attributes=added))
        source = _WHOLE.format("x")
    return (*nodes, *_laid_out(encoder, (rows, columns), {"x": source}))


def _decoder_nodes(network: SizelessNetwork, kind: Kind) -> tuple[Node, ...]:
    """From symbols to the images as they are."""
    height, width, channels = kind
    grid = grid_of(height, width, network.tile_px)
    mapping = demotion(network.channels, channels)
    is_whole = (height, width) == (grid[0] * network.tile_px, grid[1] * network.tile_px)
    mapped = "y" if mapping is None else _MAPPED.format("y")
    whole = mapped if is_whole else _WHOLE.format("y")
    nodes = list(_laid_out(network.decoder, grid, {"y": whole}))
    if not is_whole:
        nodes.append(Node(op="crop", inputs=(whole,), output=mapped, attributes={"height": height, "width": width}))
    if mapping is not None:
        nodes.append(mapping.node(mapped, "y"))
    return tuple(nodes)


def _laid_out(program: Program, grid: tuple[int, int], renamed: dict[str, str]) -> tuple[Node, ...]:
    """A program's nodes for a grid, some of its registers under other names."""
    nodes = (_scaled(node, *grid) for node in program.nodes)
    return tuple(
        replace(
            node,
            inputs=tuple(renamed.get(name, name) for name in node.inputs),
            output=renamed.get(node.output, node.output),
        )
        for node in nodes
    )


def _scaled(node: Node, rows: int, columns: int) -> Node:
    """A node for a grid."""
    if node.op == "reshape":
        a = node.attributes
        return replace(node, attributes={**a, "height": a["height"] * rows, "width": a["width"] * columns})
    if node.op == "gain":
        return replace(node, arrays={**node.arrays, "repeats": node.arrays["repeats"] * np.int32(rows * columns)})
    return node


def _prior_at(prior: ContextPrior, dequantize: Node, grid: tuple[int, int]) -> ContextPrior:
    """An entropy model for a grid; it knows no rows and columns."""
    shape = np.array([prior.grid[0], *grid], np.int32)
    has_pyramid = prior.pyramid is not None
    order, group_symbols = context_order(shape, prior.slice_channels, has_pyramid=has_pyramid)
    bound = prior.bound
    if has_pyramid and bound.shape[1]:  # its groups have the bound of the phase that they make up
        bound = np.concatenate([bound[:, :1].repeat(len(pyramid_lattices(*grid)), axis=1), bound[:, 1:]], axis=1)
    return replace(
        prior,
        order=order,
        group_symbols=group_symbols,
        dequantize=dequantize,
        grid=shape,
        bound=bound,
        slices=tuple(_slice_at(part, grid) for part in prior.slices),
        pyramid=None if prior.pyramid is None else _slice_at(prior.pyramid, grid),
    )


def _slice_at(part: ContextSlice, grid: tuple[int, int]) -> ContextSlice:
    row, column = (np.zeros((places, len(part.shift)), np.int32) for places in grid)
    return replace(part, row=row, column=column)
