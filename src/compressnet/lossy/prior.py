"""What every entropy model has: groups of symbols, gains, and mixtures of logistics.

Symbols are coded in groups. Each group's distributions are mixtures that follow from the model's
outputs, and these from the dequantized symbols of the groups before it. How is up to the
model: a masked MLP (`compressnet.lossy.masked`) or a convolution (`compressnet.lossy.context`).

Axes: N images, D symbols, G groups, O outputs, S segments, Q qualities.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from compressnet.coding.mixture import BOUND_LIMIT, MEAN_LIMIT, SCALE_CENTRE, SCALES, Mixture, Tables
from compressnet.errors import CorruptError
from compressnet.networks.numpy import requantize, run_node
from compressnet.networks.program import QUALITIES, Float32, Node
from compressnet.networks.proof import EXACT_BELOW

OUTPUTS = 5
"""Per symbol: mean, log scale, mean, log scale, weight."""
MEAN_RANGE = (-2047, 2047)
SCALE_RANGE = (-64, 63)
WEIGHT_RANGE = (-128, 127)
MEAN_SHIFT = 9
"""mean * inverse_gain * 2^-9 is in 1/32 of a symbol."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prior(ABC):
    """The entropy model of one network."""

    order: NDArray[np.int32]
    """(D,): symbol indices in order of coding."""
    group_symbols: NDArray[np.int32]
    """(G,): symbols of each group."""
    dequantize: Node
    """The decoder's first node: symbols to the integers that the networks see."""
    inverse_gain: NDArray[np.int16]
    """(100,S): from the means' units to symbols."""
    scale_offset: NDArray[np.int16]
    """(100,S): from the log scales' units to indices of scales."""
    bound: NDArray[np.int16]
    """(100,G): a group's symbols are within +-bound; where it is 0 they are 0 and cost nothing."""
    tables: Tables

    @abstractmethod
    def evaluator(self) -> PriorEvaluator:
        """The model made ready to run."""

    @abstractmethod
    def prove_layers(self) -> None:
        """Check the layers' shapes and prove that float32 computes them exactly.

        Raises CorruptError.
        """

    def symbol_bounds(self, quality: int) -> NDArray[np.int64]:
        """How far each symbol may go at a quality: (D,)."""
        bound_D = np.zeros(len(self.order), np.int64)
        bound_D[self.order] = np.repeat(self.bound[quality], self.group_symbols)
        return bound_D

    def prove(self, symbols: int) -> None:
        """Check shapes and prove that float32 computes the entropy model exactly.

        Raises CorruptError.
        """
        if sorted(self.order.tolist()) != list(range(symbols)) or int(self.group_symbols.sum()) != symbols:
            raise CorruptError("the entropy model's order is not a permutation of the symbols")
        if self.group_symbols.min() < 1:
            raise CorruptError("the entropy model has an empty group")
        by_segment = (QUALITIES, len(self.dequantize.arrays["repeats"]))
        shapes = (self.inverse_gain.shape, self.scale_offset.shape, self.bound.shape)
        if shapes != (by_segment, by_segment, (QUALITIES, len(self.group_symbols))):
            raise CorruptError(f"the entropy model's tables have shapes {shapes}")
        if self.bound.min() < 0 or self.bound.max() > BOUND_LIMIT:
            raise CorruptError(f"the entropy model's symbols are not within +-{BOUND_LIMIT}")
        if self.inverse_gain.min() < 1 or int(self.inverse_gain.max()) * MEAN_RANGE[1] >= EXACT_BELOW:
            raise CorruptError("the entropy model's gains are out of range")
        self.prove_layers()
        self.tables.check()

    @property
    def dequantized_limit(self) -> int:
        """Largest magnitude of what the model reads."""
        return max(-self.dequantize.low, self.dequantize.high)


class PriorEvaluator(ABC):
    """An entropy model made ready to run; it may be used by several threads at once."""

    def __init__(self, prior: Prior) -> None:
        self.prior = prior
        ends = np.cumsum(prior.group_symbols).tolist()
        self.groups = [prior.order[end - size : end] for end, size in zip(ends, prior.group_symbols, strict=True)]
        segment = np.repeat(np.arange(len(prior.dequantize.arrays["repeats"])), prior.dequantize.arrays["repeats"])
        self.segments = [segment[group] for group in self.groups]

    def active_groups(self, quality: int) -> int:
        """How many groups there are up to the last one whose symbols are not all 0."""
        coded = np.flatnonzero(self.prior.bound[quality])
        return int(coded[-1]) + 1 if len(coded) else 0

    @abstractmethod
    def start(self, images: int, quality: int) -> PriorPass:
        """A pass over some images, all at one quality."""

    def to_mixture(self, values_NO: Float32, group: int, quality: int) -> Mixture:
        """A group's outputs to distributions in units of symbols.

        Outputs are (N, 5 * the group's symbols), kind by kind.
        """
        prior, segments = self.prior, self.segments[group]
        gain_g = prior.inverse_gain[quality][segments].astype(np.int32)
        offset_g = prior.scale_offset[quality][segments].astype(np.int32) + SCALE_CENTRE
        kinds = values_NO.reshape(len(values_NO), OUTPUTS, -1)
        integers = [np.ascontiguousarray(kinds[:, i]).astype(np.int32) for i in range(OUTPUTS)]
        half = 1 << (MEAN_SHIFT - 1)
        means = [np.clip((integers[i] * gain_g + half) >> MEAN_SHIFT, -MEAN_LIMIT, MEAN_LIMIT).ravel() for i in (0, 2)]
        scales = [np.clip(np.clip(integers[i], *SCALE_RANGE) + offset_g, 0, SCALES - 1).ravel() for i in (1, 3)]
        weight = prior.tables.weight[np.clip(integers[4], *WEIGHT_RANGE) - WEIGHT_RANGE[0]].astype(np.int32)
        return Mixture(means=(means[0], means[1]), scales=(scales[0], scales[1]), weight=weight.ravel())


class PriorPass(ABC):
    """One pass over all groups.

    For each group in turn: `mixture(g)` and then `reveal(g, ...)`, or `skip(g)`.
    """

    def __init__(self, evaluator: PriorEvaluator, quality: int) -> None:
        self._prior, self._quality = evaluator.prior, quality
        node = evaluator.prior.dequantize
        gains = np.repeat(node.arrays["table"][quality], node.arrays["repeats"]).astype(np.float32)
        self._gains = [gains[group] for group in evaluator.groups]

    def bound(self, group: int) -> int:
        """The group's symbols are within +-bound; 0 means that they are all 0."""
        return int(self._prior.bound[self._quality, group])

    @abstractmethod
    def mixture(self, group: int) -> Mixture:
        """The distributions of a group's symbols, n = N * symbols of the group, image by image."""

    @abstractmethod
    def reveal(self, group: int, symbols_Ng: NDArray[np.integer]) -> None:
        """Tell the pass a group's symbols (N, symbols of the group), before the next group."""

    @abstractmethod
    def skip(self, group: int) -> None:
        """Pass over a group whose symbols are all 0, instead of `mixture` and `reveal`."""

    def dequantized(self, group: int, symbols_Ng: NDArray[np.integer]) -> Float32:
        """A group's symbols as the integers that the networks see, (N, symbols of the group)."""
        node = self._prior.dequantize
        values = symbols_Ng.astype(np.float32) * self._gains[group]
        return requantize(values, node.arrays["shift"], "linear", node.low, node.high)


def output_values(sums: Float32, shift: NDArray[np.integer]) -> Float32:
    """The outputs from their sums (..., O), in place."""
    return requantize(sums, shift, "linear", MEAN_RANGE[0], MEAN_RANGE[1])


def dequantize(prior: Prior, symbols_ND: NDArray[np.integer], quality: int) -> Float32:
    """Symbols (N,D) to the integers that decoder and entropy model see: float32 (N,D)."""
    return run_node(prior.dequantize, [symbols_ND.astype(np.float32)], quality)
