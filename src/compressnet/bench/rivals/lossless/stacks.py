"""A collection as lossless rivals get it: an array for each size, mode and depth.

Axes: N images, H rows, W columns, C channels.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from compressnet.errors import InputError
from compressnet.images.alpha import has_alpha
from compressnet.images.kinds import Pictures, picture_kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """All images of one size, mode and depth."""

    images_NHWC: Pictures
    places_N: NDArray[np.int64]
    """Where each of them stands in the collection."""

    @property
    def is_deep(self) -> bool:
        """Whether values have 16 bits."""
        return self.images_NHWC.dtype == np.uint16


@dataclass(frozen=True, slots=True, kw_only=True)
class Stacks:
    """A collection, the smallest sizes first."""

    parts: tuple[Stack, ...]
    cleared: int
    """Images with colour under alpha 0 that was cleared."""

    @property
    def images(self) -> int:
        """How many there are."""
        return sum(len(part.places_N) for part in self.parts)

    @property
    def pixels(self) -> int:
        """How many there are, whatever their channels."""
        return sum(part.images_NHWC[..., 0].size for part in self.parts)

    @property
    def raw_bytes(self) -> int:
        """What all values take as they are."""
        return sum(part.images_NHWC.nbytes for part in self.parts)

    def in_order(self) -> Iterator[Pictures]:
        """The images in their order, as arrays (1,H,W) of grey ones and (1,H,W,C) of others."""
        found = [(place, part, i) for part in self.parts for i, place in enumerate(part.places_N.tolist())]
        for _, part, i in sorted(found, key=lambda entry: entry[0]):
            image_1HWC = part.images_NHWC[i : i + 1]
            yield image_1HWC[..., 0] if image_1HWC.shape[3] == 1 else image_1HWC


def make_stacks(batches: Iterable[Pictures], *, hidden_colour: bool = False, limit: int | None = None) -> Stacks:
    """A collection from arrays (n,H,W) or (n,H,W,C) of 8 or 16 bits; all of it is held in memory.

    hidden_colour: whether colour under alpha 0 is kept; else it is 0 for every codec.
    limit: only the first images. Raises InputError without images, or for other arrays.
    """
    arrays: dict[tuple[int, ...], list[Pictures]] = {}
    places: dict[tuple[int, ...], list[NDArray[np.int64]]] = {}
    count = cleared = 0
    for batch in batches:
        wanted = batch if limit is None else batch[: limit - count]
        height, width, channels = picture_kind(batch)
        images_NHWC = wanted.reshape(len(wanted), height, width, channels)
        if not hidden_colour:
            images_NHWC, changed = _cleared(images_NHWC)
            cleared += changed
        key = (batch.dtype.itemsize, channels, height, width)
        arrays.setdefault(key, []).append(images_NHWC)
        places.setdefault(key, []).append(np.arange(count, count + len(wanted)))
        count += len(wanted)
        if count == limit:
            break
    if not count:
        raise InputError("there are no images to measure; give a collection that has some")
    parts = (
        Stack(images_NHWC=np.concatenate(arrays[key]), places_N=np.concatenate(places[key])) for key in sorted(arrays)
    )
    return Stacks(parts=tuple(parts), cleared=cleared)


def _cleared(images_NHWC: Pictures) -> tuple[Pictures, int]:
    """The images with colour 0 under alpha 0, and how many of them had other colour there."""
    if not has_alpha(images_NHWC.shape[3]):
        return images_NHWC, 0
    seen = np.where(images_NHWC[..., -1:] > 0, images_NHWC, 0).astype(images_NHWC.dtype)
    return seen, int((seen != images_NHWC).any(axis=(1, 2, 3)).sum())


def spread(stacks: Stacks, images: int) -> Stacks:
    """About so many images, evenly spread over each size; all of them where there are no more."""
    total = stacks.images
    if total <= images:
        return stacks
    parts: list[Stack] = []
    for part in stacks.parts:
        held = len(part.places_N)
        chosen = np.unique(np.linspace(0, held - 1, max(1, round(held * images / total))).astype(np.int64))
        parts.append(Stack(images_NHWC=part.images_NHWC[chosen], places_N=part.places_N[chosen]))
    return Stacks(parts=tuple(parts), cleared=stacks.cleared)


def difference(stacks: Stacks, decoded: Sequence[Pictures]) -> str | None:
    """What of the images did not come back, in words; None where every value did.

    decoded: an array (N,H,W,C) for each part.
    """
    wrong = hidden = 0
    for part, other_NHWC in zip(stacks.parts, decoded, strict=True):
        images_NHWC = part.images_NHWC
        if other_NHWC.shape != images_NHWC.shape or other_NHWC.dtype != images_NHWC.dtype:
            wrong += len(images_NHWC)
            continue
        differs = images_NHWC != other_NHWC
        differs_N = differs.any(axis=(1, 2, 3))
        if has_alpha(images_NHWC.shape[3]):
            seen_N = (differs & (images_NHWC[..., -1:] > 0)).any(axis=(1, 2, 3)) | differs[..., -1].any(axis=(1, 2))
        else:
            seen_N = differs_N
        wrong += int(seen_N.sum())
        hidden += int((differs_N & ~seen_N).sum())
    if wrong:
        return f"{wrong} of {stacks.images} images came back with other pixels"
    return f"{hidden} of {stacks.images} images lost colour under alpha 0" if hidden else None
