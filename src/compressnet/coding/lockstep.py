"""Blocks in lockstep: coded together, so that many images share the steps of an entropy model.

Blocks are cut into parts, parts are spread over threads, and a part's blocks are coded at once.
No number of threads changes a byte.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from compressnet.bisection import first_that
from compressnet.coding.coder import Coder, Values
from compressnet.images.kinds import Images
from compressnet.threads import spread

LOCKSTEP_IMAGES = 1024
"""Images that are coded together: enough to fill matrix products, few enough to stay in cache."""
LOCKSTEP_VALUES = 1 << 24
"""Pixels times channels of images that are coded together, at most: as many images of 64x64x4."""
LOCKSTEP_BYTES = 1 << 27
"""Of all that is in memory while images are coded together, where one does not take more."""
SEARCH_IMAGES = 256
"""Images that are searched together: enough to make the calls that a step takes pay."""


@dataclass(frozen=True, slots=True)
class LockstepPart:
    """Consecutive blocks that are coded together."""

    first: int
    """The number of the first block."""
    start: int
    """The row of its first image."""
    counts: list[int]
    """Images of each block."""

    @property
    def rows(self) -> slice:
        """All its images."""
        return slice(self.start, self.start + sum(self.counts))


def block_counts(images: int, block_images: int) -> list[int]:
    """How many images each block holds."""
    return [min(block_images, images - i) for i in range(0, images, block_images)]


def together_of(coder: Coder) -> int:
    """How many images a coder codes together."""
    at_most = max(1, min(LOCKSTEP_IMAGES, LOCKSTEP_VALUES // math.prod(coder.kind)))
    return first_that(1, at_most, lambda images: coder.cost_of(images + 1).memory > LOCKSTEP_BYTES)


def lockstep_parts(counts: Sequence[int], threads: int, together: Sequence[int]) -> list[LockstepPart]:
    """Cut blocks into parts of up to LOCKSTEP_IMAGES images, as many for each thread.

    Their largest is as small as it can be. together: how many of each block's images are coded
    together, see `together_of`; where these are fewer, an image counts as several.
    """
    weights = [count * -(-LOCKSTEP_IMAGES // some) for count, some in zip(counts, together, strict=True)]
    fewest = -(-len(_parts(counts, weights, LOCKSTEP_IMAGES)) // threads) * threads
    limit = first_that(1, LOCKSTEP_IMAGES, lambda limit: len(_parts(counts, weights, limit)) <= fewest)
    return _parts(counts, weights, limit)


def _parts(counts: Sequence[int], weights: Sequence[int], limit: int) -> list[LockstepPart]:
    """Blocks cut into parts of a weight of up to `limit`, or of one block."""
    parts: list[LockstepPart] = []
    first = start = 0
    part: list[int] = []
    weighed = 0
    for i, (count, weight) in enumerate(zip(counts, weights, strict=True)):
        if part and weighed + weight > limit:
            parts.append(LockstepPart(first, start, part))
            first, start, part, weighed = i, start + sum(part), [], 0
        part.append(count)
        weighed += weight
    if part:
        parts.append(LockstepPart(first, start, part))
    return parts


@dataclass(frozen=True, slots=True)
class Payloads:
    """Blocks that a coder has written."""

    blocks: list[tuple[int, bytes]]
    """(images, payload) of each."""
    bits_N: NDArray[np.float64] | None
    """The ideal code length of each image, where it was asked for."""


def values_of(coder: Coder, images_NHWC: Images, effort: int, threads: int) -> Values:
    """The values of images, found on several threads. Raises CodecError."""
    together = min(together_of(coder), LOCKSTEP_IMAGES if effort == 1 else SEARCH_IMAGES)
    starts = range(0, len(images_NHWC), together)
    parts = spread(lambda start: coder.values_of(images_NHWC[start : start + together], effort), starts, threads)
    return np.concatenate(parts)


def write_values(coder: Coder, values: Values, block_images: int, threads: int, *, bits: bool = False) -> Payloads:
    """Values to blocks of up to `block_images` images, on several threads.

    bits: whether to count them.
    """
    counts = block_counts(len(values), block_images)
    bits_N = np.zeros(len(values)) if bits else None

    def write(part: LockstepPart) -> list[bytes]:
        return coder.write(values[part.rows], part.counts, None if bits_N is None else bits_N[part.rows])

    written = spread(write, lockstep_parts(counts, threads, [together_of(coder)] * len(counts)), threads)
    payloads = [payload for part in written for payload in part]
    return Payloads(list(zip(counts, payloads, strict=True)), bits_N)


def write_images(
    coder: Coder, images_NHWC: Images, block_images: int, effort: int, threads: int, *, bits: bool = False
) -> tuple[Payloads, Values]:
    """Images to blocks of up to `block_images`, on several threads; with the values written.

    At effort 1 a part is encoded by the thread that writes it: while one thread is in the entropy
    model, which wants Python's lock, another is in the encoder, which does not.
    """
    if effort > 1:
        values = values_of(coder, images_NHWC, effort, threads)
        return write_values(coder, values, block_images, threads, bits=bits), values
    counts = block_counts(len(images_NHWC), block_images)
    bits_N = np.zeros(len(images_NHWC)) if bits else None

    def write(part: LockstepPart) -> tuple[list[bytes], Values]:
        values = coder.values_of(images_NHWC[part.rows])
        return coder.write(values, part.counts, None if bits_N is None else bits_N[part.rows]), values

    parts = spread(write, lockstep_parts(counts, threads, [together_of(coder)] * len(counts)), threads)
    payloads = [payload for written, _ in parts for payload in written]
    values = np.concatenate([values for _, values in parts])
    return Payloads(list(zip(counts, payloads, strict=True)), bits_N), values
