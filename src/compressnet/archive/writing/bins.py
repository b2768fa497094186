"""Images that wait to be written.

They wait in bins, a bin for all that take the same way, until a group is full.

Axes: N images.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compressnet.coding.coder import Coder
from compressnet.images.forms import Form


@dataclass(frozen=True, slots=True)
class Way:
    """What waiting images have in common: their form, and the coder that takes them."""

    form: Form
    coder: Coder


@dataclass(slots=True)
class _Bin:
    """Arrays, one after the other, and the numbers of their images."""

    arrays: deque[NDArray[Any]] = field(default_factory=deque)
    numbers: deque[NDArray[np.int64]] = field(default_factory=deque)
    images: int = 0
    array_bytes: int = 0


class Bins:
    """Arrays (N,...) that wait, sorted by way.

    They are images that a coder is to code, or values that it is to write.
    """

    def __init__(self) -> None:
        self._bins: dict[Way, _Bin] = {}
        self._touched: dict[Way, None] = {}
        self.images = self.array_bytes = 0

    def images_of(self, way: Way) -> int:
        """How many images wait for a way."""
        return self._bins[way].images if way in self._bins else 0

    def bytes_of(self, way: Way) -> int:
        """How many bytes wait for a way."""
        return self._bins[way].array_bytes if way in self._bins else 0

    def ways(self) -> list[Way]:
        """All ways that something waits for; those with the longest wait come first."""
        return list(self._bins)

    def put(self, way: Way, array: NDArray[Any], numbers: NDArray[np.int64]) -> None:
        """Let an array (n,...) of images of these numbers wait."""
        if not len(numbers):
            return
        waiting = self._bins.setdefault(way, _Bin())
        waiting.arrays.append(array)
        waiting.numbers.append(numbers)
        waiting.images += len(array)
        waiting.array_bytes += array.nbytes
        self.images += len(array)
        self.array_bytes += array.nbytes
        self._touched[way] = None

    def take(self, way: Way, images: int) -> tuple[NDArray[Any], NDArray[np.int64]]:
        """The first images of a way, and their numbers."""
        waiting = self._bins.pop(way)
        self.images -= waiting.images
        self.array_bytes -= waiting.array_bytes
        arrays: list[NDArray[Any]] = []
        numbers: list[NDArray[np.int64]] = []
        missing = images
        while missing:
            array, theirs = waiting.arrays.popleft(), waiting.numbers.popleft()
            arrays.append(array[:missing])
            numbers.append(theirs[:missing])
            if len(array) > missing:
                waiting.arrays.appendleft(array[missing:])
                waiting.numbers.appendleft(theirs[missing:])
            missing -= len(arrays[-1])
        for array, theirs in zip(waiting.arrays, waiting.numbers, strict=True):
            self.put(way, array, theirs)
        return np.concatenate(arrays), np.concatenate(numbers)

    def touched(self) -> list[Way]:
        """Ways that got images since this was last asked."""
        touched = list(self._touched)
        self._touched.clear()
        return touched
