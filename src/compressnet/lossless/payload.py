"""The payload of a block, from those of its images: each image is coded alone.

lengths     for each image but the last a varint, the bytes of its payload
payloads    those of all images, one after the other; the last one takes the rest
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from compressnet.errors import CorruptError
from compressnet.wire import Reader, pack_varint


def pack_payload(images: Sequence[bytes]) -> bytes:
    """The payload of a block, from those of its images."""
    return b"".join([*(pack_varint(len(image)) for image in images[:-1]), *images])


def unpack_payload(payload: bytes, count: int, chosen: Iterable[int]) -> list[bytes]:
    """The payloads of the chosen ones of a block's `count` images. Raises CorruptError."""
    reader = Reader(payload, "the payload")
    lengths = reader.varints(count - 1, len(payload))
    ends = (reader.position + np.cumsum(lengths)).tolist()
    if ends and ends[-1] > len(payload):
        raise CorruptError(f"the payload is cut off: {ends[-1]} bytes and more wanted, {len(payload)} there")
    bounds = [reader.position, *ends, len(payload)]
    return [payload[bounds[image] : bounds[image + 1]] for image in chosen]
