"""What a backend has to reproduce before it is trusted: the probe of a network.

A codec with an encoder has images for it. The decoding part that archives embed need not: there
the symbols follow from the alphabets by a rule, and only hashes are kept.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from compressnet.images.kinds import Images, Kind
from compressnet.lossy.prior import Prior

DERIVED_IMAGES = 8
SIZELESS_IMAGES = 4
SIZELESS_SIZES = ((3, 5), (9, 13), (72, 40))
"""Height and width of the images that a network without a size is tried with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """Symbols at the lowest and the highest quality, with what they become.

    A backend has to reproduce these results.
    """

    images: NDArray[np.uint8] | None
    """(P,H,W,C): what the encoder makes these symbols of.

    None without an encoder: symbols are `derived_symbols`.
    """
    symbols: NDArray[np.int16]
    """(2,P,D)."""
    frequencies: NDArray[np.uint8]
    """(2,32): SHA-256 of the frequencies of every symbol, int32 little-endian, group by group."""
    pixels: NDArray[np.uint8]
    """(2,32): SHA-256 of the decoded images' bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SizelessProbe:
    """What a network without a size makes of images and symbols that are derived, as hashes.

    Each hash is SHA-256 over those of the three `SIZELESS_SIZES`, (2,32): at the lowest and at the
    highest quality.
    """

    encoded: NDArray[np.uint8] | None
    """Of the symbols of `derived_images`; None without an encoder."""
    frequencies: NDArray[np.uint8]
    """Of the frequencies of derived symbols."""
    pixels: NDArray[np.uint8]
    """Of the images decoded from them."""


def derived_symbols(prior: Prior, qualities: tuple[int, int], images: int = DERIVED_IMAGES) -> NDArray[np.int16]:
    """Symbols (2,P,D) for a probe without images, scattered within the alphabets.

    They go from all 0 to the whole of the alphabets. docs/FORMAT.md, "Probe". qualities: lowest
    and highest. images: P, 8 or a divisor of it.
    """
    symbols = len(prior.order)
    scattered_PD = _scattered(images * symbols).astype(np.int64).reshape(images, symbols)
    reach_P1 = (1 << np.arange(0, DERIVED_IMAGES, DERIVED_IMAGES // images))[:, None] - 1
    limits = [np.minimum(prior.symbol_bounds(quality), reach_P1) for quality in qualities]
    return np.stack([scattered_PD % (2 * limit + 1) - limit for limit in limits]).astype(np.int16)


def derived_images(kind: Kind) -> Images:
    """Images (4,H,W,C) for a probe, from dark ones to noise. docs/FORMAT.md, "Probe"."""
    scattered = _scattered(SIZELESS_IMAGES * math.prod(kind)).reshape(SIZELESS_IMAGES, -1)
    levels_P1 = (4 << 2 * np.arange(SIZELESS_IMAGES, dtype=np.uint32))[:, None]
    return (scattered % levels_P1).astype(np.uint8).reshape(SIZELESS_IMAGES, *kind)


def _scattered(count: int) -> NDArray[np.uint32]:
    """Numbers that look random, the same on every machine: (count,)."""
    x = np.arange(count, dtype=np.uint32) * np.uint32(0x9E3779B1)
    x = (x ^ x >> np.uint32(15)) * np.uint32(0x85EBCA77)
    return x ^ x >> np.uint32(13)
