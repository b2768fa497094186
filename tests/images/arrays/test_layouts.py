"""Axes of arrays: what is images beyond doubt, what is said of the rest."""

from __future__ import annotations

import re

import numpy as np
import pytest

from compressnet.errors import InputError
from compressnet.images.arrays.layouts import layout_of, may_be_images


@pytest.mark.parametrize(
    ("shape", "stored", "note"),
    [
        ((7, 5, 4), (7, 5, 4), ""),
        ((28, 28, 3), (28, 28, 3), ""),
        ((7, 5, 4, 3), (7, 5, 4, 3), ""),
        ((7, 3, 5, 4), (7, 3, 5, 4), ""),
        ((7, 1, 28, 28), (7, 1, 28, 28), "channels first, (N,C,H,W), taken as channels last"),
        ((7, 784), (7, 28, 28), "rows of 784 values taken as 28x28"),
        ((60000, 784), (60000, 28, 28), "rows of 784 values taken as 28x28"),
        ((5000, 64), (5000, 8, 8), "rows of 64 values taken as 8x8"),
        ((28, 28), (1, 28, 28), "array (H,W) taken as one image"),
        ((640, 480), (1, 640, 480), "array (H,W) taken as one image"),
    ],
)
def test_shapes_that_are_taken(shape: tuple[int, ...], stored: tuple[int, ...], note: str) -> None:
    layout = layout_of("a", shape)
    assert (layout.stored, layout.note) == (stored, note)
    assert layout.count == stored[0]
    assert may_be_images(shape)


def test_channels_go_last() -> None:
    stored = np.arange(2 * 3 * 5 * 6).reshape(2, 3, 5, 6)
    images = layout_of("a", stored.shape).images(stored)
    assert images.shape == (2, 5, 6, 3)
    assert images[1, 2, 3, 0] == stored[1, 0, 2, 3]


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((7,), "no collection of images (N,H,W) or (N,H,W,C); give it their sizes, as in np.reshape(a, (-1, 28, 28))"),
        ((), "no collection of images"),
        ((100, 64), "np.reshape(a, (100, 8, 8)) for rows that are images, or a[None] for one image"),
        ((784, 784), "np.reshape(a, (784, 28, 28)) for rows that are images, or a[None] for one image"),
        ((50000, 3072), "np.reshape(a, (50000, 3, 32, 32)) for rows that are images, colour after colour, or "),
        ((50000, 3072), "np.reshape(a, (50000, 32, 32, 3)) for rows that are images, pixel after pixel"),
        ((5000, 6), "np.reshape(a, (5000, H, W)) for rows that are images of H x W = 6 values"),
        ((7, 5, 6, 5), "with 1 to 4 channels; choose channels, as in a[..., :3]"),
        ((2, 7, 5, 4, 3), "np.reshape(a, (-1, *a.shape[-3:]))"),
        ((0, 5, 4), "holds no images"),
        ((0, 784), "holds no images"),
        ((7, 0), "holds no images"),
        ((7, 0, 4), "7 images of 0x4 pixels are beyond the limits"),
        ((7, 5000, 4), "7 images of 5000x4 pixels are beyond the limits; sides are 1 to 4096 pixels"),
    ],
)
def test_shapes_that_are_not(shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(InputError, match=f"^a.npy: .*{re.escape(message)}"):
        layout_of("a.npy", shape)
    assert not may_be_images(shape)
