"""Writing without a trained codec: what the collection itself teaches becomes one.

Axes: N images.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator
from dataclasses import replace

from compressnet.adaptive.primer import ERROR_LIMIT
from compressnet.archive.writing.bounds import Bounds
from compressnet.archive.writing.priming import Learning, make_primer
from compressnet.archive.writing.settings import Settings
from compressnet.codec.bundle import adaptive_bundle
from compressnet.codec.codec import BackendName, Codec
from compressnet.codec.loading import make_backend, make_codec
from compressnet.coding.coder import LOSSLESS_QUALITY
from compressnet.images.kinds import Pictures
from compressnet.threads import default_threads

SAMPLED_BYTES = 1 << 28
"""Of images that are looked at before the first one is written."""


def learned_codec(
    arrays: Iterable[Pictures], settings: Settings, backend: BackendName | None = None
) -> tuple[Codec, Settings, Iterator[Pictures]]:
    """A codec that was learned from the first arrays (n,H,W[,C]), and all arrays.

    The settings come back with the codec's quality: 100 less the largest error that they allow.
    Raises InputError.
    """
    source = iter(arrays)
    sample: list[Pictures] = []
    sampled_bytes = 0
    while settings.solid or sampled_bytes < SAMPLED_BYTES:
        array = next(source, None)
        if array is None:
            break
        sample.append(array)
        sampled_bytes += array.nbytes
    error = allowed_error(settings.quality, settings.bounds)
    learning = Learning(effort=settings.learning_effort, error=error, solid=settings.solid)
    threads = default_threads() if settings.threads is None else settings.threads
    part = make_primer(sample, settings.tight, learning, make_backend(backend, threads))
    codec = make_codec(adaptive_bundle(part), backend, threads, "what was learned")
    return codec, replace(settings, quality=LOSSLESS_QUALITY - error), itertools.chain(sample, source)


def allowed_error(quality: int | None, bounds: Bounds) -> int:
    """The largest error of a value: what the bounds leave, or 100 less the quality; else 0."""
    if bounds.max_error is not None:
        return min(bounds.max_error, ERROR_LIMIT)
    if bounds.min_psnr is not None:
        # Errors of e and less, all equally often, have the mean square e (e + 1) / 3.
        mean_square = 255**2 * 10 ** (-bounds.min_psnr / 10)
        return min(ERROR_LIMIT, math.floor((math.sqrt(1 + 12 * mean_square) - 1) / 2))
    return 0 if quality is None else LOSSLESS_QUALITY - quality
