"""Where an image goes that missed its bounds, and whether a higher quality still pays.

Axes: N images.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from compressnet.archive.writing.bounds import Bounds
from compressnet.codec.codec import Codec
from compressnet.coding.coder import Coder
from compressnet.coding.stored import StoredCoder
from compressnet.images.forms import Form
from compressnet.images.kinds import Images, kind_of

QUALITY_STEPS = (12, 25, 50)
"""By how much the quality rises for an image that missed its bounds, before the highest one."""


def as_shown(form: Form, *coded_NHWC: Images) -> list[Images]:
    """Arrays of coded images of 8 bits with all the channels that are shown, (N,H,W,C)."""
    return [form.widened(images).astype(np.uint8, copy=False) for images in coded_NHWC]


def steps_of(form: Form, coded_NHWC: Images, bounds: Bounds) -> NDArray[np.int64]:
    """The coarsest step in which each image may be stored, (N,); 1 for those of 16 bits."""
    return np.ones(len(coded_NHWC), np.int64) if form.deep else bounds.steps(*as_shown(form, coded_NHWC))


def next_coder(codec: Codec, coder: Coder, first_quality: int) -> Coder | None:
    """The coder of the next quality to try; None after the highest one.

    first_quality: the one that was asked for.
    """
    low, high = codec.qualities
    known = [quality for quality in range(low, high + 1) if codec.why_not(coder.kind, quality) is None]
    tried = {first_quality + step for step in QUALITY_STEPS if first_quality + step < known[-1]}
    higher = [quality for quality in known if quality > coder.quality and quality in {*tried, known[-1]}]
    return codec.coder(coder.kind, higher[0]) if higher else None


def unpacked_bits(images_NHWC: Images, bounds: Bounds) -> NDArray[np.float64]:
    """What each image's pixels take unpacked, in the coarsest step that is allowed, (N,)."""
    levels = 255 / bounds.steps(images_NHWC) + 1
    return np.log2(levels) * math.prod(images_NHWC.shape[1:])


def stored_bits(images_NHWC: Images, steps_N: NDArray[np.int64]) -> NDArray[np.float64]:
    """What each image takes where it is stored in its step, (N,)."""
    bits_N = np.zeros(len(images_NHWC))
    for step in np.unique(steps_N).tolist():
        coder, chosen_N = StoredCoder(kind_of(images_NHWC), step), steps_N == step
        bits_N[chosen_N] = coder.bits(coder.values_of(images_NHWC[chosen_N]))
    return bits_N
