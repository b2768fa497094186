"""A block: up to K images of one kind, one quality and one codec, as the payload of a BLOK chunk.

method          1 byte: 0 stored, 1 lossy, 2 lossless
quality         1 byte: 0 to 99 for lossy blocks, else 100
kind            varint: which KIND chunk of the archive, counted from 0
codec           varint: which CODC chunk of the archive, counted from 0; 0 where stored
images          varint, at least 1
payload bytes   varint
payload         the rest
"""

from __future__ import annotations

from dataclasses import dataclass

from compressnet.coding.coder import METHODS
from compressnet.errors import CorruptError
from compressnet.limits import BLOCK_IMAGES_LIMIT, CHUNK_BYTES_LIMIT, CODECS_LIMIT, KINDS_LIMIT
from compressnet.wire import Reader, pack_varint


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """What a BLOK chunk holds."""

    method: int
    quality: int
    kind: int
    codec: int
    images: int
    payload: bytes

    @property
    def method_name(self) -> str:
        """`stored`, `lossy` or `lossless`; for any method that is not known here, its number."""
        return METHODS.get(self.method, f"number {self.method}")


def pack_block(block: Block) -> bytes:
    """The bytes of a BLOK chunk's payload."""
    numbers = (block.kind, block.codec, block.images, len(block.payload))
    return bytes([block.method, block.quality]) + b"".join(map(pack_varint, numbers)) + block.payload


def unpack_block(data: bytes, what: str) -> Block:
    """Raises CorruptError for bytes that are no block; `what` names it in errors."""
    reader = Reader(data, what)
    method, quality = reader.uint(1), reader.uint(1)
    kind, codec = reader.varint(KINDS_LIMIT), reader.varint(CODECS_LIMIT)
    images = reader.varint(BLOCK_IMAGES_LIMIT)
    payload = reader.take(reader.varint(CHUNK_BYTES_LIMIT))
    reader.end()
    if images == 0:
        raise CorruptError(f"{what} holds no image")
    return Block(method=method, quality=quality, kind=kind, codec=codec, images=images, payload=payload)


def block_kind(head: bytes, what: str) -> int:
    """The kind of the block that begins with these bytes. Raises CorruptError."""
    reader = Reader(head, what)
    reader.take(2)
    return reader.varint(KINDS_LIMIT)
