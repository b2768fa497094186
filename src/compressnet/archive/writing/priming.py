"""Which images of a collection are learned first, and the primer that they make.

pictures -> what is coded of them, equal ones once -> the most telling of them, by how long they
take to decode -> primer

Axes: N images, H rows, W columns, C bytes of a pixel.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from compressnet.adaptive.model import AdaptiveSettings, Picture, PictureShape
from compressnet.adaptive.part import AdaptivePart, new_model, shape_of
from compressnet.adaptive.primer import Primer, checksum_of, fresh_bytes, levels_of, pack_primer, table_bits
from compressnet.archive.writing.novelty import telling_images
from compressnet.errors import InputError
from compressnet.images.alpha import has_alpha
from compressnet.images.kinds import Images, Pictures
from compressnet.images.modes import Tight, forms_of
from compressnet.limits import DEFAULT_LIMITS, PRIMER_PIXELS_LIMIT
from compressnet.networks.program import Backend

CONTEXTS = {
    1: (0x1A, 0x24, 0x1360),
    2: (0x1A, 0x25, 0x1368),
    3: (0x1E, 0x165, 0x368),
    4: (0x1E, 0x16D, 0x136D),
    5: (0x1E, 0x1FF, 0x13ED),
    6: (0x1E, 0x81FF, 0x13ED),
    7: (0x1E, 0x89FF, 0x13ED),
    8: (0x1E, 0x89FF, 0x13FF),
    9: (0x1F, 0x89FF, 0x13FF),
}
"""Contexts of flags and of bytes, and histograms, of each effort, by docs/EXPERIMENTS.md."""
WORK_LIMIT = 150_000
"""Of a primer that an archive with random access has: about a quarter of a second to decode it."""
CANDIDATES_PIXELS = 1 << 21
"""Of the images that a primer is chosen from: those of larger collections are evenly spread."""
PIXEL_WORK = 0.25
"""Of a pixel that is like its neighbours, where a byte of another one counts 1."""
TABLE_BITS, SOLID_TABLE_BITS = 20, 22
"""The largest tables: 16 and 64 MiB."""

Learned = tuple[PictureShape, Images]
"""An image (H,W,C) and its shape."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Learning:
    """How a collection is to be learned."""

    effort: int = 5
    """1 to 9: how many contexts are used."""
    error: int = 0
    """The largest error of values of 8 bits."""
    solid: bool = False
    """Whether all images are learned, one after the other, so that none can be read alone."""


def make_primer(collection: Iterable[Pictures], tight: Tight, learning: Learning, backend: Backend) -> AdaptivePart:
    """The primer of a collection, or of a sample of it, as a part of a codec.

    collection: arrays (n,H,W[,C]). Raises InputError for a solid collection that is too large.
    """
    images = distinct_images(collection, tight, learning.error)
    chosen = images if learning.solid else chosen_images(images)
    pixels = sum(shape.pixels for shape, _ in chosen)
    if pixels > PRIMER_PIXELS_LIMIT:
        raise InputError(f"{pixels} pixels are too many for one solid stream, which takes {PRIMER_PIXELS_LIMIT}")
    settings, payload, _ = _learn(chosen, learning, backend, fresh_bytes(DEFAULT_LIMITS))
    if len(payload) >= sum(image.size for _, image in chosen):  # such as noise, from which nothing can be learned
        chosen, payload = [], b""
    primer = Primer(
        settings=settings,
        error=learning.error,
        shapes=tuple(shape for shape, _ in chosen),
        checksum=checksum_of([image for _, image in chosen]),
        payload=payload,
    )
    if not DEFAULT_LIMITS.allow(primer.cost):
        raise InputError(f"{pixels} pixels are too many for one solid stream of so few bytes; leave out --solid")
    return AdaptivePart.of(pack_primer(primer), "the primer")


def learned_bits(images: Sequence[Learned], learning: Learning, backend: Backend) -> NDArray[np.float64]:
    """What each image takes, learned one after the other, in bits (N,)."""
    _, _, ends = _learn(images, learning, backend)
    return np.diff(np.array(ends, np.float64), prepend=0.0) * 8


def _learn(
    images: Sequence[Learned], learning: Learning, backend: Backend, allowed: int | None = None
) -> tuple[AdaptiveSettings, bytes, Sequence[int]]:
    """The settings of a model, the payload of images that it learns, and where each image ends."""
    values = sum(image.size for _, image in images)
    flags, of_bytes, histograms = CONTEXTS[learning.effort]
    settings = AdaptiveSettings(
        table_bits=table_bits(values, SOLID_TABLE_BITS if learning.solid else TABLE_BITS),
        flags=flags,
        bytes=of_bytes,
        histograms=histograms,
    )
    pictures = [Picture(image, shape) for shape, image in images]
    pixels = sum(shape.pixels for shape, _ in images)
    model = new_model(settings, pixels, backend)
    if allowed is not None:
        model.allow(allowed)
    payload, ends = model.learn_write(pictures)
    return settings, payload, ends


def distinct_images(pictures: Iterable[Pictures], tight: Tight, error: int) -> list[Learned]:
    """What is coded of pictures, each image once; those of one shape follow each other."""
    found: dict[PictureShape, dict[bytes, Images]] = {}
    for array in pictures:
        native = array.astype(array.dtype.newbyteorder("="), copy=False)
        for form, rows in forms_of(native, tight):
            shape = shape_of(form.kind, deep=form.deep)
            own = 0 if shape.deep else error
            some = native if len(rows) == len(native) else native[rows]  # not held twice
            levels = levels_of(form.coded(some), own, with_alpha=has_alpha(shape.channels))
            known = found.setdefault(shape, {})
            for image in levels:
                known.setdefault(hashlib.blake2b(image.tobytes(), digest_size=16).digest(), image)
    return [(shape, image) for shape, images in found.items() for image in images.values()]


def chosen_images(images: Sequence[Learned]) -> list[Learned]:
    """The most telling images, as many as may be decoded whenever the archive is opened.

    Those of a shape are in order, as a block's payload can then name those that it has.
    """
    pixels = sum(shape.height * shape.width for shape, _ in images)
    if pixels > CANDIDATES_PIXELS:
        images = [images[i] for i in _spread(len(images), max(1, len(images) * CANDIDATES_PIXELS // pixels))]
    work_N = np.array([work_of(image) for _, image in images])
    if work_N.sum() <= WORK_LIMIT and pixels <= CANDIDATES_PIXELS:
        return list(images)
    chosen = telling_images([image for _, image in images], work_N, WORK_LIMIT)
    return [images[i] for i in sorted(chosen)]


def work_of(image: Images) -> float:
    """About how long an image (H,W,C) takes to decode: bytes of pixels that are not foretold."""
    new = np.ones(image.shape[:2], np.bool_)
    new[:, 1:] &= (image[:, 1:] != image[:, :-1]).any(axis=2)
    new[1:] &= (image[1:] != image[:-1]).any(axis=2)
    return float(new.sum() * image.shape[2] + PIXEL_WORK * new.size)


def _spread(count: int, chosen: int) -> NDArray[np.int64]:
    return (np.arange(chosen) * count + count // 2) // chosen
