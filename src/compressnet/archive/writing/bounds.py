"""How far a decoded image may be from its original, and how coarse a stored one may be for it.

Axes: N images, H rows, W columns, C channels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from compressnet.coding.stored import in_steps, largest_error
from compressnet.errors import InputError
from compressnet.images.alpha import clear_hidden
from compressnet.images.kinds import Images
from compressnet.limits import whole

STEPS = (63, 41, 31, 21, 15, 11, 9, 7, 5, 3, 1)
"""Steps that stored images are tried in for a PSNR, the coarsest first."""
LARGEST_STEP = 255
TOGETHER_BYTES = 1 << 22
"""Of images that are compared together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Errors:
    """How far images are from their originals."""

    largest_N: NDArray[np.int64]
    """The largest difference of any channel of any pixel."""
    mse_N: NDArray[np.float64]
    """Mean squared error, pixels in [0,1]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What every image of an archive has to meet.

    max_error: the largest error of any channel of any pixel. min_psnr: in dB, of each image.
    exact_alpha: colour under alpha 0 counts, and is kept; a `max_error` implies it. Raises
    InputError.
    """

    max_error: int | None = None
    min_psnr: float | None = None
    exact_alpha: bool = False

    def __post_init__(self) -> None:
        if self.max_error is not None and not 0 <= whole(self.max_error, "a largest error") <= 255:
            raise InputError(f"a largest error of {self.max_error}: 0 (lossless) to 255 are possible")
        if self.min_psnr is not None and not 0 <= self.min_psnr < math.inf:
            raise InputError(f"a PSNR of {self.min_psnr} dB: give a number from 0 on; a largest error of 0 is lossless")

    @property
    def are_set(self) -> bool:
        """Whether an image could fail to meet them."""
        return self.max_error is not None or self.min_psnr is not None

    @property
    def keep_hidden_colour(self) -> bool:
        """Whether colour under alpha 0 is kept."""
        return self.exact_alpha or self.max_error is not None

    def errors(self, images_NHWC: Images, decoded_NHWC: Images) -> Errors:
        """How far decoded images are from their originals.

        Hidden colour counts as black, in both, unless it is kept.
        """
        image_bytes = max(1, images_NHWC[0].nbytes) if len(images_NHWC) else 1
        together = max(1, TOGETHER_BYTES // image_bytes)
        largest_N = np.zeros(len(images_NHWC), np.int64)
        mse_N = np.zeros(len(images_NHWC), np.float64)
        for start in range(0, len(images_NHWC), together):
            rows = slice(start, start + together)
            images, decoded = images_NHWC[rows], decoded_NHWC[rows]
            if not self.keep_hidden_colour:
                images, decoded = clear_hidden(images), clear_hidden(decoded)
            errors = images.astype(np.int16) - decoded
            flat = errors.reshape(len(images), -1).astype(np.int32)
            largest_N[rows] = np.abs(flat).max(axis=1)
            mse_N[rows] = np.square(flat).mean(axis=1) / 255**2
        return Errors(largest_N=largest_N, mse_N=mse_N)

    def met(self, errors: Errors) -> NDArray[np.bool_]:
        """Which images are near enough to their originals, (N,)."""
        met_N = np.ones(len(errors.mse_N), np.bool_)
        if self.max_error is not None:
            met_N &= errors.largest_N <= self.max_error
        if self.min_psnr is not None:
            met_N &= errors.mse_N <= 10 ** (-self.min_psnr / 10)
        return met_N

    def steps(self, images_NHWC: Images) -> NDArray[np.int64]:
        """The coarsest step in which each image may be stored, (N,).

        1 where there are no bounds.
        """
        coarsest = LARGEST_STEP if self.max_error is None else min(2 * self.max_error + 1, LARGEST_STEP)
        steps_N = np.ones(len(images_NHWC), np.int64)
        if self.min_psnr is None:
            return steps_N * (coarsest if self.max_error is not None else 1)
        for step in sorted({coarsest, *STEPS} - {LARGEST_STEP}):
            if largest_error(step) <= largest_error(coarsest):
                steps_N[self.met(self.errors(images_NHWC, in_steps(images_NHWC, step)))] = step
        return steps_N
