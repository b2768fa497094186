"""What `archive[index]` means, as NumPy understands an index.

Axes: N images of an archive, n chosen ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compressnet.images.kinds import Images

Index = int | slice | Sequence[int] | NDArray[Any]


def positions_of(index: slice | Sequence[int] | NDArray[Any], images: int) -> NDArray[np.int64]:
    """What an index of several of so many images selects, as numbers (n,) from 0 to N-1.

    Raises IndexError.
    """
    if isinstance(index, slice):
        return np.arange(*index.indices(images), dtype=np.int64)
    array = np.asarray(index)
    if array.dtype == np.bool_:
        if array.shape != (images,):
            raise IndexError(f"a boolean index of shape {array.shape} for an archive of {images} images")
        return np.flatnonzero(array)
    if array.size == 0:
        return np.zeros(0, np.int64)
    if array.ndim != 1 or not np.issubdtype(array.dtype, np.integer):
        raise IndexError(f"an archive is indexed by integers, slices or one-dimensional arrays, not {array.dtype}")
    if array.min() < -images or array.max() >= images:
        raise IndexError(f"images {array.min()} to {array.max()} of an archive of {images}")
    return array.astype(np.int64) % images


def runs_of_one_shape(images: list[Images]) -> Iterator[Images]:
    """Arrays of consecutive images of one shape."""
    start = 0
    for stop in range(1, len(images) + 1):
        if stop == len(images) or images[stop].shape != images[start].shape:
            yield np.stack(images[start:stop])
            start = stop
