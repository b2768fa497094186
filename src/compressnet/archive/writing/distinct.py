"""Equal images, found by their hashes: each is written once."""

from __future__ import annotations

import hashlib
from array import array

import numpy as np
from numpy.typing import NDArray

DIGEST_BYTES = 16
"""Two of a million million images have the same digest with a chance of 1 in 10^14."""


class DistinctImages:
    """Numbers images as they first come.

    Keeps about 150 bytes of each that differs from all before.
    """

    def __init__(self) -> None:
        self._numbers: dict[tuple[int, ...], dict[bytes, int]] = {}
        self._of_image = array("I")
        self._first = array("I")

    @property
    def images(self) -> int:
        """Images seen."""
        return len(self._of_image)

    @property
    def distinct(self) -> int:
        """How many of the images seen differ from all before."""
        return len(self._first)

    @property
    def of_image(self) -> NDArray[np.uint32]:
        """The number of each image seen, (N,)."""
        return np.array(self._of_image, np.uint32)

    def first_image(self, number: int) -> int:
        """Which image had this number first."""
        return self._first[number]

    def add(self, images: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The rows of (n,...) that are new, and their numbers."""
        numbers = self._numbers.setdefault(images.shape[1:], {})
        image_bytes = images[0].nbytes if len(images) else 0
        data = np.ascontiguousarray(images).data.cast("B") if image_bytes else memoryview(b"")
        seen, new = len(self._of_image), len(self._first)
        rows: list[int] = []
        of_image: list[int] = []
        for row in range(len(images)):
            pixels = data[row * image_bytes : (row + 1) * image_bytes]
            number = numbers.setdefault(hashlib.blake2b(pixels, digest_size=DIGEST_BYTES).digest(), new + len(rows))
            if number == new + len(rows):
                rows.append(row)
                self._first.append(seen + row)
            of_image.append(number)
        self._of_image.extend(of_image)
        return np.array(rows, np.int64), np.arange(new, new + len(rows))
