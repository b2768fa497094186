"""Bytes: varints, checksums, and the record of a single block. No other module packs or unpacks integers.

A single block (what `Codec.compress` gives) has no container, and is as short as it can safely be:

    quality             1 byte: 0 to 99, lossy; 100, lossless; 101, stored, is kept for later
    kind                varint: 2 * (which of the codec's kinds, or pixel models) + 1 where there is a channels axis
    images              varint, at least 1
    checksum            2 bytes: CRC-16 over the codec's identity, then all other bytes of the block
    payload             the rest; a lossless one begins with height and width (varints) where the model is for any size
"""

from __future__ import annotations

import binascii
import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from compressnet.errors import CorruptError
from compressnet.limits import BLOCK_IMAGES_LIMIT, CHUNK_BYTES_LIMIT, KINDS_LIMIT

STORED, LOSSY, LOSSLESS = 0, 1, 2
METHODS = {STORED: "stored", LOSSY: "lossy", LOSSLESS: "lossless"}
STORED_QUALITY = LOSSLESS_QUALITY = 100
"""What stands where a lossy block has its quality."""


def pack_varint(value: int) -> bytes:
    """An integer >= 0 in groups of 7 bits, lowest first, the high bit set on all but the last (LEB128)."""
    parts = bytearray()
    while value >= 0x80:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    parts.append(value)
    return bytes(parts)


class Reader:
    """Takes integers and bytes off the front of a buffer; raises CorruptError past its end."""

    def __init__(self, data: bytes, what: str) -> None:
        self.data, self.position, self.what = data, 0, what

    @property
    def left(self) -> int:
        """Bytes not yet taken."""
        return len(self.data) - self.position

    def take(self, count_bytes: int) -> bytes:
        """The next bytes."""
        if count_bytes > self.left:
            raise CorruptError(f"{self.what} is cut off: {count_bytes} bytes wanted, {self.left} left")
        self.position += count_bytes
        return self.data[self.position - count_bytes : self.position]

    def uint(self, count_bytes: int) -> int:
        """A big-endian integer."""
        return int.from_bytes(self.take(count_bytes), "big")

    def varint(self, limit: int) -> int:
        """A varint in its shortest form, at most `limit`."""
        value = shift = 0
        while True:
            byte = self.uint(1)
            value |= (byte & 0x7F) << shift
            shift += 7
            if value > limit or shift > 63:
                raise CorruptError(f"{self.what} has a number beyond the limit of {limit}")
            if byte < 0x80:
                if byte == 0 and shift > 7:
                    raise CorruptError(f"{self.what} has a number that is longer than need be")
                return value

    def varints(self, count: int, limit: int) -> NDArray[np.int64]:
        """`count` varints, as `varint` reads them, at once."""
        longest = len(pack_varint(limit))
        data = np.frombuffer(self.data, np.uint8, min(self.left, count * longest), self.position)
        ends = np.flatnonzero(data < 0x80)[:count]
        starts = np.concatenate([np.zeros(1, np.int64), ends + 1])[: len(ends)]
        lengths = ends - starts + 1
        if (len(ends) and lengths.max() > longest) or len(ends) < count <= self.left // longest:
            raise CorruptError(f"{self.what} has a number beyond the limit of {limit}")
        if len(ends) < count:
            raise CorruptError(f"{self.what} is cut off: {count} numbers wanted, {len(ends)} left")
        values = np.zeros(count, np.int64)
        for i in range(longest):
            longer = lengths > i
            values[longer] |= (data[starts[longer] + i].astype(np.int64) & 0x7F) << 7 * i
        if count and values.max() > limit:
            raise CorruptError(f"{self.what} has a number beyond the limit of {limit}")
        if np.any((lengths > 1) & (data[ends] == 0)):
            raise CorruptError(f"{self.what} has a number that is longer than need be")
        self.position += int(ends[-1]) + 1 if count else 0
        return values

    def end(self) -> None:
        """Raises CorruptError where something is left."""
        if self.left:
            raise CorruptError(f"{self.what} has {self.left} bytes too many")


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


CHUNK_HEAD_BYTES, CHUNK_OVERHEAD_BYTES = 8, 12


def pack_chunk(chunk_type: bytes, payload: bytes) -> bytes:
    """Type (4 letters), length (4 bytes), payload, CRC-32 over all of these (4 bytes); big-endian."""
    assert len(chunk_type) == 4
    body = chunk_type + len(payload).to_bytes(4, "big") + payload
    return body + zlib.crc32(body).to_bytes(4, "big")


def unpack_chunk_head(head: bytes, what: str) -> tuple[bytes, int]:
    """Type and payload length from a chunk's first 8 bytes. Raises CorruptError."""
    reader = Reader(head, what)
    chunk_type, length = reader.take(4), reader.uint(4)
    if not chunk_type.isalpha() or length > CHUNK_BYTES_LIMIT:
        raise CorruptError(f"{what} is damaged: no chunk begins there")
    return chunk_type, length


def unpack_chunk(data: bytes, what: str) -> tuple[bytes, bytes]:
    """Type and payload of a whole chunk, its checksum compared. Raises CorruptError."""
    chunk_type, length = unpack_chunk_head(data[:8], what)
    if len(data) != length + CHUNK_OVERHEAD_BYTES:
        raise CorruptError(f"{what} is cut off, or its length is damaged")
    if zlib.crc32(data[:-4]) != int.from_bytes(data[-4:], "big"):
        raise CorruptError(f"{what} is damaged: its checksum is off")
    return chunk_type, data[8:-4]


def is_critical(chunk_type: bytes) -> bool:
    """A chunk whose first letter is a capital has to be understood; others may be skipped (PNG's rule)."""
    return chunk_type[:1].isupper()
