"""Blocks in lockstep: coded together, so that the steps of an entropy model are shared by many images."""

from __future__ import annotations

from collections.abc import Sequence

LOCKSTEP_IMAGES = 1024
"""Images whose symbols are coded together: enough to fill matrix products, few enough to stay in cache."""


def block_counts(images: int, block_images: int) -> list[int]:
    """How many images each block holds."""
    return [min(block_images, images - i) for i in range(0, images, block_images)]


class LockstepPart:
    """Consecutive blocks that are coded together."""

    __slots__ = ("counts", "first", "start", "stop")

    def __init__(self, first: int, start: int, counts: list[int]) -> None:
        self.first, self.start, self.counts = first, start, counts
        self.stop = start + sum(counts)


def lockstep_parts(counts: Sequence[int], threads: int) -> list[LockstepPart]:
    """Cut blocks into parts of up to LOCKSTEP_IMAGES images, fewer where threads would idle."""
    limit = min(LOCKSTEP_IMAGES, max(1, -(-sum(counts) // threads)))
    parts: list[LockstepPart] = []
    first = start = 0
    part: list[int] = []
    for i, count in enumerate(counts):
        if part and sum(part) + count > limit:
            parts.append(LockstepPart(first, start, part))
            first, start, part = i, start + sum(part), []
        part.append(count)
    if part:
        parts.append(LockstepPart(first, start, part))
    return parts
