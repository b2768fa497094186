"""The payload of a block, from those of its images: each is coded alone, or is one of the primer.

first       varint: the number of the primer's image that the first reference means; each further
            one means the next image
lengths     for each image a varint: 0, a reference; else 1 + the bytes of its payload
payloads    those of all images that have one, one after the other
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from compressnet.errors import CorruptError
from compressnet.limits import CHUNK_BYTES_LIMIT, LISTED_IMAGES_LIMIT
from compressnet.wire import Reader, pack_varint


def pack_payload(images: Sequence[bytes | int]) -> bytes:
    """The payload of a block, from payloads and references, which count up by one."""
    first = next((image for image in images if isinstance(image, int)), 0)
    lengths = (0 if isinstance(image, int) else 1 + len(image) for image in images)
    payloads = (image for image in images if not isinstance(image, int))
    return b"".join([pack_varint(first), *map(pack_varint, lengths), *payloads])


def unpack_payload(payload: bytes, count: int, chosen: Iterable[int]) -> list[bytes | int]:
    """The payloads of the chosen ones of a block's `count` images, or the primer's images.

    Raises CorruptError.
    """
    reader = Reader(payload, "the payload")
    first = reader.varint(LISTED_IMAGES_LIMIT)
    lengths = np.array(reader.varints(count, CHUNK_BYTES_LIMIT), np.int64)
    references = first + np.cumsum(lengths == 0) - 1
    ends = reader.position + np.cumsum(np.maximum(lengths - 1, 0))
    if ends[-1] != len(payload):
        raise CorruptError(f"the payload has {len(payload)} bytes, its images need {ends[-1]}")
    found: list[bytes | int] = []
    for image in chosen:
        length, end = int(lengths[image]), int(ends[image])
        found.append(payload[end - length + 1 : end] if length else int(references[image]))
    return found
