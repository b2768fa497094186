"""Samples of a collection, kept while it is read for something else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from compressnet.images import evenly_spread
from compressnet.images.kinds import Images, Pictures, eight_bits

Picked = tuple[NDArray[np.int64], Pictures]
"""Positions in a collection, rising, and the images (n,H,W[,C]) there, all of one shape."""


def positions_in_runs(total: int, count: int, run: int = 1) -> NDArray[np.int64]:
    """About `count` positions among `total`, in evenly spread runs of so many neighbours."""
    runs = evenly_spread(-(-total // run), max(1, count // run))
    return np.flatnonzero(np.isin(np.arange(total) // run, runs))


def pick(batches: Iterable[Pictures], positions: NDArray[np.int64]) -> Iterator[Picked]:
    """The images at some positions of a collection, which is read from its start."""
    for batch, picked in _with_picked(batches, positions):
        del batch
        if len(picked[0]):
            yield picked


class Tap:
    """Keeps the images at some positions while a collection's arrays pass through."""

    def __init__(self, positions: NDArray[np.int64]) -> None:
        self._positions = positions
        self.picked: list[Picked] = []

    def through(self, batches: Iterable[Pictures]) -> Iterator[Pictures]:
        """The same arrays."""
        for batch, picked in _with_picked(batches, self._positions):
            if len(picked[0]):
                self.picked.append(picked)
            yield batch

    def sets(self) -> list[Images]:
        """The images of 8 bits that were kept, an array (n,H,W[,C]) for each shape."""
        by_shape: dict[tuple[int, ...], list[Images]] = {}
        for _, images in self.picked:
            if images.dtype == np.uint8:
                by_shape.setdefault(images.shape[1:], []).append(eight_bits(images))
        return [np.concatenate(parts) for parts in by_shape.values()]


def _with_picked(batches: Iterable[Pictures], positions: NDArray[np.int64]) -> Iterator[tuple[Pictures, Picked]]:
    """Each array, and what is picked of it, which is a copy."""
    start = 0
    for batch in batches:
        chosen = positions[(positions >= start) & (positions < start + len(batch))]
        yield batch, (chosen, batch[chosen - start])
        start += len(batch)
