"""From a target (PSNR, bytes an image or mean squared error) to the quality that reaches it, by bisection.

Bytes and PSNR rise with quality, so some seven codings of a sample settle it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from compressnet.codec import Codec, kind_of
from compressnet.errors import InputError
from compressnet.metrics import mse_per_image, psnr_of_mse
from compressnet.network import Images

Measure = Literal["psnr", "bytes", "mse"]

SAMPLE_IMAGES = 4096
SAMPLE_IMAGES_SEARCHED = 512
"""With an effort above 1, which takes longer."""
PSNR_TOLERANCE_DB = 0.1
BYTES_TOLERANCE = 0.02
BLOCK_OVERHEAD_BYTES = 24
"""About what a chunk, a block's record and its line in the index take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """A quality, and what it gives on the sample."""

    quality: int
    bytes_per_image: float
    """Payloads and what frames them, without the archive's header."""
    mse: float
    exact: bool
    """Whether the target is met within 0.1 dB or 2 %."""

    @property
    def psnr(self) -> float:
        """In dB."""
        return psnr_of_mse(self.mse)


def sample_size(effort: int) -> int:
    """How many images of a collection are enough to find a quality."""
    return SAMPLE_IMAGES if effort == 1 else SAMPLE_IMAGES_SEARCHED


def find_quality(
    codec: Codec, images: Images, *, measure: Measure, target: float, effort: int = 1, block_images: int = 256
) -> Reached:
    """The quality at which images (N,H,W) or (N,H,W,C) reach a target.

    psnr: the lowest quality that comes within 0.05 dB of the target, or above it.
    bytes: the highest quality that takes at most 1 % more than the target, in bytes an image.
    mse: the lowest quality whose mean squared error, pixels in [0,1], is at most the target.
    Raises InputError where no quality of the codec reaches the target.
    """
    if not (math.isfinite(target) and target > 0):
        raise InputError(f"a target of {target:g}: it has to be a positive number")
    kind = kind_of(images)
    images_NHWC = images.reshape(len(images), *kind)
    known: dict[int, Reached] = {}

    def at(quality: int) -> Reached:
        if quality not in known:
            known[quality] = _measure(codec, images_NHWC, quality, effort, block_images)
        return known[quality]

    low, high = codec.qualities
    if measure == "bytes":
        quality = _last(low, high, lambda q: at(q).bytes_per_image <= 1.01 * target)
        quality = low if quality is None and at(low).bytes_per_image <= (1 + BYTES_TOLERANCE) * target else quality
    else:
        most = target if measure == "mse" else 10 ** (-(target - PSNR_TOLERANCE_DB / 2) / 10)
        last_short = _last(low, high, lambda q: at(q).mse > most)
        quality = low if last_short is None else last_short + 1 if last_short < high else None
    if quality is None:
        raise InputError(_out_of_reach(codec, at(low), at(high), measure, target))
    found = at(quality)
    if measure == "bytes":
        exact = abs(found.bytes_per_image / target - 1) <= BYTES_TOLERANCE
    else:
        wanted = target if measure == "psnr" else psnr_of_mse(target)
        exact = abs(found.psnr - wanted) <= PSNR_TOLERANCE_DB
    return Reached(quality=quality, bytes_per_image=found.bytes_per_image, mse=found.mse, exact=exact)


def _last(low: int, high: int, holds: Callable[[int], bool]) -> int | None:
    """The last of low..high for which a condition holds, one that holds up to some point; None where it never does."""
    if not holds(low):
        return None
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if holds(middle) else (low, middle - 1)
    return low


def _measure(codec: Codec, images_NHWC: Images, quality: int, effort: int, block_images: int) -> Reached:
    network = codec.network(kind_of(images_NHWC), quality)
    symbols = codec.best_symbols(images_NHWC, quality, effort)
    counts = [min(block_images, len(symbols) - i) for i in range(0, len(symbols), block_images)]
    payloads = network.write_payloads(symbols, counts, quality)
    total = sum(len(payload) + BLOCK_OVERHEAD_BYTES for payload in payloads)
    mse = float(np.mean(mse_per_image(images_NHWC, network.decode(symbols, quality))))
    return Reached(quality=quality, bytes_per_image=total / len(symbols), mse=mse, exact=True)


def _out_of_reach(codec: Codec, lowest: Reached, highest: Reached, measure: Measure, target: float) -> str:
    reach = f"on these images the codec {codec.name} gives"
    worst, best = lowest.psnr, highest.psnr
    texts = {
        "psnr": f"{target:g} dB: {reach} {worst:.2f} to {best:.2f} dB",
        "bytes": f"{target:g} bytes an image: {reach} {lowest.bytes_per_image:.2f} to {highest.bytes_per_image:.2f}",
        "mse": f"a mean squared error of {target:g}: {reach} {highest.mse:.6f} to {lowest.mse:.6f}",
    }
    return f"{texts[measure]} (qualities {lowest.quality} to {highest.quality}); train a codec for these images"
