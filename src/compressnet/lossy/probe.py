"""What a backend has to reproduce before it is trusted: the probe of a network.

A codec with an encoder has images for it. The decoding part that archives embed need not: there
the symbols follow from the alphabets by a rule, and only hashes are kept.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from compressnet.lossy.prior import Prior

DERIVED_IMAGES = 8


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


def derived_symbols(prior: Prior, qualities: tuple[int, int]) -> NDArray[np.int16]:
    """Symbols (2,8,D) for a probe without images, scattered within the alphabets.

    They go from all 0 to the whole of the alphabets. docs/FORMAT.md, "Probe". qualities: lowest
    and highest.
    """
    symbols = len(prior.order)
    x = np.arange(DERIVED_IMAGES * symbols, dtype=np.uint32) * np.uint32(0x9E3779B1)
    x = (x ^ x >> np.uint32(15)) * np.uint32(0x85EBCA77)
    scattered_PD = (x ^ x >> np.uint32(13)).astype(np.int64).reshape(DERIVED_IMAGES, symbols)
    reach_P1 = (1 << np.arange(DERIVED_IMAGES))[:, None] - 1
    limits = [np.minimum(prior.symbol_bounds(quality), reach_P1) for quality in qualities]
    return np.stack([scattered_PD % (2 * limit + 1) - limit for limit in limits]).astype(np.int16)
