"""A single block without a container: what `Codec.compress` gives. docs/FORMAT.md, "Single block"."""

from __future__ import annotations

import binascii
from dataclasses import dataclass

from compressnet.coding.coder import LOSSLESS_QUALITY
from compressnet.errors import CorruptError
from compressnet.limits import BLOCK_IMAGES_LIMIT, KINDS_LIMIT
from compressnet.wire import Reader, pack_varint


@dataclass(frozen=True, slots=True, kw_only=True)
class Single:
    """A single block, unpacked."""

    kind: int
    channels_axis: bool
    quality: int
    images: int
    payload: bytes


def pack_single(kind: int, channels_axis: bool, quality: int, images: int, payload: bytes, identity: bytes) -> bytes:
    """A single block; `identity` is the codec's, it enters the checksum."""
    head = bytes([quality]) + pack_varint(2 * kind + channels_axis) + pack_varint(images)
    checksum = binascii.crc_hqx(identity + head + payload, 0xFFFF)
    return head + checksum.to_bytes(2, "big") + payload


def unpack_single(data: bytes, identity: bytes) -> Single:
    """Raises CorruptError where the bytes are damaged or belong to another codec."""
    reader = Reader(data, "the block")
    quality, kind_axis = reader.uint(1), reader.varint(2 * KINDS_LIMIT + 1)
    images = reader.varint(BLOCK_IMAGES_LIMIT)
    head = data[: reader.position]
    checksum = reader.uint(2)
    payload = reader.take(reader.left)
    if checksum != binascii.crc_hqx(identity + head + payload, 0xFFFF):
        raise CorruptError("the block is damaged, or was made with another codec: its checksum is off")
    if quality > LOSSLESS_QUALITY or images == 0:
        raise CorruptError(f"the block holds {images} images at quality {quality}, which this version does not read")
    return Single(
        kind=kind_axis // 2, channels_axis=bool(kind_axis % 2), quality=quality, images=images, payload=payload
    )
