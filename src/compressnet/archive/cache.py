"""What an open archive keeps of the blocks that it has read.

That is the values of all images of a block or, where these are coded alone, of those that were
read.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from compressnet.archive.codings import Coding
from compressnet.coding.coder import Values
from compressnet.threads import Lock


@dataclass(frozen=True, slots=True)
class Kept:
    """What was read of a block."""

    coding: Coding
    values: Values
    """Of some of its images, in the order in which they were read."""
    rows: NDArray[np.int32]
    """(images,): which of the values are those of each image of the block; -1 where none are."""

    @classmethod
    def nothing(cls, coding: Coding, images: int) -> Kept:
        """Of a block of so many images."""
        return cls(coding, np.empty(0), np.full(images, -1, np.int32))

    def has(self, images: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which of some images of the block were read."""
        return self.rows[images] >= 0

    def of(self, images: NDArray[np.int64]) -> Values:
        """The values of images that were read."""
        return self.values[self.rows[images]]

    def with_more(self, images: NDArray[np.int64], values: Values) -> Kept:
        """The same, with the values of images that were not read before."""
        count, rows = len(self.values), self.rows.copy()
        rows[images] = np.arange(count, count + len(images))
        return replace(self, values=np.concatenate([self.values, values]) if count else values, rows=rows)


class BlockCache:
    """Blocks by number, up to some bytes of values; may be used by several threads.

    What nobody has asked for for the longest time goes first.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes, self._bytes = limit_bytes, 0
        self._kept: OrderedDict[int, Kept] = OrderedDict()
        self._lock = Lock()

    def get(self, number: int) -> Kept | None:
        """What is kept of a block, if anything is."""
        with self._lock:
            kept = self._kept.get(number)
            if kept is not None:
                self._kept.move_to_end(number)
        return kept

    def put(self, number: int, kept: Kept) -> None:
        """Keep this of a block, instead of what was kept of it before."""
        with self._lock:
            if (before := self._kept.pop(number, None)) is not None:
                self._bytes -= before.values.nbytes
            if kept.values.nbytes > self._limit_bytes:
                return
            self._kept[number] = kept
            self._bytes += kept.values.nbytes
            while self._kept and self._bytes > self._limit_bytes:  # a fork may have cut this in two
                _, old = self._kept.popitem(last=False)
                self._bytes -= old.values.nbytes
