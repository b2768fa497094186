"""Images as planes, one for each channel, decorrelated without any loss.

Planes are what lossless coding works on. Red, green and blue become green, red less green and blue
less green, modulo 256 and with 128 for a difference of 0: but for that offset this is the
reversible transform of WebP's lossless format (RFC 9649, section 4.3). Alpha comes first, as
colour depends on whether it is seen.

Axes: N images, H rows, W columns, C channels.
"""

from __future__ import annotations

import numpy as np

from compressnet.images.kinds import Images

DIFFERENCE_ZERO = 128
_ORDERS = {1: (0,), 2: (1, 0), 3: (1, 0, 2), 4: (3, 1, 0, 2)}
"""By the number of channels: which channel each plane is of; the last two of colour are
differences to the first."""


def to_planes(images_NHWC: Images) -> Images:
    """Images (N,H,W,C) to planes (N,C,H,W)."""
    channels = images_NHWC.shape[3]
    order = _ORDERS.get(channels, tuple(range(channels)))
    planes = images_NHWC.transpose(0, 3, 1, 2)[:, order]
    if channels in (3, 4):
        green = planes[:, channels - 3 : channels - 2]
        planes[:, channels - 2 :] += np.uint8(DIFFERENCE_ZERO) - green
    return np.ascontiguousarray(planes)


def from_planes(planes_NCHW: Images) -> Images:
    """Planes (N,C,H,W) back to images (N,H,W,C)."""
    channels = planes_NCHW.shape[1]
    planes = planes_NCHW.copy()
    if channels in (3, 4):
        green = planes[:, channels - 3 : channels - 2]
        planes[:, channels - 2 :] += green - np.uint8(DIFFERENCE_ZERO)
    order = _ORDERS.get(channels, tuple(range(channels)))
    images = np.empty((len(planes), *planes.shape[2:], channels), np.uint8)
    images[..., order] = planes.transpose(0, 2, 3, 1)
    return images
