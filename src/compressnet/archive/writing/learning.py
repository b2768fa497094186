"""Writing without a trained codec: what the collection itself teaches becomes one.

Axes: N images.
"""

from __future__ import annotations

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
from compressnet.coding.coder import ADAPTIVE, LOSSLESS_QUALITY
from compressnet.images.kinds import Pictures, picture_kind
from compressnet.images.modes import forms_of
from compressnet.limits import CHANNELS_LIMIT, SIDE_LIMIT_PX
from compressnet.threads import default_threads

SAMPLED_BYTES = 1 << 26
"""Of images that are looked at before the first one is written."""


def extended_codec(codec: Codec, arrays: Iterable[Pictures], settings: Settings) -> tuple[Codec, Iterator[Pictures]]:
    """A codec that also codes those of some arrays (n,H,W[,C]) that it has no network for.

    It is the same codec where there are none among the first arrays, and where all are such images
    and something may be lost, which is more likely a mistake; and where it has learned from images
    already. Gives all arrays as well.
    """
    if codec.coders(ADAPTIVE) is not None:
        return codec, iter(arrays)
    sample, arrays = looked_at(arrays)
    quality = codec.default_quality if settings.quality is None else settings.quality
    unfit: list[Pictures] = []
    fits = settings.loses_nothing or settings.store_unknown
    has_quality = any(part.has_quality(quality) for part in codec.bundle.parts)
    for array in sample:
        for form, rows in forms_of(array, settings.tight):
            if codec.why_not(form.kind, quality, deep=form.deep) is None:
                fits = True
            elif has_quality or form.deep:  # else the quality is the mistake
                unfit.append(array[rows])
    if not unfit or not fits:
        return codec, arrays
    error = 0 if settings.loses_nothing else allowed_error(None, settings.bounds)
    learning = Learning(effort=settings.learning_effort, error=error)
    return codec.with_part(make_primer(unfit, settings.tight, learning, codec.backend)), arrays


def learned_codec(
    arrays: Iterable[Pictures], settings: Settings, backend: BackendName | None = None
) -> tuple[Codec, Settings, Iterator[Pictures]]:
    """A codec that was learned from the first arrays (n,H,W[,C]), and all arrays.

    The settings come back with the codec's quality: 100 less the largest error that they allow.
    Raises InputError.
    """
    sample, arrays = looked_at(arrays, None if settings.solid else SAMPLED_BYTES)
    error = allowed_error(settings.quality, settings.bounds)
    learning = Learning(effort=settings.learning_effort, error=error, solid=settings.solid)
    threads = default_threads() if settings.threads is None else settings.threads
    part = make_primer(sample, settings.tight, learning, make_backend(backend, threads))
    codec = make_codec(adaptive_bundle(part), backend, threads, "what was learned")
    return codec, replace(settings, quality=LOSSLESS_QUALITY - error), arrays


def looked_at(
    arrays: Iterable[Pictures], limit_bytes: int | None = SAMPLED_BYTES
) -> tuple[list[Pictures], Iterator[Pictures]]:
    """The first arrays (n,H,W[,C]) that can be coded, and all arrays; none is held twice."""
    source = iter(arrays)
    seen: list[Pictures] = []
    seen_bytes = 0
    while limit_bytes is None or seen_bytes < limit_bytes:
        array = next(source, None)
        if array is None:
            break
        seen.append(array)
        seen_bytes += array.nbytes
    return [array for array in seen if _is_possible(array)], _drained(seen, source)


def _drained(seen: list[Pictures], source: Iterator[Pictures]) -> Iterator[Pictures]:
    """All arrays; those that were seen are let go of one by one."""
    seen.reverse()
    while seen:
        yield seen.pop()
    yield from source


def _is_possible(array: Pictures) -> bool:
    """Whether an array is images (n,H,W[,C]) as an archive can have them; others are refused."""
    if array.dtype.kind != "u" or array.itemsize > 2 or array.ndim not in (3, 4):
        return False
    height, width, channels = picture_kind(array.astype(array.dtype.newbyteorder("="), copy=False))
    return min(height, width) >= 1 and max(height, width) <= SIDE_LIMIT_PX and 1 <= channels <= CHANNELS_LIMIT


def allowed_error(quality: int | None, bounds: Bounds) -> int:
    """The largest error of a value: what the bounds leave, or 100 less the quality; else 0."""
    if quality == LOSSLESS_QUALITY:
        return 0
    if bounds.max_error is not None:
        return min(bounds.max_error, ERROR_LIMIT)
    if bounds.min_psnr is not None:
        # Errors of e and less, all equally often, have the mean square e (e + 1) / 3.
        mean_square = 255**2 * 10 ** (-bounds.min_psnr / 10)
        return min(ERROR_LIMIT, math.floor((math.sqrt(1 + 12 * mean_square) - 1) / 2))
    return 0 if quality is None else LOSSLESS_QUALITY - quality
