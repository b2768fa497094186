"""What neighbours predict of stored values, and green of red and blue; and the way back.

Axes: N images, H rows, W columns, C channels.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from compressnet.images.kinds import Images

NONE, LEFT, UP, MEDIAN = 0, 1, 2, 3
PREDICTORS = (NONE, LEFT, UP, MEDIAN)
GREEN = 1
TOGETHER_VALUES = 1 << 22
"""Values of which levels are found together, where a channel of an image does not have more."""


def residuals_of(levels_NHWC: Images, predictor: int, count: int) -> Images:
    """Each level less what its neighbours predict, modulo the number of levels.

    Outside of an image lie zeros.
    """
    if predictor == NONE:
        return levels_NHWC
    padded = np.pad(levels_NHWC.astype(np.int16), ((0, 0), (1, 0), (1, 0), (0, 0)))
    left, up, corner = padded[:, 1:, :-1], padded[:, :-1, 1:], padded[:, :-1, :-1]
    predicted = {LEFT: left, UP: up}.get(predictor)
    if predicted is None:
        predicted = _median(left, up, corner)
    return ((levels_NHWC - predicted) % count).astype(np.uint8)


def levels_of(residuals_NHWC: Images, predictor: int, count: int) -> Images:
    """The inverse of `residuals_of`, for some images and channels at a time."""
    if predictor == NONE:
        return residuals_NHWC
    levels = np.empty(residuals_NHWC.shape, np.uint8)
    _, height, width, every = residuals_NHWC.shape
    image_values = height * width * every
    step = max(1, TOGETHER_VALUES // image_values)
    channels = every if image_values <= TOGETHER_VALUES else 1
    for image in range(0, len(levels), step):
        for channel in range(0, every, channels):
            some = (slice(image, image + step), slice(None), slice(None), slice(channel, channel + channels))
            levels[some] = _some_levels_of(residuals_NHWC[some], predictor, count)
    return levels


def _some_levels_of(residuals_NHWC: Images, predictor: int, count: int) -> NDArray[np.integer]:
    if predictor != MEDIAN:
        sums = np.cumsum(residuals_NHWC, axis=2 if predictor == LEFT else 1, dtype=np.uint32)
        return (sums % count).astype(np.uint8)
    images, height, width, channels = residuals_NHWC.shape
    padded = np.zeros((height + 1, width + 1, images * channels), np.int16)
    padded[1:, 1:] = residuals_NHWC.transpose(1, 2, 0, 3).reshape(height, width, -1)
    flat = padded.reshape(-1, images * channels)
    # Along an antidiagonal no level depends on another, and its places are `width` apart in the
    # padded array.
    for diagonal in range(height + width - 1):
        top, bottom = max(0, diagonal - width + 1), min(height, diagonal + 1)
        start = (top + 1) * (width + 1) + diagonal - top + 1
        stop = start + (bottom - top - 1) * width + 1
        left, up, corner = (flat[start - back : stop - back : width] for back in (1, width + 1, width + 2))
        flat[start:stop:width] = (flat[start:stop:width] + _median(left, up, corner)) % count
    levels = padded[1:, 1:].reshape(height, width, images, channels)
    return levels.transpose(2, 0, 1, 3)


def _median(left: NDArray[np.int16], up: NDArray[np.int16], corner: NDArray[np.int16]) -> NDArray[np.int16]:
    """The median edge detector of JPEG-LS (LOCO-I).

    It is the middle one of left, up, and left + up - corner.
    """
    return np.clip(left + up - corner, np.minimum(left, up), np.maximum(left, up))


def take_green(residuals_NHWC: Images, count: int) -> Images:
    """Residuals of red and blue less those of green, modulo the number of levels."""
    return _add_green(residuals_NHWC, -1, count)


def give_green(residuals_NHWC: Images, count: int) -> Images:
    """The inverse of `take_green`."""
    return _add_green(residuals_NHWC, 1, count)


def _add_green(residuals_NHWC: Images, sign: int, count: int) -> Images:
    """Green's residuals added to those of red and blue, or taken from them."""
    changed = residuals_NHWC.copy()
    green = residuals_NHWC[..., GREEN].astype(np.int16)
    for channel in (GREEN - 1, GREEN + 1):
        changed[..., channel] = (residuals_NHWC[..., channel] + sign * green) % count
    return changed
