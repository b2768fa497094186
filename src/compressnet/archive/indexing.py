"""What `archive[index]` means, as NumPy understands an index.

Axes: N images of an archive, n chosen ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compressnet.images.forms import Form
from compressnet.images.kinds import Pictures

Rows = int | slice | Sequence[int] | NDArray[Any]
"""Which images are asked for."""
Index = Rows | tuple[Any, ...]
"""The same, and with it, in a tuple, what is asked for of each image."""


@dataclass(frozen=True, slots=True)
class Look:
    """What images look like to those who read them, however they were coded."""

    shape: tuple[int, ...]
    """(H,W) or (H,W,C)."""
    dtype: np.dtype[Any]


def look_of(form: Form) -> Look:
    """How images of a form look."""
    return Look(form.shape, form.dtype)


def looks_of(forms: Sequence[Form]) -> list[Look]:
    """The different looks of some forms, in order of first appearance."""
    return list(dict.fromkeys(map(look_of, forms)))


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


def batch_stops(positions: NDArray[np.int64], images: int, ends: NDArray[np.int64] | None, most: int) -> Iterator[int]:
    """Where to end each batch of about so many images.

    That is at the end of a block where images are asked for as they lie in the blocks, unless the
    batch would then have more than `most`. ends: of each block the position after its last image;
    None where images lie in another order.
    """
    number = 0
    as_blocks_come = ends is not None and bool(np.all(np.diff(positions) == 1))
    while number < len(positions):
        stop = min(number + images, len(positions))
        if ends is not None and as_blocks_come and stop < len(positions):
            within = int(positions[stop - 1])
            end = stop + int(ends[np.searchsorted(ends, within, side="right")]) - within - 1
            stop = end if end - number <= most else stop
        number = min(stop, len(positions))
        yield number


def runs_of_one_look(images: list[Pictures]) -> Iterator[Pictures]:
    """Arrays of consecutive images of one shape and type."""
    start = 0
    for stop in range(1, len(images) + 1):
        if stop == len(images) or (images[stop].shape, images[stop].dtype) != (
            images[start].shape,
            images[start].dtype,
        ):
            yield np.stack(images[start:stop])
            start = stop
