"""What an open archive keeps: up to some bytes, and no longer than it has to."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from compressnet.archive.cache import BlockCache, Kept
from compressnet.archive.codings import Coding
from compressnet.coding.stored import StoredCoder

CODING = Coding(StoredCoder((1, 2, 1)), kind=0, codec=0)
PIXELS = np.arange(40, dtype=np.uint8).reshape(20, 1, 2, 1)


def kept(*images: int) -> Kept:
    chosen = np.array(images, np.int64)
    return Kept.nothing(CODING, 20).with_more(chosen, PIXELS[chosen])


@given(first=st.sets(st.integers(0, 19)), more=st.sets(st.integers(0, 19)))
def test_images_of_a_block_come_bit_by_bit(first: set[int], more: set[int]) -> None:
    found = kept(*first)
    new = np.array(sorted(more - first), np.int64)
    found = found.with_more(new, PIXELS[new]) if len(new) else found
    assert set(np.flatnonzero(found.has(np.arange(20))).tolist()) == first | more
    asked = np.array(sorted(first | more) * 2, np.int64)
    if len(asked):
        assert np.array_equal(found.of(asked), PIXELS[asked])
    assert found.values.nbytes == (2 * len(first | more) if len(asked) else 0)


def test_what_was_asked_for_last_stays() -> None:
    cache = BlockCache(limit_bytes=8)
    for number in range(4):
        cache.put(number, kept(number))
    assert cache.get(0) is not None
    cache.put(4, kept(4))
    assert [number for number in range(5) if cache.get(number) is not None] == [0, 2, 3, 4]


def test_more_of_a_block_counts_as_more_bytes() -> None:
    cache = BlockCache(limit_bytes=8)
    cache.put(0, kept(0))
    cache.put(1, kept(0, 1))
    cache.put(1, kept(0, 1, 2))
    assert cache.get(0) is not None
    cache.put(0, kept(0, 1))
    assert cache.get(1) is None
    cache.put(2, kept(0, 1))
    assert cache.get(0) is not None


def test_what_is_too_large_is_not_kept() -> None:
    cache = BlockCache(limit_bytes=8)
    cache.put(0, kept(0))
    cache.put(1, kept(0, 1, 2, 3, 4))
    assert cache.get(1) is None
    cache.put(0, kept(0, 1, 2, 3, 4))
    assert cache.get(0) is None
