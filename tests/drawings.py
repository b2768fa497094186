"""Small synthetic collections that several test modules draw."""

from __future__ import annotations

import numpy as np


def sprites(count: int, side_px: int = 16, channels: int = 4) -> np.ndarray:
    """Shaded, grainy discs of all colours with soft edges, (count,side,side,channels).

    Where there is alpha, with noise in the colour that it hides.
    """
    generator = np.random.default_rng(7)
    y, x = np.mgrid[:side_px, :side_px] / side_px - 0.5
    middle = generator.uniform(-0.2, 0.2, (count, 1, 1, 2))
    radius = generator.uniform(0.2, 0.4, (count, 1, 1, 1))
    colour = generator.uniform(0.2, 1, (count, 1, 1, 4))
    distance = np.hypot(y - middle[..., 0], x - middle[..., 1])[..., None]
    images = 255 * colour * (1 - distance) + generator.normal(0, 12, (count, side_px, side_px, 4))
    images = np.clip(images, 0, 255)
    if channels in (2, 4):
        images[..., channels - 1] = 255 * np.clip((radius - distance) * 8, 0, 1)[..., 0]
        hidden = images[..., channels - 1] == 0
        images[hidden, : channels - 1] = generator.uniform(0, 255, (int(hidden.sum()), channels - 1))
    return images[..., :channels].astype(np.uint8)


def pixel_art(count: int) -> np.ndarray:
    """Tiles (count,8,8,3) of two flat colours, each with a dot of its own."""
    images = np.full((count, 8, 8, 3), 40, np.uint8)
    for i in range(count):
        images[i, i % 4 : i % 4 + 3, i % 3 : i % 3 + 4] = (200, 30, 90)
        images[i, 7, i % 8] = (i, 0, 0)
    return images


def drawn(count: int, side_px: int = 12, channels: int = 4, seed: int = 0) -> np.ndarray:
    """Flat drawings of few colours, (count,side,side,channels): a frame, and bars across.

    Where there is alpha, the corners are transparent, and black.
    """
    generator = np.random.default_rng(seed)
    palette = generator.integers(0, 256, (6, 4)).astype(np.uint8)
    images = np.zeros((count, side_px, side_px, 4), np.uint8)
    for image in images:
        image[...] = palette[generator.integers(6)]
        image[1:-1, 1:-1] = palette[generator.integers(6)]
        row, column = generator.integers(1, side_px - 2, 2)
        image[row : row + 2, 1:-1] = palette[generator.integers(6)]
        image[1:-1, column] = palette[generator.integers(6)]
        image[side_px // 2 :, :, :3] //= 2
        image[..., 3] = 255
        image[:2, :2] = image[-1:, -2:] = 0
    return images[..., 4 - channels :] if channels in (2, 4) else images[..., :channels]
