"""What a network takes to read images, as its arrays tell: a bound for every backend.

Axes: D symbols, G groups, A values of an alphabet.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from compressnet.images.kinds import Kind
from compressnet.limits import Cost
from compressnet.lossy.context import PHASES, ContextPrior, ContextSlice
from compressnet.lossy.masked import MaskedPrior
from compressnet.lossy.prior import OUTPUTS, Prior
from compressnet.lossy.probe import SIZELESS_IMAGES, SIZELESS_SIZES
from compressnet.lossy.sizeless import AnyNetwork, SizelessNetwork, grid_of
from compressnet.networks.costs import program_cost

LAID_OUT_BYTES = 48
"""Of a symbol, in what is laid out for images of a size."""
SYMBOL_BYTES, CODED_BYTES = 16, 120
"""Of a symbol of an image; of one of the group that is being coded."""
LISTED_BYTES = 12
"""Of a frequency, where all of them are listed."""
SYMBOL_WORK, LETTER_WORK = 2048, 4
"""Of coding a symbol, and of each value of its alphabet."""
MASKED_WORK = 3
"""Of a product in a masked model, whose matrices are small."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingCost:
    """What reading images of one kind takes."""

    layout: int
    """Bytes of what is laid out for the kind."""
    symbols: Cost
    """Of the symbols of an image."""
    pixels: Cost
    """Of decoding an image from its symbols."""
    values: int
    """Bytes of an image's symbols and pixels."""

    def of(self, images: int) -> Cost:
        """Of one image in a block of so many, whose symbols are all decoded."""
        memory = self.layout + max(images * self.symbols.memory, self.pixels.memory) + images * self.values
        return Cost(memory=memory, work=images * self.symbols.work + self.pixels.work)


def reading_cost(network: AnyNetwork, kind: Kind) -> ReadingCost:
    """What reading images of a kind takes with a network that codes them."""
    grid = grid_of(kind[0], kind[1], network.tile_px) if isinstance(network, SizelessNetwork) else (1, 1)
    symbols, count = _symbols_cost(network.prior, grid)
    return ReadingCost(
        layout=LAID_OUT_BYTES * count,
        symbols=symbols,
        pixels=program_cost(network.decoder, grid),
        values=2 * count + math.prod(kind),
    )


def probe_cost(network: AnyNetwork) -> Cost:
    """What running a network's probe takes, at two qualities."""
    if isinstance(network, SizelessNetwork):
        kinds = [(*size, network.channels) for size in SIZELESS_SIZES]
        costs = [_probe_of(network, kind, SIZELESS_IMAGES) for kind in kinds]
        return Cost(memory=max(cost.memory for cost in costs), work=sum(cost.work for cost in costs))
    assert network.probe is not None
    return _probe_of(network, network.kind, network.probe.symbols.shape[1])


def _probe_of(network: AnyNetwork, kind: Kind, images: int) -> Cost:
    """For images of a kind: symbols, all their frequencies, and pixels."""
    grid = grid_of(kind[0], kind[1], network.tile_px) if isinstance(network, SizelessNetwork) else (1, 1)
    cost = reading_cost(network, kind)
    programs = [program for program in (network.encoder, network.decoder) if program is not None]
    runs = [program_cost(program, grid, images) for program in programs]
    letters_G = network.prior.bound.astype(np.int64).max(axis=0) * 2 + 1
    listed = images * int((letters_G * _group_sizes(network.prior, grid)).sum())
    memory = cost.of(images).memory + LISTED_BYTES * listed + max(run.memory for run in runs)
    return Cost(memory=memory, work=2 * (images * cost.symbols.work + sum(run.work for run in runs)))


def _group_sizes(prior: Prior, grid: tuple[int, int]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Symbols of each group (G,), at least."""
    if not isinstance(prior, ContextPrior):
        return prior.group_symbols.astype(np.int64)
    places = math.prod(prior.grid[1:].tolist()) * math.prod(grid)
    return np.repeat(prior.slice_channels.astype(np.int64), len(PHASES)) * -(-places // len(PHASES))


def _products(part: ContextSlice) -> int:
    """What a place takes."""
    return part.weight.size + part.hidden.weight.size + part.output.weight.size


def _symbols_cost(prior: Prior, grid: tuple[int, int]) -> tuple[Cost, int]:
    """What decoding the symbols of an image takes at any quality, and how many there are."""
    sizes_G = _group_sizes(prior, grid)
    letters_G = prior.bound.astype(np.int64).max(axis=0) * 2 + 1
    if isinstance(prior, MaskedPrior):
        known = 8 * int(prior.group_units.sum(dtype=np.int64))
        layers = (prior.hidden1, prior.hidden2, prior.output)
        products = MASKED_WORK * sum(layer.weight.size for layer in layers)
    else:
        assert isinstance(prior, ContextPrior)
        places = math.prod(prior.grid[1:].tolist()) * math.prod(grid)
        both = list(zip(prior.slices, prior.slice_channels.tolist(), strict=True))
        seen = max(part.weight[0].size + 2 * len(part.shift) + OUTPUTS * size for part, size in both)
        known = 4 * int(prior.grid[0]) * places + 4 * seen * -(-places // len(PHASES))
        products = places * sum(_products(part) for part in prior.slices)
        if prior.pyramid is not None:
            products += -(-places // len(PHASES)) * _products(prior.pyramid)
    symbols = int(sizes_G.sum())
    work = products + int((sizes_G * (SYMBOL_WORK + LETTER_WORK * letters_G)).sum())
    return Cost(memory=known + SYMBOL_BYTES * symbols + CODED_BYTES * int(sizes_G.max()), work=work), symbols
