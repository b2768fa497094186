"""Bins give images back in the order in which they came."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from compressnet.archive.writing.bins import CODE, STORE, TRY, Bins, Way

WAY = Way(TRY, (2, 2), 60)


@given(sizes=st.lists(st.integers(0, 5), max_size=8), takes=st.lists(st.integers(1, 6), max_size=12))
def test_first_in_first_out(sizes: list[int], takes: list[int]) -> None:
    bins, first, out = Bins(), 0, []
    for size in sizes:
        numbers = np.arange(first, first + size)
        bins.put(WAY, (numbers[:, None, None, None] * np.ones((1, 2, 2, 1))).astype(np.uint8), numbers)
        first += size
    for take in takes:
        if bins.images_of(WAY) >= take:
            array, numbers = bins.take(WAY, take)
            assert array[:, 0, 0, 0].tolist() == numbers.tolist()
            out += numbers.tolist()
    assert out == list(range(len(out)))
    assert bins.images == bins.images_of(WAY) == first - len(out)
    assert bins.array_bytes == 4 * bins.images


def test_ways_are_told_apart() -> None:
    bins = Bins()
    for way, images in ((WAY, 1), (Way(STORE, (2, 2), 100, 3), 3), (Way(STORE, (2, 2, 1), 100, 3), 2)):
        bins.put(way, np.zeros((images, 2, 2, 1), np.uint8), np.arange(images))
    assert bins.touched() == [WAY, Way(STORE, (2, 2), 100, 3), Way(STORE, (2, 2, 1), 100, 3)]
    assert bins.touched() == []
    assert [bins.images_of(way) for way in bins.largest_first()] == [3, 2, 1]
    assert bins.next_of(TRY) == WAY
    assert bins.next_of(CODE) is None
    assert WAY.kind == Way(STORE, (2, 2, 1), 100, 3).kind == (2, 2, 1)
