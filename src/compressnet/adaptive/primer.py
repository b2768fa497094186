"""The primer: images that a model learns before all others, as an archive carries them.

bits        1 byte: how many buckets the model's table has, as a power of two
contexts    three varints: sets of bits, those of flags, of bytes, and the histograms
error       1 byte: the largest error of values of 8 bits; 0, without loss
images      varint
shapes      for each run of images of one shape: height, width, 8 * (bytes a value - 1) + channels,
            and the images of the run, a varint each; until all have a shape
checksum    4 bytes: CRC-32 of the values of all images
payload     the rest: all images, one after the other
"""

from __future__ import annotations

import itertools
import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from compressnet.adaptive.model import AdaptiveSettings, PictureShape
from compressnet.coding.stored import levels_in, of_levels
from compressnet.errors import CorruptError
from compressnet.images.alpha import has_alpha
from compressnet.images.kinds import Images
from compressnet.limits import (
    CHANNELS_LIMIT,
    DEFAULT_LIMITS,
    LISTED_IMAGES_LIMIT,
    PRIMER_PIXELS_LIMIT,
    SIDE_LIMIT_PX,
    Cost,
    Limits,
    paid,
)
from compressnet.wire import Reader, pack_varint

ERROR_LIMIT = 100
MODELS, PLACE_BYTES = 2, 8
"""Of a model that has learned a primer and a copy of it, the bytes of each pixel."""
HELD, IMAGE_BYTES = 3, 600
"""How often a primer's values are held, and what is held of each image besides."""
PIXEL_WORK, IMAGE_WORK, FRESH_WORK = 2000, 200_000, 64_000
"""Of a pixel that is foretold, of an image, and of a byte of any other pixel."""
PIXELS_PAID, BYTES_PAID = 64, 128
"""Pixels, and bytes in memory, that a byte of a payload pays for."""
CONTEXTS_LIMIT = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Primer:
    """What a primer says before its images are decoded."""

    settings: AdaptiveSettings
    error: int
    shapes: tuple[PictureShape, ...]
    """Of its images, in their order."""
    checksum: int
    payload: bytes

    @property
    def pixels(self) -> int:
        """Of all its images."""
        return sum(shape.pixels for shape in self.shapes)

    @property
    def model_bytes(self) -> int:
        """Of a model that has learned it, with what it notes while it codes an image alone."""
        return 3 * self.settings.table_bytes + PLACE_BYTES * self.pixels

    @property
    def cost(self) -> Cost:
        """What decoding it takes, besides pixels that are not foretold; see `fresh_bytes`."""
        values = sum(shape.pixels * shape.pixel_bytes for shape in self.shapes)
        return _cost(self.settings, self.pixels, values, len(self.shapes), len(self.payload))

    def check(self, images: Sequence[Images]) -> None:
        """Raises CorruptError where images (H,W,bytes) are not those that were written."""
        if checksum_of(images) != self.checksum:
            raise CorruptError("the primer's images are not those that were written")


def checksum_of(images: Sequence[Images]) -> int:
    """CRC-32 of the values of images (H,W,bytes)."""
    checksum = 0
    for image in images:
        checksum = zlib.crc32(image.tobytes(), checksum)
    return checksum


def pack_primer(primer: Primer) -> bytes:
    """The bytes that an archive carries."""
    settings = primer.settings
    parts = [
        bytes([settings.table_bits]),
        *map(pack_varint, (settings.flags, settings.bytes, settings.histograms)),
        bytes([primer.error]),
        pack_varint(len(primer.shapes)),
    ]
    for shape, run in itertools.groupby(primer.shapes):
        numbers = (shape.height, shape.width, 8 * shape.deep + shape.channels, len(list(run)))
        parts += map(pack_varint, numbers)
    return b"".join([*parts, primer.checksum.to_bytes(4, "big"), primer.payload])


def _cost(settings: AdaptiveSettings, pixels: int, values: int, images: int, payload_bytes: int) -> Cost:
    """What decoding a primer takes, and having it beside a copy of the model."""
    memory = MODELS * (settings.table_bytes + PLACE_BYTES * pixels) + HELD * values + IMAGE_BYTES * images
    work = PIXEL_WORK * paid(pixels, payload_bytes, PIXELS_PAID) + IMAGE_WORK * paid(images, payload_bytes, 1)
    return Cost(memory=paid(memory, payload_bytes, BYTES_PAID), work=work)


def fresh_bytes(limits: Limits) -> int:
    """How many bytes of pixels that are not foretold a payload may have, see `FRESH_PAID`."""
    return limits.work // 2 // FRESH_WORK


def unpack_primer(data: bytes, what: str, limits: Limits = DEFAULT_LIMITS) -> Primer:
    """What `pack_primer` gave; `what` names it in errors. Raises CorruptError."""
    reader = Reader(data, what)
    settings = AdaptiveSettings.read([reader.uint(1), *(reader.varint(CONTEXTS_LIMIT) for _ in range(3))], what)
    error = reader.uint(1)
    if error > ERROR_LIMIT:
        raise CorruptError(f"{what} has an error of {error}, up to {ERROR_LIMIT} are possible")
    images, pixels, values = reader.varint(LISTED_IMAGES_LIMIT), 0, 0
    shapes: list[PictureShape] = []
    while len(shapes) < images:
        height, width = reader.varint(SIDE_LIMIT_PX), reader.varint(SIDE_LIMIT_PX)
        deep, channels = divmod(reader.varint(8 + CHANNELS_LIMIT), 8)
        run = reader.varint(images - len(shapes))
        pixels += height * width * run
        if not (height and width and run and 1 <= channels <= CHANNELS_LIMIT):
            raise CorruptError(f"{what} describes {run} images of {height}x{width}x{channels}")
        if pixels > PRIMER_PIXELS_LIMIT:
            raise CorruptError(f"{what} has more than {PRIMER_PIXELS_LIMIT} pixels, the limit")
        values += height * width * run * channels * (1 + (deep > 0))
        limits.require(_cost(settings, pixels, values, len(shapes) + run, len(data)), f"{what} of {pixels} pixels")
        shapes += [PictureShape(height=height, width=width, channels=channels, deep=bool(deep))] * run
    checksum = reader.uint(4)
    return Primer(
        settings=settings, error=error, shapes=tuple(shapes), checksum=checksum, payload=reader.take(reader.left)
    )


def table_bits(values: int, most: int) -> int:
    """How large a table is good for so many values: 2^10 to 2^most buckets."""
    return min(most, max(10, math.ceil(math.log2(max(values, 1) * 6))))


def levels_of(images: Images, error: int, *, with_alpha: bool) -> Images:
    """Values (...,C) of 8 bits as levels of one step.

    Of alpha, 0 and 255 have levels of their own, so that what is clear or opaque stays so.
    """
    if not error:
        return images
    step = 2 * error + 1
    levels = levels_in(images, step)
    if with_alpha:
        alpha = images[..., -1]
        between = (np.maximum(alpha, 1) - 1) // step + 1
        levels[..., -1] = np.where((alpha == 0) | (alpha == 255), alpha, between)
    return levels


def within_error(images: Images, error: int) -> Images:
    """What images (...,C) of 8 bits come back as."""
    with_alpha = has_alpha(images.shape[-1])
    return values_of_levels(levels_of(images, error, with_alpha=with_alpha), error, with_alpha=with_alpha)


def values_of_levels(levels: Images, error: int, *, with_alpha: bool) -> Images:
    """The values that levels (...,C) stand for."""
    if not error:
        return levels
    step = 2 * error + 1
    values = of_levels(levels, step)
    if with_alpha:
        alpha = levels[..., -1]
        middle = np.minimum((np.maximum(alpha, 1).astype(np.uint16) - 1) * step + error + 1, 254)
        values[..., -1] = np.where((alpha == 0) | (alpha == 255), alpha, middle)
    return values
