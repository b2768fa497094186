"""Bins give images back in the order in which they came."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from compressnet.archive.writing.bins import Bins, Way
from compressnet.coding.stored import StoredCoder
from compressnet.images.forms import Form

WAY = Way(Form(shape=(2, 2)), StoredCoder((2, 2, 1)))


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


def test_ways_are_told_apart_by_form_and_coder() -> None:
    bins = Bins()
    stepped = Way(Form(shape=(2, 2)), StoredCoder((2, 2, 1), step=3))
    with_axis = Way(Form(shape=(2, 2, 1)), StoredCoder((2, 2, 1), step=3))
    for way, images in ((WAY, 1), (stepped, 3), (with_axis, 2)):
        bins.put(way, np.zeros((images, 2, 2, 1), np.uint8), np.arange(images))
    assert bins.touched() == [WAY, stepped, with_axis]
    assert bins.touched() == []
    assert [bins.bytes_of(way) for way in (WAY, stepped, with_axis)] == [4, 12, 8]
    assert bins.ways() == [WAY, stepped, with_axis]
    assert bins.images_of(Way(Form(shape=(2, 2)), StoredCoder((2, 2, 1)))) == 1
    bins.take(WAY, 1)
    assert bins.ways() == [stepped, with_axis]
    assert bins.images_of(WAY) == bins.bytes_of(WAY) == 0
