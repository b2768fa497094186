"""Images that wait to be written: bins of those that take the same way, until a group is full.

Axes: N images, D symbols.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from compressnet.images.kinds import Kind

TRY, CODE, STORE = "try", "code", "store"
Waiting = NDArray[np.uint8 | np.int32]
"""Images (n,H,W,C), or symbols (n,D)."""


@dataclass(frozen=True, slots=True)
class Way:
    """What waiting images have in common: to be tried at a quality, to be coded (as symbols), or to be stored."""

    what: str
    shape: tuple[int, ...]
    """(H,W) or (H,W,C)."""
    quality: int
    step: int = 1

    @property
    def kind(self) -> Kind:
        """(H,W,C)."""
        height, width, channels = (*self.shape, 1)[:3]
        return height, width, channels


@dataclass(slots=True)
class _Bin:
    """Arrays, one after the other, and the numbers of their images."""

    arrays: deque[Waiting] = field(default_factory=deque)
    numbers: deque[NDArray[np.int64]] = field(default_factory=deque)
    images: int = 0
    array_bytes: int = 0


class Bins:
    """All waiting images; counts them and their bytes."""

    def __init__(self) -> None:
        self._bins: dict[Way, _Bin] = {}
        self._touched: dict[Way, None] = {}
        self.images = self.array_bytes = 0

    def images_of(self, way: Way) -> int:
        """How many images wait for a way."""
        return self._bins[way].images if way in self._bins else 0

    def put(self, way: Way, array: Waiting, numbers: NDArray[np.int64]) -> None:
        """Have images (n,H,W,C), or symbols (n,D), wait."""
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

    def take(self, way: Way, images: int) -> tuple[Waiting, NDArray[np.int64]]:
        """The first images of a way, and their numbers."""
        waiting = self._bins.pop(way)
        self.images -= waiting.images
        self.array_bytes -= waiting.array_bytes
        arrays: list[Waiting] = []
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
        """Ways that got images since this was asked last."""
        touched = list(self._touched)
        self._touched.clear()
        return touched

    def next_of(self, what: str) -> Way | None:
        """The way that has waited longest, of those to be tried, coded or stored."""
        return next((way for way in self._bins if way.what == what), None)

    def largest_first(self) -> list[Way]:
        """All ways, by the bytes that wait for them."""
        return sorted(self._bins, key=lambda way: -self._bins[way].array_bytes)
