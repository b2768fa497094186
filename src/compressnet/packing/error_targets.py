"""From a target to the largest error of values, where images are coded without a trained codec."""

from __future__ import annotations

import io
from collections.abc import Iterable

from compressnet.adaptive.primer import within_error
from compressnet.archive.writing.bounds import Bounds
from compressnet.archive.writing.comparing import ERROR_LIMIT, largest_error
from compressnet.archive.writing.learning import learned_codec
from compressnet.archive.writing.settings import Settings
from compressnet.archive.writing.write import Columns, write_archive
from compressnet.bisection import first_that
from compressnet.coding.coder import LOSSLESS_QUALITY
from compressnet.images.kinds import Pictures, eight_bits
from compressnet.packing.targets import Target


def find_error(images: Iterable[Pictures], target: Target, threads: int | None = None) -> int:
    """The largest error whose PSNR, or mean squared error, is still that of a target.

    For a target of bytes it is the smallest error that takes no more of them. images: arrays
    (n,H,W,C) of 8 bits, all of a collection or a sample of it. Raises InputError for 16 bits.
    """
    sample = [eight_bits(array, "a target is for 8 bits") for array in images]

    def bytes_fit(error: int) -> bool:
        settings = Settings(quality=LOSSLESS_QUALITY - error, threads=threads)
        codec, settings, arrays = learned_codec(sample, settings)
        written, _ = write_archive(io.BytesIO(), arrays, codec, settings, Columns())
        return written.archive_bytes <= target.value * written.images

    if target.measure == "bytes":
        return first_that(0, ERROR_LIMIT, bytes_fit)
    limit = 10 ** (-target.value / 10) if target.measure == "psnr" else target.value

    def is_too_far(error: int) -> bool:
        squares = [
            float(Bounds().errors(array, within_error(array, error)).mse_N.mean()) * array.size for array in sample
        ]
        return sum(squares) > limit * sum(array.size for array in sample)

    return largest_error(is_too_far)
