"""Images that tell most about all of a collection, within what they may cost.

What an image has to tell are its features: its pixels, pairs and squares of pixels, but for even
areas. One that many images have is worth more, but only the first of those chosen has told it.

Axes: N images, H rows, W columns, C bytes of a pixel.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from compressnet.images.kinds import Images

COST_POWER = 0.7
"""Of an image's cost: where it was 1, as much as possible would be told by small images."""
_MIX = np.uint64(0x9E3779B97F4A7C15)


def telling_images(images: Sequence[Images], costs_N: NDArray[np.float64], most: float) -> list[int]:
    """Numbers of images (H,W,C) that cost no more than `most` in all, the most telling first."""
    features, worth = _shared_features(images)
    told = np.zeros(len(worth), np.bool_)
    scale_N = costs_N**COST_POWER
    chosen: list[int] = []
    # Of those that tell as much, ones far from each other come first.
    queue = [(-float(worth[own].sum()) / scale_N[i], math.modf(i * 0.618034)[0], i) for i, own in enumerate(features)]
    heapq.heapify(queue)
    while queue:
        _, order, i = heapq.heappop(queue)
        if costs_N[i] > most:
            continue
        value = -float(worth[features[i]][~told[features[i]]].sum()) / scale_N[i]
        if queue and value > queue[0][0]:
            # It tells less than it did, as others have told some of it.
            heapq.heappush(queue, (value, order, i))
            continue
        chosen.append(i)
        told[features[i]] = True
        most -= costs_N[i]
    return chosen


def _shared_features(images: Sequence[Images]) -> tuple[list[NDArray[np.int64]], NDArray[np.float64]]:
    """The features of each image, as numbers, and what each number is worth."""
    of_images = [_features(image) for image in images]
    _, numbers, counts = np.unique(np.concatenate(of_images), return_inverse=True, return_counts=True)
    bounds = np.cumsum([len(own) for own in of_images])[:-1]
    return np.split(numbers.reshape(-1), bounds), np.sqrt(counts - 1.0)


def _features(image_HWC: Images) -> NDArray[np.uint64]:
    """Hashes, each once, of what an image (H,W,C) has besides pixels like those left and above."""
    height, width, values = image_HWC.shape
    pixels = np.zeros((height + 1, width + 1), np.uint64)
    for i in range(values):
        pixels[1:, 1:] = pixels[1:, 1:] * np.uint64(257) + image_HWC[..., i] + np.uint64(1)
    own, west, north, northwest = pixels[1:, 1:], pixels[1:, :-1], pixels[:-1, 1:], pixels[:-1, :-1]
    is_new = (own != west) | (own != north)
    pair = _mixed(own, west)
    return np.unique(np.concatenate([own[is_new], pair[is_new], _mixed(_mixed(pair, north), northwest)[is_new]]))


def _mixed(a: NDArray[np.uint64], b: NDArray[np.uint64]) -> NDArray[np.uint64]:
    mixed = (a ^ (a >> np.uint64(29))) * _MIX ^ b
    return mixed ^ (mixed >> np.uint64(32))
