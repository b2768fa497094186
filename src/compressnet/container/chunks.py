"""Chunks: four-letter type, length, payload, CRC-32."""

from __future__ import annotations

import zlib

from compressnet.errors import CorruptError
from compressnet.limits import CHUNK_BYTES_LIMIT
from compressnet.wire import Reader

CHUNK_HEAD_BYTES, CHUNK_OVERHEAD_BYTES = 8, 12


def pack_chunk(chunk_type: bytes, payload: bytes) -> bytes:
    """Type (4 letters), length (4 bytes), payload, CRC-32 over all of these (4 bytes).

    Big-endian.
    """
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
    """A chunk whose first letter is a capital has to be understood.

    Others may be skipped (PNG's rule).
    """
    return chunk_type[:1].isupper()
