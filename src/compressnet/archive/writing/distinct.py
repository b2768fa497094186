"""Equal images, found by their hashes: each is written once."""

from __future__ import annotations

import hashlib
from array import array
from typing import Any

import numpy as np
from numpy.typing import NDArray

DIGEST_BYTES = 16
"""Two of a million million images have the same digest with a chance of 1 in 10^14."""


def digests_of(pictures: NDArray[Any]) -> list[bytes]:
    """A digest of each image (n,...), of its shape, its type and its values."""
    image_bytes = pictures[0].nbytes if len(pictures) else 0
    data = np.ascontiguousarray(pictures).data.cast("B") if image_bytes else memoryview(b"")
    start = hashlib.blake2b(f"{pictures.dtype.str} {pictures.shape[1:]}".encode(), digest_size=DIGEST_BYTES)
    found: list[bytes] = []
    for row in range(len(pictures)):
        digest = start.copy()
        digest.update(data[row * image_bytes : (row + 1) * image_bytes])
        found.append(digest.digest())
    return found


class DistinctImages:
    """Numbers images as they first come.

    Keeps about 150 bytes of each that differs from all before.
    """

    def __init__(self) -> None:
        self._numbers: dict[bytes, int] = {}
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

    def add(self, digests: list[bytes]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Which of some images, by their digests, are new, and their numbers."""
        seen, new = len(self._of_image), len(self._first)
        rows: list[int] = []
        for row, digest in enumerate(digests):
            number = self._numbers.setdefault(digest, new + len(rows))
            if number == new + len(rows):
                rows.append(row)
                self._first.append(seen + row)
            self._of_image.append(number)
        return np.array(rows, np.int64), np.arange(new, new + len(rows))
