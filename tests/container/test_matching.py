"""Blocks that were found, and the entries of the index that they are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from compressnet.container.index import Index
from compressnet.container.matching import match_blocks

SIZES = (50, 60, 60, 16, 70)
STARTS = (100, 150, 210, 270, 286)


def found(blocks: Sequence[tuple[int, int]], index_at: int, gaps: Sequence[int] = ()) -> list[int] | None:
    """blocks: of each the chunk's number, and how far it was moved."""
    index = Index(
        images=10,
        first_block=100,
        extra_bytes=9,
        chunk_bytes_E=np.array(SIZES),
        counts_E=np.array([3, 3, 3, 0, 1]),
        positions_N=None,
    )
    counts = index.counts_E.tolist()
    places = [(STARTS[chunk] + moved, SIZES[chunk], counts[chunk]) for chunk, moved in blocks]
    return match_blocks(index, 365 + index_at, places, gaps)


@pytest.mark.parametrize(
    ("blocks", "index_at", "gaps", "numbers"),
    [
        ([(0, 0), (1, 0), (2, 0), (4, 0)], 0, [], [0, 1, 2, 3]),
        ([(1, 0), (4, 0)], 0, [], [1, 3]),
        ([], 0, [], []),
        ([(0, 5), (1, 5), (2, 5), (4, 5)], 5, [], [0, 1, 2, 3]),
        ([(0, 0), (1, 7), (4, 7)], 7, [], [0, 1, 3]),
        ([(1, -50), (2, -50), (4, -50)], -50, [], [1, 2, 3]),
        ([(0, 0), (1, 0), (4, -60)], -60, [], None),
        ([(0, 0), (1, 0), (4, -60)], -60, [215], [0, 1, 3]),
        ([(0, 0), (1, 0), (4, -60)], -60, [149], [0, 2, 3]),
        ([(0, 0), (1, 0), (4, -60)], -60, [149, 215], None),
        ([(0, 0), (1, 3), (4, 7)], 7, [], None),
        ([(0, 0), (1, 3), (4, 0)], 0, [], None),
    ],
)
def test_blocks_and_entries(
    blocks: list[tuple[int, int]], index_at: int, gaps: list[int], numbers: list[int] | None
) -> None:
    assert found(blocks, index_at, gaps) == numbers
