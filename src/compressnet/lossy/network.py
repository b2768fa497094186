"""A network as data: what codes one kind of image over a range of qualities."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from compressnet.images.kinds import Kind
from compressnet.lossy.prior import Prior
from compressnet.lossy.probe import Probe
from compressnet.networks.program import Program


def covers(qualities: tuple[int, int], quality: int) -> bool:
    """Whether a quality lies within a range, ends included."""
    low, high = qualities
    return low <= quality <= high


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """What codes one kind of image over a range of qualities."""

    kind: Kind
    """Height, width, channels."""
    qualities: tuple[int, int]
    """Lowest and highest, both included."""
    encoder: Program | None
    decoder: Program
    prior: Prior
    probe: Probe | None
    """None where it is a network without a size, laid out for one: that has a probe of its own."""
    lambdas: NDArray[np.float32] | None
    """(100,): bits per unit of summed squared error, pixels in [0,1], at each quality; None
    without an encoder."""

    @property
    def symbols(self) -> int:
        """How many symbols an image has."""
        return len(self.prior.order)

    def has_quality(self, quality: int) -> bool:
        """Whether it codes at a quality."""
        return covers(self.qualities, quality)

    def symbol_bounds(self, quality: int) -> NDArray[np.int64]:
        """How far each symbol may go at a quality: (D,)."""
        return self.prior.symbol_bounds(quality)
