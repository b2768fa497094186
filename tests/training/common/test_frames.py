"""Images of many sizes as pieces of few sizes."""

from __future__ import annotations

import numpy as np
import pytest

from compressnet.training.common.frames import SIDES_PX, WHOLE_OF_KIND, cut, in_frames


def numbered(count: int, height: int, width: int, channels: int = 1) -> np.ndarray:
    """Images of which no two pixels are alike, as far as bytes allow."""
    return np.random.default_rng(count).integers(0, 256, (count, height, width, channels)).astype(np.uint8)


@pytest.mark.parametrize(("height", "width"), [(24, 50), (16, 16), (17, 31), (16, 200)])
def test_pieces_lie_side_by_side_and_are_all_that_fit(height: int, width: int) -> None:
    images = numbered(3, height, width)
    pieces = cut(images, 16, 16, np.random.default_rng(0))
    down, across = height // 16, width // 16
    assert pieces.shape == (3 * down * across, 16, 16, 1)
    places = [
        (y, x)
        for y in range(height - 16 * down + 1)
        for x in range(width - 16 * across + 1)
        if np.array_equal(images[0, y : y + 16, x : x + 16], pieces[0])
    ]
    ((top, left),) = places
    for i in range(down * across):
        y, x = top + i // across * 16, left + i % across * 16
        assert np.array_equal(pieces[i], images[0, y : y + 16, x : x + 16])


def test_short_sides_are_extended_by_their_last_rows_and_columns() -> None:
    images = numbered(2, 3, 20, 4)
    pieces = cut(images, 8, 16, np.random.default_rng(0))
    assert pieces.shape == (2, 8, 16, 4)
    assert np.array_equal(pieces[:, 2:], np.repeat(pieces[:, 2:3], 6, axis=1))


def test_common_kinds_stay_whole_and_rare_ones_join() -> None:
    sets = {images.shape[1:]: images for images in (numbered(WHOLE_OF_KIND, 20, 21), numbered(1, 33, 50))}
    sets |= {(h, w, 1): numbered(1, h, w) for h in range(17, 23) for w in range(40, 47)}
    found = in_frames(sets, np.random.default_rng(0))
    assert np.array_equal(found[20, 21, 1], sets[20, 21, 1])
    assert set(found) == {(20, 21, 1), (16, 32, 1)}
    assert len(found[16, 32, 1]) == 42 + 2 * 1


def test_the_last_few_pieces_are_small_however_few() -> None:
    found = in_frames({(5, 60, 2): numbered(1, 5, 60, 2), (1, 1, 2): numbered(1, 1, 1, 2)}, np.random.default_rng(0))
    assert [pieces.shape for pieces in found.values()] == [(7 + 1, SIDES_PX[0], SIDES_PX[0], 2)]
