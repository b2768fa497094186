"""Collections of several sizes, modes and depths, as lossless rivals meet them."""

from __future__ import annotations

import numpy as np

from drawings import sprites


def mixed_batches() -> list[np.ndarray]:
    """Ten images of 8 bits: grey, grey with alpha, RGB, RGBA, two sizes, sizes coming again."""
    return [
        sprites(3, channels=1)[..., 0],
        sprites(1, channels=4),
        sprites(2, side_px=9, channels=3)[:, :7],
        sprites(1, channels=2),
        sprites(2, side_px=9, channels=4),
        sprites(4, channels=4)[1:2],
    ]


def deep_batches() -> list[np.ndarray]:
    """Images of 16 bits in every mode; the last ones would fit in 8."""
    deep = [sprites(2, channels=channels).astype(np.uint16) * 251 + 7 for channels in (1, 2, 3, 4)]
    deep[0] = deep[0][..., 0]
    for images in deep[1::2]:
        images[:, :4, :4, -1] = 0
    return [*deep, sprites(2, channels=4).astype(np.uint16) * 257, sprites(1, channels=1).astype(np.uint16) * 257]
