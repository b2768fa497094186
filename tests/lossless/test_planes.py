"""Planes: nothing is lost, alpha first, differences to green."""

from __future__ import annotations

import numpy as np
import pytest

from compressnet.lossless.planes import from_planes, to_planes


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_nothing_is_lost(channels: int) -> None:
    images = np.random.default_rng(channels).integers(0, 256, (7, 5, 3, channels), dtype=np.uint8)
    planes = to_planes(images)
    assert planes.shape == (7, channels, 5, 3)
    assert np.array_equal(from_planes(planes), images)


def test_order_and_differences() -> None:
    grey, alpha = np.array([[[[9]]]], np.uint8), np.array([[[[9, 77]]]], np.uint8)
    assert to_planes(grey).ravel().tolist() == [9]
    assert to_planes(alpha).ravel().tolist() == [77, 9]
    colour = np.array([[[[3, 5, 250]]]], np.uint8)
    assert to_planes(colour).ravel().tolist() == [5, 126, (250 - 5 + 128) % 256]
    seen = np.array([[[[10, 10, 10, 200]]]], np.uint8)
    assert to_planes(seen).ravel().tolist() == [200, 10, 128, 128]
