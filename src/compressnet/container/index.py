"""The index of an archive: where each block lies, and in which order the images are.

It is the payload of the INDX chunk:

images          varint: of the collection
entries         varint: chunks from the first block on, see below
first block     varint: offset in the file
extra bytes     varint: of all chunks between the last block and INDX
order           varint: 0 as the blocks come, 1 as listed
for each entry  varint: bytes of the whole chunk; varint: images of the block, 0 for a chunk that
                is not a block
positions       only in order 1: the rest, a zlib stream of a uint32 for each image of the
                collection

Axes: N images of the collection, E entries.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from compressnet.container.chunks import CHUNK_OVERHEAD_BYTES
from compressnet.errors import CorruptError
from compressnet.limits import (
    BLOCK_IMAGES_LIMIT,
    CHUNK_BYTES_LIMIT,
    DEFAULT_LIMITS,
    IMAGES_LIMIT,
    LISTED_IMAGES_LIMIT,
    Cost,
    Limits,
)
from compressnet.wire import Reader, pack_varint

AS_BLOCKS_COME, AS_LISTED = 0, 1
ZLIB_RATIO_LIMIT = 1040
"""A zlib stream is never longer than so many times its bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """What INDX says."""

    images: int
    first_block: int
    extra_bytes: int
    chunk_bytes_E: NDArray[np.int64]
    counts_E: NDArray[np.int64]
    """Images of each entry, 0 for a chunk that is no block."""
    positions_N: NDArray[np.uint32] | None
    """Of each image of the collection its place among those in the blocks; None where these are
    the same."""


def pack_index(index: Index) -> bytes:
    """An INDX chunk's payload."""
    order = AS_BLOCKS_COME if index.positions_N is None else AS_LISTED
    numbers = [index.images, len(index.counts_E), index.first_block, index.extra_bytes, order]
    numbers += np.stack([index.chunk_bytes_E, index.counts_E], axis=1).ravel().tolist()
    positions = b"" if index.positions_N is None else pack_positions(index.positions_N)
    return b"".join(map(pack_varint, numbers)) + positions


def unpack_index(data: bytes, total_bytes: int, what: str, room: int = DEFAULT_LIMITS.memory) -> Index:
    """The index of an archive of `total_bytes`, in so much room: bytes that it may take in memory.

    Raises CorruptError for bytes that are none.
    """
    reader = Reader(data, what)
    images, entries = reader.varint(IMAGES_LIMIT), reader.varint(IMAGES_LIMIT)
    first_block = reader.varint(total_bytes)
    extra_bytes = reader.varint(total_bytes)
    order = reader.varint(255)
    if order not in (AS_BLOCKS_COME, AS_LISTED):
        raise CorruptError(f"{what} orders the images in the way {order}, unknown to this version")
    if 2 * entries > reader.left:
        raise CorruptError(f"{what} is too short for {entries} blocks")
    numbers = reader.varints(2 * entries, CHUNK_BYTES_LIMIT + CHUNK_OVERHEAD_BYTES)
    chunk_bytes_E, counts_E = numbers[0::2], numbers[1::2]
    if entries and counts_E.max() > BLOCK_IMAGES_LIMIT:
        raise CorruptError(f"{what} has a number beyond the limit of {BLOCK_IMAGES_LIMIT}")
    images_in_blocks = int(counts_E.sum())
    positions_N = None
    if order == AS_LISTED:
        positions_N = _unpack_positions(reader.take(reader.left), images, images_in_blocks, what, room)
    reader.end()
    if images_in_blocks > IMAGES_LIMIT or (positions_N is None and images_in_blocks != images):
        raise CorruptError(f"{what} contradicts itself or the file")
    return Index(
        images=images,
        first_block=first_block,
        extra_bytes=extra_bytes,
        chunk_bytes_E=chunk_bytes_E,
        counts_E=counts_E,
        positions_N=positions_N,
    )


def pack_positions(positions_N: NDArray[np.uint32]) -> bytes:
    """Each position as its distance from the one after the image before, modulo 2^32; deflated."""
    steps = positions_N.copy()
    steps[1:] -= positions_N[:-1] + np.uint32(1)
    return zlib.compress(steps.astype("<u4").tobytes(), 9)


def _unpack_positions(data: bytes, images: int, images_in_blocks: int, what: str, room: int) -> NDArray[np.uint32]:
    if images > LISTED_IMAGES_LIMIT or 4 * images > ZLIB_RATIO_LIMIT * len(data):
        raise CorruptError(f"{what} lists {images} images, beyond the limit or what its {len(data)} bytes can hold")
    Limits(memory=max(1, room)).require(Cost(memory=8 * images), f"{what}: the order of {images} images")
    inflater = zlib.decompressobj()
    try:
        raw = inflater.decompress(data, 4 * images + 1)
    except zlib.error as error:
        raise CorruptError(f"{what} is damaged: {error}") from error
    if not inflater.eof or inflater.unused_data or len(raw) != 4 * images:
        raise CorruptError(f"{what} does not list {images} images")
    steps = np.frombuffer(raw, "<u4").astype(np.uint32)
    del raw
    steps[1:] += np.uint32(1)
    positions_N = np.cumsum(steps, dtype=np.uint32, out=steps)
    if images and int(positions_N.max()) >= images_in_blocks:
        raise CorruptError(f"{what} lists an image beyond the {images_in_blocks} that are there")
    return positions_N
