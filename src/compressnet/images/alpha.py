"""Hidden colour: that of pixels whose alpha is 0.

Images have alpha if they have 2 channels (grey, alpha) or 4 (RGB, alpha). Hidden colour is not
coded. The encoder fills it in from around, so that no edge costs bits where none is seen; what is
decoded there means nothing.

Axes: N images, H rows, W columns, C channels.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from compressnet.images.kinds import Images


def has_alpha(channels: int) -> bool:
    """Whether images of so many channels have alpha as their last one."""
    return channels in (2, 4)


def hidden_colour(images: Images) -> NDArray[np.bool_]:
    """Which pixels have colour under alpha 0: (...,C) to (...,).

    Without alpha it is a single False.
    """
    if not has_alpha(images.shape[-1]):
        return np.zeros((1,) * (images.ndim - 1), np.bool_)
    return (images[..., -1] == 0) & images[..., :-1].any(axis=-1)


def clear_hidden(images_NHWC: Images) -> Images:
    """The images with colour 0 where alpha is 0; the same array where there is none to clear."""
    if not has_alpha(images_NHWC.shape[-1]):
        return images_NHWC
    return np.where(images_NHWC[..., -1:] > 0, images_NHWC, 0).astype(np.uint8)


def with_hidden_of(images_NHWC: Images, originals_NHWC: Images) -> Images:
    """The images with the originals' colour where the originals' alpha is 0.

    That leaves only what is seen to compare.
    """
    if not has_alpha(images_NHWC.shape[-1]):
        return images_NHWC
    taken = np.where(originals_NHWC[..., -1:] > 0, images_NHWC, originals_NHWC)
    taken[..., -1] = images_NHWC[..., -1]
    return taken


def fill_hidden(images_NHWC: Images) -> Images:
    """The images with hidden colour replaced by what continues its surroundings, ring by ring.

    A pixel of the next ring takes the mean of its known neighbours, of up to 8, rounded half up.
    Integers throughout: the same on every machine.
    """
    if not has_alpha(images_NHWC.shape[-1]):
        return images_NHWC
    known_NHW = images_NHWC[..., -1] > 0
    rows = np.flatnonzero(~known_NHW.all(axis=(1, 2)) & known_NHW.any(axis=(1, 2)))
    filled = clear_hidden(images_NHWC)
    if len(rows):
        filled[rows, ..., :-1] = _continued(filled[rows, ..., :-1], known_NHW[rows])
    return filled


def _continued(colour_NHWC: Images, known_NHW: NDArray[np.bool_]) -> Images:
    """Colour, 0 where it is not known, continued over all of each image.

    Each image has to have some known colour.
    """
    channels = colour_NHWC.shape[3]
    # the number of known neighbours goes along as one more channel
    values = np.concatenate([colour_NHWC, known_NHW[..., None]], axis=3).astype(np.uint16)
    canvas = np.pad(values, ((0, 0), (1, 1), (1, 1), (0, 0)))
    inside = canvas[:, 1:-1, 1:-1]
    while not inside[..., -1].all():
        column = canvas[:, :-2] + canvas[:, 1:-1] + canvas[:, 2:]
        sums = column[:, :, :-2] + column[:, :, 1:-1] + column[:, :, 2:]
        count = sums[..., -1]
        new = (inside[..., -1] == 0) & (count > 0)
        inside[new, :channels] = (sums[new, :channels] + count[new, None] // 2) // count[new, None]
        inside[new, -1] = 1
    return inside[..., :channels].astype(np.uint8)
