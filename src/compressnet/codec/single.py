"""A single block without a container: what `Codec.compress` gives. docs/FORMAT.md, "Single block".

It is as short as it can safely be:

    quality     1 byte: 0 to 99, lossy; 100, lossless; 101, stored, is kept for later
    kind        varint: 2 * (its number in the codec's part) + 1 where images have a channels axis
    images      varint, at least 1
    checksum    2 bytes: CRC-16 over the identity of the codec's part, then all other bytes
    payload     the rest; where the part codes images of any size it begins with height and width
"""

from __future__ import annotations

import binascii
from dataclasses import dataclass

from compressnet.coding.coder import LOSSLESS_QUALITY, Coder
from compressnet.coding.lockstep import values_of
from compressnet.coding.part import Coders
from compressnet.errors import CorruptError, InputError
from compressnet.images.kinds import Images, count_text, kind_of, size_text
from compressnet.limits import BLOCK_IMAGES_LIMIT, KINDS_LIMIT, Limits
from compressnet.wire import Reader, pack_varint


@dataclass(frozen=True, slots=True, kw_only=True)
class Single:
    """A single block, unpacked."""

    kind: int
    channels_axis: bool
    quality: int
    images: int
    payload: bytes


def pack_single(single: Single, identity: bytes) -> bytes:
    """The bytes of a single block; `identity`, of the codec's part, enters the checksum."""
    head = bytes([single.quality]) + pack_varint(2 * single.kind + single.channels_axis)
    head += pack_varint(single.images)
    checksum = binascii.crc_hqx(identity + head + single.payload, 0xFFFF)
    return head + checksum.to_bytes(2, "big") + single.payload


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
        kind=kind_axis // 2,
        channels_axis=bool(kind_axis % 2),
        quality=quality,
        images=images,
        payload=payload,
    )


def write_single(coders: Coders, identity: bytes, coder: Coder, images: Images, effort: int, threads: int) -> bytes:
    """Images (N,H,W) or (N,H,W,C) as one block of a part with that identity. Raises InputError."""
    kind = kind_of(images)
    if not 1 <= len(images) <= BLOCK_IMAGES_LIMIT:
        raise InputError(f"{len(images)} images: a block holds 1 to {BLOCK_IMAGES_LIMIT}")
    if images.size > coder.read_values or coder.block_images(len(images)) < len(images):
        raise InputError(f"{len(images)} images of {size_text(kind)} are too much for one block; make several")
    values = values_of(coder, images.reshape(len(images), *kind), effort, threads)
    number, head = coders.single_kind(kind)
    (payload,) = coder.write(values, [len(images)])
    single = Single(
        kind=number,
        channels_axis=images.ndim == 4,
        quality=coder.quality,
        images=len(images),
        payload=head + payload,
    )
    return pack_single(single, identity)


def read_single(coders: Coders, identity: bytes, data: bytes, limits: Limits) -> Images:
    """The images of a block of a part with that identity. Raises CorruptError."""
    single = unpack_single(data, identity)
    reader = Reader(single.payload, "the block")
    coder = coders.coder_of_single(single.kind, single.quality, single.images, reader)
    if coder.kind[2] > 1 and not single.channels_axis:
        raise CorruptError(f"the block claims images of {coder.kind[2]} channels without an axis for them")
    limits.require(coder.cost_of(single.images), f"the block of {count_text(single.images)} of {size_text(coder.kind)}")
    images_NHWC = coder.images_of(coder.read([reader.take(reader.left)], [single.images]))
    return images_NHWC if single.channels_axis else images_NHWC[..., 0]
