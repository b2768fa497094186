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
FEATURE_BITS = 22
"""Of a feature's number: so few collide that it does not matter, and counts take 16 MiB."""
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


def _shared_features(images: Sequence[Images]) -> tuple[list[NDArray[np.uint32]], NDArray[np.float64]]:
    """The features of each image, as numbers, and what each number is worth."""
    of_images = [_features(image) for image in images]
    counts = np.zeros(1 << FEATURE_BITS)
    for own in of_images:
        counts[own] += 1  # each number is there once
    return of_images, np.sqrt(np.maximum(counts - 1, 0))


def _features(image_HWC: Images) -> NDArray[np.uint32]:
    """Numbers, each once, for what an image (H,W,C) has besides pixels like those beside them."""
    height, width, values = image_HWC.shape
    pixels = np.zeros((height + 1, width + 1), np.uint64)
    for i in range(values):
        pixels[1:, 1:] = pixels[1:, 1:] * np.uint64(257) + image_HWC[..., i] + np.uint64(1)
    own, west, north, northwest = pixels[1:, 1:], pixels[1:, :-1], pixels[:-1, 1:], pixels[:-1, :-1]
    is_new = (own != west) | (own != north)
    pair = _mixed(own, west)
    features = np.concatenate([own[is_new], pair[is_new], _mixed(_mixed(pair, north), northwest)[is_new]])
    return np.unique((_mixed(features, features) * _MIX >> np.uint64(64 - FEATURE_BITS)).astype(np.uint32))


def _mixed(a: NDArray[np.uint64], b: NDArray[np.uint64]) -> NDArray[np.uint64]:
    mixed = (a ^ (a >> np.uint64(29))) * _MIX ^ b
    return mixed ^ (mixed >> np.uint64(32))
