"""Which entry of an index each block is that was found in a damaged file.

Blocks lie where the index says or, after bytes that were inserted or removed, all as far from
there as the index itself does.
"""

from __future__ import annotations

import bisect
from collections.abc import Sequence

import numpy as np

from compressnet.container.entries import BlockTable
from compressnet.container.index import Index

Place = tuple[int, int, int]
"""Offset, bytes of the chunk and images of a block."""


def table_of(index: Index) -> BlockTable:
    """The blocks as an index has them."""
    ends_E = index.first_block + np.cumsum(index.chunk_bytes_E)
    holds_E = index.counts_E > 0
    offsets_E = ends_E - index.chunk_bytes_E
    return BlockTable(offsets_E[holds_E], index.chunk_bytes_E[holds_E], index.counts_E[holds_E])


def match_blocks(index: Index, index_at: int, found: Sequence[Place], gaps: Sequence[int]) -> list[int] | None:
    """The number in the index of each block that was found; None where that is not certain.

    index_at: where the index was found. gaps: the offsets at which damaged bytes begin, in
    their order.
    """
    table = table_of(index)
    written_at = index.first_block + int(index.chunk_bytes_E.sum()) + index.extra_bytes
    entries = zip(table.offsets.tolist(), table.chunk_bytes.tolist(), table.counts.tolist(), strict=True)
    number_of = {place: number for number, place in enumerate(entries)}
    moved = index_at - written_at
    before = [number_of.get(place) for place in found]
    after = [number_of.get((offset - moved, size, images)) for offset, size, images in found]
    first, last = _leading(after[::-1]), _leading(before)
    cuts = [
        cut
        for cut in range(max(len(found) - first, 0), last + 1)
        if cut in (0, len(found)) or (before[cut - 1] or 0) < (after[cut] or 0)
    ]
    if moved == 0:
        cuts = cuts[-1:]
    elif len(cuts) > 1:
        cuts = [cut for cut in cuts if _is_broken(found, cut, gaps)]
    if len(cuts) != 1:
        return None
    return [number for number in before[: cuts[0]] + after[cuts[0] :] if number is not None]


def _leading(numbers: Sequence[int | None]) -> int:
    """How many are known before the first that is not."""
    return next((i for i, number in enumerate(numbers) if number is None), len(numbers))


def _is_broken(found: Sequence[Place], cut: int, gaps: Sequence[int]) -> bool:
    """Whether damaged bytes begin between two blocks, or before the first, or after the last."""
    low = found[cut - 1][0] if cut else -1
    after = bisect.bisect_right(gaps, low)
    return after < len(gaps) and (cut == len(found) or gaps[after] < found[cut][0])
