"""From a PSNR to bytes: the quality of a codec that gives it, by steps and bisection."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from compressnet.bench.rivals.groups import Taken

TOLERANCE_DB = 0.1
PERFECT_DB = 100.0
"""Stands for a PSNR without error where qualities are interpolated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AtPsnr:
    """Bytes at a PSNR, between two qualities or at one."""

    below: int
    above: int
    total_bytes: float
    psnr: float


def approach(
    at: Callable[[int], Taken], psnr_db: float, qualities: tuple[int, int], *, guess: int, step: int
) -> AtPsnr | None:
    """Bytes at a PSNR, from the quality that gives it or from the two around it.

    at: measures a quality. guess, step: where to begin, and how far to go first; steps double
    until the PSNR lies between two qualities. The lowest quality counts where even that is better
    than the PSNR; None where the highest stays below it.
    """
    low, high = qualities
    below: int | None = None
    above: int | None = None
    quality = guess
    while True:
        found = at(quality)
        if abs(found.psnr - psnr_db) <= TOLERANCE_DB or (quality == low and found.psnr > psnr_db):
            return AtPsnr(below=quality, above=quality, total_bytes=found.total_bytes, psnr=found.psnr)
        if found.psnr < psnr_db:
            below = quality
        else:
            above = quality
        if below is not None and above is not None:
            if above - below <= 1:
                return _between(at, below, above, psnr_db)
            share = _share(at(below), at(above), psnr_db)
            quality = min(max(round(below + share * (above - below)), below + 1), above - 1)
            continue
        if below == high:
            return None
        quality = max(low, quality - step) if below is None else min(high, quality + step)
        step *= 2


def _share(below: Taken, above: Taken, psnr_db: float) -> float:
    return (psnr_db - below.psnr) / (min(above.psnr, PERFECT_DB) - below.psnr)


def _between(at: Callable[[int], Taken], below: int, above: int, psnr_db: float) -> AtPsnr:
    """Interpolated in the logarithm of the bytes; a cheaper better quality counts as it is."""
    worse, better = at(below), at(above)
    if better.total_bytes <= worse.total_bytes:
        return AtPsnr(below=above, above=above, total_bytes=better.total_bytes, psnr=better.psnr)
    growth = math.log(better.total_bytes / worse.total_bytes)
    total_bytes = worse.total_bytes * math.exp(growth * _share(worse, better, psnr_db))
    return AtPsnr(below=below, above=above, total_bytes=total_bytes, psnr=psnr_db)
