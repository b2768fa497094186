"""A collection as rivals get it: a group of images for each shape, all of them or a sample.

Colour under alpha 0 is black. Rivals get equal images as they are: that a picture codec finds few
of them is part of what is measured. The bytes of a sample are scaled to those of the collection.

Axes: N images, H rows, W columns, C channels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from compressnet.bench.rivals.budget import Budget
from compressnet.bench.rivals.rival import Encode, Setting
from compressnet.errors import InputError
from compressnet.images.alpha import clear_hidden
from compressnet.images.kinds import Images
from compressnet.images.metrics import mse_per_image, psnr_of_mse

SAMPLE_PX = 1 << 22
"""Collections are measured on about so many pixels: 4096 images of 32x32."""
RUN_IMAGES = 32
"""Neighbours that are taken together into a sample."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Images of one shape, as rivals get them."""

    images_NHWC: Images
    """Without hidden colour; of a large collection, some."""
    scale: float
    """Images of this shape in the collection for one of these."""
    values: int
    """Values of all images of this shape in the collection."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What a collection takes in a codec at a setting."""

    total_bytes: float
    mse: float

    @property
    def psnr(self) -> float:
        """In dB; infinite where nothing was lost."""
        return psnr_of_mse(self.mse)


def make_groups(images_by_shape: Sequence[Images], scale: float = 1.0) -> list[Group]:
    """Groups of arrays (N,H,W) or (N,H,W,C), each of one shape.

    scale: how many images the collection has for each of these. Raises InputError without images.
    """
    groups = [_make_group(images, scale) for images in images_by_shape if len(images)]
    if not groups:
        raise InputError("there are no images to measure; give one array (N,H,W) or (N,H,W,C) for each shape")
    return groups


def _make_group(images: Images, scale: float) -> Group:
    if images.ndim not in (3, 4) or images.dtype != np.uint8:
        raise InputError(f"images are {images.dtype} {images.shape}; they have to be uint8 (N,H,W) or (N,H,W,C)")
    images_NHWC = images[..., None] if images.ndim == 3 else images
    cleaned_NHWC = np.ascontiguousarray(clear_hidden(images_NHWC))
    return Group(images_NHWC=cleaned_NHWC, scale=scale, values=round(images.size * scale))


def count_images(groups: Sequence[Group]) -> int:
    """Images in the groups."""
    return sum(len(group.images_NHWC) for group in groups)


def count_pixels(groups: Sequence[Group]) -> int:
    """Pixels in the groups, whatever their channels."""
    return sum(group.images_NHWC[..., 0].size for group in groups)


def sampled(groups: Sequence[Group], sample_px: int) -> list[Group]:
    """The same groups with images of about `sample_px` pixels in all, one of each shape at least.

    Taken are evenly spread runs of neighbours, which often resemble one another.
    """
    pixels = count_pixels(groups)
    if pixels <= sample_px:
        return list(groups)
    parts: list[Group] = []
    for group in groups:
        total = len(group.images_NHWC)
        count = max(1, round(total * sample_px / pixels))
        runs = max(1, count // RUN_IMAGES)
        starts = np.linspace(0, total - count // runs, runs).astype(np.int64)
        kept = np.unique((starts[:, None] + np.arange(count // runs)).ravel())
        parts.append(
            Group(images_NHWC=group.images_NHWC[kept], scale=group.scale * total / len(kept), values=group.values)
        )
    return parts


def sample_in_time(
    groups: Sequence[Group],
    sample_px: int,
    few: Sequence[Group],
    try_few: Callable[[], object],
    times: int,
    budget: Budget,
) -> Sequence[Group]:
    """A sample of at most `sample_px` pixels that can be measured so many times within a budget.

    few: a small sample of the groups. `try_few` measures it once, which is timed where there is a
    limit; `few` is also what is given where no more than it fits.
    """
    whole = sampled(groups, sample_px)
    if not budget.is_limited or count_pixels(whole) <= count_pixels(few):
        return whole
    if budget.left_s() == 0:
        return few
    before_s = budget.left_s()
    try_few()
    left_s = budget.left_s()
    needed_s = times * (before_s - left_s) * count_pixels(whole) / count_pixels(few)
    if needed_s <= left_s:
        return whole
    fits_px = int(count_pixels(whole) * left_s / needed_s)
    return sampled(groups, fits_px) if fits_px > count_pixels(few) else few


def measure(groups: Sequence[Group], encode: Encode, setting: Setting) -> Taken:
    """Bytes of the groups, each coded alone, and the error over all values.

    Raises what the codec raises.
    """
    total_bytes = squares = 0.0
    for group in groups:
        coded = encode(group.images_NHWC, setting)
        mse_N = mse_per_image(group.images_NHWC, coded.decode())
        total_bytes += coded.total_bytes * group.scale
        squares += float(np.mean(mse_N)) * group.values
    return Taken(total_bytes=total_bytes, mse=squares / sum(group.values for group in groups))
