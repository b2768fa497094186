"""Losses in words, and the images that blocks hold."""

from __future__ import annotations

import numpy as np
import pytest

from compressnet.archive.losses import Holders, Lost, count_of, named, ranges_of


@pytest.mark.parametrize(
    ("block", "images", "ranges", "names", "line"),
    [
        (None, None, [], [], "bytes 10 to 19: gone; nobody knows which images were there"),
        (None, 3, [], [], "bytes 10 to 19: gone; held 3 images"),
        (4, 3, [(2, 2), (5, 6)], [], "block 4, bytes 10 to 19: gone; held 3 images: 2, 5 to 6"),
        (4, 1, [(2, 2)], ["a"], "block 4, bytes 10 to 19: gone; held 1 image: a"),
        (
            4,
            9,
            [(0, 8)],
            list("abcdefghi"),
            "block 4, bytes 10 to 19: gone; held 9 images: a, b, c, d, e, f, g, h, i",
        ),
        (
            4,
            10,
            [(0, 9)],
            list("abcdefghij"),
            "block 4, bytes 10 to 19: gone; held 10 images: a, b, c, d, e, f, g, h and 2 others",
        ),
        (4, 0, [], [], "block 4, bytes 10 to 19: gone; held 0 images"),
    ],
)
def test_lines(
    block: int | None, images: int | None, ranges: list[tuple[int, int]], names: list[str], line: str
) -> None:
    lost = Lost(why="gone", offset=10, end=20, block=block, images=images, ranges=ranges, names=names)
    assert lost.line() == line
    assert lost.as_json()["ranges"] == ranges


def test_images_of_a_block_with_equal_ones() -> None:
    holders = Holders(np.array([3, 0, 0, 1, 2, 3, 0], np.uint32))
    assert holders.ranges(0, 2) == [(1, 3), (6, 6)]
    assert holders.ranges(3, 5) == [(0, 0), (5, 5)]
    assert holders.ranges(4, 5) == []
    assert Holders(None).ranges(3, 4) == [(3, 6)]
    assert Holders(None).ranges(3, 0) == []


def test_ranges() -> None:
    assert ranges_of(np.array([1, 2, 5, 7, 8, 9])) == [(1, 2), (5, 5), (7, 9)]
    assert count_of([(1, 2), (5, 5)]) == 3
    assert named(["a", "b", "c", "d"], [(0, 1), (3, 3)]) == ["a", "b", "d"]
    assert named(None, [(0, 1)]) == []
