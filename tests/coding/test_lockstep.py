"""Blocks are cut into parts for threads: all of them, in order."""

from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from compressnet.coding.lockstep import lockstep_parts


@given(
    counts=st.lists(st.integers(1, 3000), min_size=1, max_size=30),
    threads=st.integers(1, 16),
)
def test_lockstep_parts_cover_all_blocks_in_order(counts: list[int], threads: int) -> None:
    parts = lockstep_parts(counts, threads, [1024] * len(counts))
    assert [count for part in parts for count in part.counts] == counts
    assert [part.first for part in parts] == np.cumsum([0] + [len(part.counts) for part in parts[:-1]]).tolist()
    assert [part.start for part in parts] == [0] + [part.rows.stop for part in parts[:-1]]
    assert all(sum(part.counts) <= 1024 or len(part.counts) == 1 for part in parts)


@given(
    counts=st.lists(st.integers(1, 600), min_size=1, max_size=7),
    threads=st.integers(1, 4),
)
def test_no_cut_into_so_many_parts_has_a_smaller_largest(counts: list[int], threads: int) -> None:
    parts = lockstep_parts(counts, threads, [1024] * len(counts))
    largest = max(sum(part.counts) for part in parts)
    allowed = -(-len(parts) // threads) * threads
    for cuts in combinations(range(1, len(counts)), min(allowed, len(counts)) - 1):
        edges = [0, *cuts, len(counts)]
        assert max(sum(counts[start:stop]) for start, stop in pairwise(edges)) >= largest


def test_large_images_count_as_several() -> None:
    small, large = 1024, 4
    assert [len(part.counts) for part in lockstep_parts([1] * 512, 1, [small] * 512)] == [512]
    parts = lockstep_parts([1, 1, 1, 1, 500], 1, [large] * 4 + [small])
    assert [part.counts for part in parts] == [[1, 1, 1], [1, 500]]
    assert parts[1].rows == slice(3, 504)
