"""An archive against the images that it was made of: their quality on the whole, and the worst."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from compressnet.archive.archive import Archive
from compressnet.images import Collection
from compressnet.images.alpha import clear_hidden
from compressnet.images.kinds import eight_bits
from compressnet.images.metrics import WORST_IMAGES, psnr_of_mse
from compressnet.packing.samples import Picked, pick, positions_in_runs

CHECKED_IMAGES = 4096
CHECKED_RUN = 256
"""Neighbours that are checked, as many as a block holds: a few of a block take as long to read."""
FAR_WORSE_DB = 10.0
"""An image this far below the median is probably unlike those that the codec was trained on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """PSNR in dB of an archive's images, or of some; hidden colour is black in both."""

    images: int
    """That were looked at."""
    psnr: float | None
    """Of the mean squared error; None where all came back perfect."""
    median: float | None
    """Of the images that did not come back perfect."""
    worst: tuple[tuple[int, float], ...]
    """Up to ten images' numbers and PSNR, the worst first."""

    @property
    def far_worse(self) -> tuple[tuple[int, float], ...]:
        """Those of the worst that lost much more than most images."""
        if self.median is None:
            return ()
        return tuple(one for one in self.worst if one[1] < self.median - FAR_WORSE_DB)


def check_against(archive: Archive, collection: Collection, images: int = CHECKED_IMAGES) -> Checked:
    """Compare about `images` of an archive, in evenly spread runs, with those of a collection.

    Raises InputError, CorruptError.
    """
    return check_picked(archive, pick(collection.batches(), positions_in_runs(len(archive), images, CHECKED_RUN)))


def check_picked(archive: Archive, picked: Iterable[Picked]) -> Checked:
    """Decode the images of an archive at some positions, and compare them with the originals.

    Images of 16 bits as well; pixels are in [0,1] for both.

    Raises CorruptError.
    """
    squares = 0.0
    values = images = 0
    found: list[tuple[int, float]] = []
    for positions, originals in picked:
        decoded = np.asarray(archive[positions])
        is_seen = originals.ndim == 4 and originals.dtype == np.uint8
        if is_seen:
            decoded, originals = clear_hidden(eight_bits(decoded)), clear_hidden(eight_bits(originals))
        # Squares of 16 bits do not fit in int32.
        errors = decoded.astype(np.int64 if originals.itemsize > 1 else np.int32) - originals
        sums_N = np.square(errors).reshape(len(positions), -1).sum(axis=1, dtype=np.int64)
        errors_N = sums_N / np.iinfo(originals.dtype).max ** 2
        squares, values, images = squares + float(errors_N.sum()), values + originals.size, images + len(positions)
        mse_N = errors_N / originals[0].size
        found += [(int(i), psnr_of_mse(float(mse))) for i, mse in zip(positions, mse_N, strict=True) if mse > 0]
    return Checked(
        images=images,
        psnr=psnr_of_mse(squares / values) if squares else None,
        median=float(np.median([psnr for _, psnr in found])) if found else None,
        worst=tuple(sorted(found, key=lambda one: (one[1], one[0]))[:WORST_IMAGES]),
    )
