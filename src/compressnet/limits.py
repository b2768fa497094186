"""Limits that readers check before they take memory, and the check of arguments against them."""

from __future__ import annotations

import operator

from compressnet.errors import InputError

IMAGES_LIMIT = 1 << 32
"""Images in an archive."""
LISTED_IMAGES_LIMIT = 1 << 26
"""Images in an archive that lists where each one is."""
BLOCK_IMAGES_LIMIT = 1 << 16
"""Images in a block."""
SIDE_LIMIT_PX = 1 << 12
"""Height or width of an image."""
CHANNELS_LIMIT = 4
BLOCK_VALUES_LIMIT = 1 << 28
"""Values (pixels times channels) in a block."""
LOSSLESS_IMAGE_VALUES_LIMIT = 1 << 16
"""Of an image that is coded without loss: they take a step each, however few images go side by
side."""
LOSSLESS_VALUES_LIMIT = 1 << 22
"""Of a lossless block: whoever decodes all of it waits about 20 seconds for so many."""
PRIMER_PIXELS_LIMIT = 1 << 26
"""Of all images of a primer, which whoever opens the archive decodes first."""
CHUNK_BYTES_LIMIT = 1 << 30
CODEC_BYTES_LIMIT = 1 << 28
CODECS_LIMIT = 255
SYMBOLS_LIMIT = 1 << 14
"""Symbols of an image, by a network for one size."""
SIZELESS_SYMBOLS_LIMIT = 1 << 22
"""Symbols of an image, by a network without a size."""
REGISTER_VALUES_LIMIT = 1 << 25
"""Values of the largest register that an image takes in a network without a size."""
TILE_LIMIT_PX = 16
"""A side of a tile of a network without a size."""
NODES_LIMIT = 1 << 12
LABEL_BYTES_LIMIT = 1 << 16
CLASSES_LIMIT = 1 << 16
CLASSES_BYTES_LIMIT = 1 << 24
"""Of the names of all classes."""
KINDS_LIMIT = 1 << 16
NAME_BYTES_LIMIT = 1 << 10
PACKED_ELEMENTS_LIMIT = 1 << 24
"""Numbers in a packed codec."""
PACKED_STRUCTURE_BYTES_LIMIT = 1 << 22
"""The JSON of a packed codec."""
PACKED_NETWORKS_LIMIT = 255


def whole(value: object, what: str) -> int:
    """A value as an integer, as `operator.index` gives it. Raises InputError for any other."""
    try:
        return operator.index(value)  # pyright: ignore[reportArgumentType]
    except TypeError:
        raise InputError(f"{what} of {value!r}: give a whole number") from None
