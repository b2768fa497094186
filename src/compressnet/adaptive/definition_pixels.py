"""Pixels as integers of 64 bits: a byte for each role, alike for all kinds of pictures.

Roles 0 to 3 are alpha, green, red - green and blue - green; roles 4 to 7 are their low bytes,
where values have 16 bits. Grey is green. So a model that has learned colour pictures knows their
greys.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from compressnet.adaptive.model import Picture, PictureShape

ROLES = 8
UNKNOWN_PIXEL = (1 << 64) - 1
SHIFTS = [8 * role for role in range(ROLES)]
"""Where a role's byte lies in a pixel."""


def roles_of(shape: PictureShape) -> list[int]:
    """The roles of a picture's pixels that are coded, in this order."""
    first = 0 if shape.channels in (2, 4) else 1
    return [role + low for role in range(first, first + shape.channels) for low in ((0, 4) if shape.deep else (0,))]


def pixels_of(picture: Picture) -> list[int]:
    """The pixels of a picture, row by row."""
    shape, values = picture.shape, picture.values_HWB.reshape(-1, picture.shape.pixel_bytes).astype(np.int64)
    channels, most = shape.channels, 65535 if shape.deep else 255
    planes = values[:, :channels] << 8 | values[:, channels:] if shape.deep else values
    green = planes[:, 0 if channels < 3 else 1]
    nothing = np.zeros_like(green)
    alpha = planes[:, -1] if channels in (2, 4) else nothing + most
    red, blue = ((planes[:, 0] - green) & most, (planes[:, 2] - green) & most) if channels > 2 else (nothing, nothing)
    pixels = np.zeros(len(values), np.uint64)
    for role, plane in enumerate((alpha, green, red, blue)):
        high, low = (plane >> 8, plane & 255) if shape.deep else (plane, nothing)
        pixels |= high.astype(np.uint64) << np.uint64(8 * role) | low.astype(np.uint64) << np.uint64(32 + 8 * role)
    return pixels.tolist()


def picture_of(pixels: list[int], shape: PictureShape) -> Picture:
    """The picture that pixels are of, row by row."""
    bytes_PR = np.array(pixels, "<u8").view(np.uint8).reshape(-1, ROLES).astype(np.int64)
    most = 65535 if shape.deep else 255
    alpha, green, red, blue = (bytes_PR[:, :4] << 8 | bytes_PR[:, 4:] if shape.deep else bytes_PR[:, :4]).T
    planes = [green] if shape.channels < 3 else [(green + red) & most, green, (green + blue) & most]
    planes += [alpha] if shape.channels in (2, 4) else []
    values: NDArray[np.int64] = np.stack([plane >> 8 for plane in planes] + planes if shape.deep else planes, axis=-1)
    values_HWB = (values & 255).astype(np.uint8).reshape(shape.height, shape.width, shape.pixel_bytes)
    return Picture(values_HWB, shape)
