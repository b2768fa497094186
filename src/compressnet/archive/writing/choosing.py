"""Which codec images are coded with where none is named.

Axes: N images.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator

import numpy as np

from compressnet.archive.writing.priming import Learning, make_primer
from compressnet.codec.codec import BackendName, Codec
from compressnet.codec.loading import load
from compressnet.codec.shipped import DEFAULT_CODEC, shipped_codecs
from compressnet.coding.coder import LOSSLESS_QUALITY
from compressnet.images.kinds import Images, Pictures, eight_bits, picture_kind
from compressnet.images.modes import AS_IS

SAMPLE_IMAGES = 256
"""Images that codecs are compared on."""


def looked_at(arrays: Iterable[Pictures]) -> tuple[Images | None, Iterator[Pictures]]:
    """The first images (n,H,W[,C]) and all arrays; None where they differ in shape or are deep."""
    source = iter(arrays)
    seen: list[Pictures] = []
    while sum(map(len, seen)) < SAMPLE_IMAGES and (array := next(source, None)) is not None:
        seen.append(array)
    shapes = {(array.dtype.name, array.shape[1:]) for array in seen}
    alike = len(shapes) == 1 and seen[0].dtype == np.uint8 and seen[0].ndim in (3, 4)
    sample = np.concatenate([eight_bits(array) for array in seen])[:SAMPLE_IMAGES] if alike else None
    return sample, itertools.chain(seen, source)


def automatic_codec(
    sample: Images | None,
    quality: int | None,
    max_error: int | None,
    backend: BackendName | None = None,
    threads: int | None = None,
) -> Codec | None:
    """The codec for images like a sample (n,H,W[,C]); None to learn from the images themselves.

    Without loss it is what takes the fewest bytes for the sample. Else it is the default codec
    where it codes images of this size, and no largest error is given.
    """
    if sample is None or not len(sample) or (max_error is not None and max_error > 0):
        return None
    kind = picture_kind(sample)
    if quality != LOSSLESS_QUALITY and max_error != 0:
        default = load(DEFAULT_CODEC, backend, threads)
        return default if default.knows(kind) else None
    images_NHWC = sample.reshape(len(sample), *kind)
    best, best_bits = None, 0.0
    for name in {path: name for name, path in shipped_codecs().items()}.values():
        codec = load(name, backend, threads)
        if codec.why_not(kind, LOSSLESS_QUALITY) is None:
            bits = float(codec.coder(kind, LOSSLESS_QUALITY).bits(images_NHWC).sum())
            if best is None or bits < best_bits:
                best, best_bits = codec, bits
    if best is None:
        return None
    learned = make_primer([sample], AS_IS, Learning(solid=True), best.backend)
    return best if best_bits < 8 * len(learned.data) else None
