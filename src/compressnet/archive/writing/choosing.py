"""Which codec images are coded with where none is named.

    a sample -> every shipped codec that is for such images, at one PSNR -> the smallest
             -> beside what is learned from the images, at the same error -> the smaller

Axes: N images.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from compressnet.adaptive.model import AdaptiveBackend
from compressnet.archive.writing.bounds import Bounds
from compressnet.archive.writing.comparing import Comparison
from compressnet.archive.writing.picked import Goal, Picked
from compressnet.codec.codec import BackendName
from compressnet.codec.loading import make_backend
from compressnet.coding.coder import LOSSLESS_QUALITY
from compressnet.images import evenly_spread
from compressnet.images.kinds import Images, Pictures, eight_bits, picture_kind
from compressnet.threads import default_threads

SAMPLE_IMAGES, SAMPLE_VALUES = 256, 1 << 20
"""Images, and about the values of them, that codecs are compared on."""
SLOW_SAMPLE_VALUES = 1 << 14
"""Where images are learned in Python."""
MIDDLE_PX = 512
"""Of larger images, their middle is enough to compare codecs on."""


def few_of(arrays: Sequence[Pictures], most_values: int = SAMPLE_VALUES) -> list[Images]:
    """Some images of arrays (n,H,W[,C]) of 8 bits, evenly spread: an array (n,H,W,C) a shape.

    Of large images it is what lies in their middle.
    """
    shallow = [_middle(array) for array in arrays if array.dtype == np.uint8 and array.ndim in (3, 4)]
    total, values = sum(map(len, shallow)), sum(array.size for array in shallow)
    count = min(SAMPLE_IMAGES, max(1, total * most_values // max(values, 1)))
    chosen = evenly_spread(total, min(count, total)) if total else np.zeros(0, np.int64)
    found: dict[tuple[int, ...], list[Images]] = {}
    start = 0
    for array in shallow:
        rows = chosen[(chosen >= start) & (chosen < start + len(array))] - start
        if len(rows):
            images = eight_bits(array[rows]).reshape(len(rows), *picture_kind(array))
            found.setdefault(images.shape[1:], []).append(images)
        start += len(array)
    return [np.concatenate(images) for images in found.values()]


def _middle(pictures: Pictures) -> Pictures:
    """Pictures (n,H,W[,C]), cut to sides of MIDDLE_PX at most."""
    top, left = (max(0, (side - MIDDLE_PX) // 2) for side in pictures.shape[1:3])
    return pictures[:, top : top + MIDDLE_PX, left : left + MIDDLE_PX]


def pick(
    arrays: Sequence[Pictures],
    quality: int | None,
    bounds: Bounds,
    goal: Goal | None = None,
    *,
    backend: BackendName | None = None,
    threads: int | None = None,
) -> Picked:
    """What images like these arrays (n,H,W[,C]) are coded with, as a sample of them says.

    Without loss, and at a quality, an error or a number of bytes, what takes the fewest bytes, or
    has the smallest error. Within a largest error it is always what is learned from the images.
    """
    made = make_backend(backend, default_threads() if threads is None else threads)
    sample = few_of(arrays, SAMPLE_VALUES if isinstance(made, AdaptiveBackend) else SLOW_SAMPLE_VALUES)
    if not sample or (bounds.max_error is not None and bounds.max_error > 0):
        return Picked(codec=None, quality=quality)
    comparison = Comparison(sample, backend, threads)
    if quality == LOSSLESS_QUALITY or bounds.max_error == 0:
        return comparison.without_loss(quality)
    if goal is None:
        goal = Goal(mse=None if bounds.min_psnr is None else 10 ** (-bounds.min_psnr / 10))
    picked = comparison.lossy(quality, goal)
    # Where bounds or a goal say how good each image has to be, they lead to the quality.
    is_open = goal.mse is None and goal.bytes_per_image is None
    return picked if is_open or picked.by_image else replace(picked, quality=quality)
