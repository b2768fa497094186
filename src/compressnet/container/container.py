"""The archive file without any codec: chunks, index, labels, names.

Docs/FORMAT.md is its specification.

    signature  HEAD  (CODC | PRIM)*  KIND+  BLOK (BLOK | CODC | PRIM | KIND)*
        [labl]  [clas]  [name]  INDX  TAIL

One without images needs no KIND: it carries codecs and primers that other archives share.
`Container` opens from the end: TAIL gives the index, the index gives every block. What it reads,
`compressnet.container.writer` writes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from compressnet.coding.coder import WITHOUT_CODEC
from compressnet.container.block import Block, block_kind, unpack_block
from compressnet.container.chunks import (
    CHUNK_HEAD_BYTES,
    CHUNK_OVERHEAD_BYTES,
    is_critical,
    unpack_chunk,
    unpack_chunk_head,
)
from compressnet.container.columns import INTEGERS, Labels, unpack_class_names, unpack_labels, unpack_names
from compressnet.container.entries import BlockTable, CodecEntry, primer_entry, unpack_codec, unpack_kind
from compressnet.container.index import unpack_index
from compressnet.container.sources import Source, in_windows
from compressnet.errors import CorruptError, FormatError
from compressnet.images.forms import Form
from compressnet.limits import CODECS_LIMIT, DEFAULT_LIMITS, KINDS_LIMIT, Limits

SIGNATURE = b"\x89CNT\r\n\x1a\n"
VERSION = 1
HEAD, CODC, PRIM, KIND, BLOK = b"HEAD", b"CODC", b"PRIM", b"KIND", b"BLOK"
INDX, TAIL = b"INDX", b"TAIL"
LABL, CLAS, NAME = b"labl", b"clas", b"name"
EXTRAS = (LABL, CLAS, NAME)
BLOCK_HEAD_BYTES = 5
"""From a block's first byte to the end of its kind, at most."""
BYTES_PAID = 64
"""Bytes in memory that each byte of the file pays for: large archives may hold many images."""
TAIL_BYTES = CHUNK_OVERHEAD_BYTES + 8
END_SHARE, LEAST_END_BYTES, MOST_END_BYTES = 512, 1 << 13, 1 << 18
"""What is fetched of a URL's end at first, where the index is: this part of it, within bounds."""


class Container:
    """An archive's structure, read and checked: codecs, kinds and where each block lies.

    Raises FormatError for bytes that are no archive, CorruptError for a damaged one, each naming
    the source, which is closed then.
    """

    def __init__(self, source: Source, limits: Limits = DEFAULT_LIMITS) -> None:
        """limits: of what its index, names and labels may take."""
        self.source, self.limits = source, limits
        try:
            try:
                self._read_index(self._read_tail())
            except CorruptError:
                self._require_signature()  # what is no archive is not called damaged
                raise
            self._read_front()
        except BaseException:
            source.close()
            raise

    @property
    def name(self) -> str:
        """The source's name, for errors."""
        return self.source.name

    def _require_signature(self) -> None:
        if self.source.read_at(0, len(SIGNATURE)) != SIGNATURE:
            raise FormatError(f"{self.name}: not a compressnet archive")

    def _chunk(self, offset: int, expected: bytes, what: str, data: bytes = b"") -> tuple[bytes, int]:
        """Payload of the chunk at an offset, and the offset after it.

        data: what was read there already; read again where it is not the whole chunk.
        """
        what = f"{self.name}: {what}"
        head = data[:CHUNK_HEAD_BYTES] or self.source.read_at(offset, CHUNK_HEAD_BYTES)
        chunk_type, length = unpack_chunk_head(head, what)
        if chunk_type != expected:
            raise CorruptError(f"{what} is not where it should be, at byte {offset}")
        end = offset + length + CHUNK_OVERHEAD_BYTES
        if end > self.source.total_bytes:
            raise CorruptError(f"{what} is cut off, or its length is damaged")
        if len(data) != end - offset:
            data = self.source.read_at(offset, end - offset)
        return unpack_chunk(data, what)[1], end

    def _read_tail(self) -> int:
        total_bytes = self.source.total_bytes
        end_bytes = min(max(total_bytes // END_SHARE, LEAST_END_BYTES), MOST_END_BYTES, total_bytes)
        self.source.expect(total_bytes - end_bytes, end_bytes)
        start = total_bytes - TAIL_BYTES
        tail = self.source.read_at(max(start, 0), TAIL_BYTES)
        if start < len(SIGNATURE) or tail[:4] != TAIL:
            raise CorruptError(f"{self.name}: cut off, or chunk TAIL at its end is damaged")
        chunk_type, payload = unpack_chunk(tail, f"{self.name}: chunk TAIL")
        assert chunk_type == TAIL
        return int.from_bytes(payload, "big")

    def _read_index(self, offset: int) -> None:
        what = f"{self.name}: chunk INDX"
        self.source.expect(offset, self.source.total_bytes - offset)
        payload, end = self._chunk(offset, INDX, "chunk INDX")
        if end != self.source.total_bytes - TAIL_BYTES:
            raise CorruptError(f"{what} is not the last but one")
        index = unpack_index(payload, self.source.total_bytes, what, self._room)
        ends_E = index.first_block + np.cumsum(index.chunk_bytes_E)
        offsets_E = ends_E - index.chunk_bytes_E
        self._extra_at = int(ends_E[-1]) if len(ends_E) else index.first_block
        self._index_at, self._first_block = offset, index.first_block
        if self._extra_at + index.extra_bytes != offset:
            raise CorruptError(f"{what} contradicts itself or the file")
        holds_E = index.counts_E > 0
        self.blocks = BlockTable(offsets_E[holds_E], index.chunk_bytes_E[holds_E], index.counts_E[holds_E])
        self._between = list(zip(offsets_E[~holds_E].tolist(), ends_E[~holds_E].tolist(), strict=True))
        if len(self._between) > KINDS_LIMIT + CODECS_LIMIT:
            raise CorruptError(f"{what} lists {len(self._between)} chunks between blocks, beyond the limit")
        self.images, self.images_in_blocks = index.images, int(index.counts_E.sum())
        self.positions_N = index.positions_N
        """Of each image of the collection its place among those in the blocks; None where these
        are the same."""

    def _read_front(self) -> None:
        self.source.expect(0, self._first_block)
        self._require_signature()
        payload, position = self._chunk(len(SIGNATURE), HEAD, "chunk HEAD")
        if payload != bytes([VERSION]):
            raise FormatError(f"{self.name}: version {payload.hex()} of the format; this software reads {VERSION}")
        self.codecs: list[CodecEntry] = []
        self.kinds: list[Form] = []
        while position < self._first_block:
            position = self._read_description(position)
        if position != self._first_block or not (self.kinds or self.images == 0):
            raise CorruptError(f"{self.name}: the chunks before the first block are damaged")
        for offset, end in self._between:
            if self._read_description(offset) != end:
                raise CorruptError(f"{self.name}: chunk at byte {offset} is not what the index says")
        self._kind_of_block = np.full(len(self.blocks), -1 if len(self.kinds) > 1 else 0, np.int32)

    def _read_description(self, offset: int) -> int:
        """A chunk that says what blocks need; gives the offset after it."""
        chunk_type, payload, end = self._any_chunk(offset, self.source)
        what = f"{self.name}: chunk {chunk_type.decode()}"
        if chunk_type == CODC:
            self.codecs.append(unpack_codec(payload, what))
        elif chunk_type == PRIM:
            self.codecs.append(primer_entry(payload))
        elif chunk_type == KIND:
            self.kinds.append(unpack_kind(payload, what))
        elif is_critical(chunk_type):
            raise CorruptError(f"{what} is unknown to this version, and has to be understood")
        if len(self.codecs) > CODECS_LIMIT or len(self.kinds) > KINDS_LIMIT:
            raise CorruptError(f"{what} is one more than the limit of {CODECS_LIMIT} codecs and {KINDS_LIMIT} kinds")
        return end

    def _any_chunk(self, offset: int, source: Source) -> tuple[bytes, bytes, int]:
        head = source.read_at(offset, CHUNK_HEAD_BYTES)
        chunk_type, length = unpack_chunk_head(head, f"{self.name}: chunk at byte {offset}")
        data = source.read_at(offset, length + CHUNK_OVERHEAD_BYTES)
        payload, end = self._chunk(offset, chunk_type, f"chunk {chunk_type.decode()}", data)
        return chunk_type, payload, end

    def places_of(self, images: NDArray[np.int64]) -> NDArray[np.int64]:
        """Where images of the collection are among those in the blocks."""
        return images if self.positions_N is None else self.positions_N[images].astype(np.int64)

    def blocks_of(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        """The number of the block that holds each place."""
        return np.searchsorted(self.blocks.firsts, places, side="right") - 1

    def kinds_of(self, numbers: NDArray[np.int64]) -> NDArray[np.int32]:
        """The kind of some blocks, from their first bytes. Raises CorruptError."""
        for number in dict.fromkeys(numbers[self._kind_of_block[numbers] < 0].tolist()):
            head = self.source.read_at(int(self.blocks.offsets[number]) + CHUNK_HEAD_BYTES, BLOCK_HEAD_BYTES)
            kind = block_kind(head, f"{self.name}: block {number}")
            if kind >= len(self.kinds):
                raise CorruptError(_missing(f"{self.name}: block {number}", "kind", kind, len(self.kinds)))
            self._kind_of_block[number] = kind
        return self._kind_of_block[numbers]

    def read_block(self, number: int) -> Block:
        """One block, from its bytes alone. Raises CorruptError."""
        return self.read_blocks([number])[0]

    def read_blocks(self, numbers: Sequence[int]) -> list[Block]:
        """Some blocks, from their bytes alone. Raises CorruptError."""
        entries = [self.blocks[number] for number in numbers]
        read = self.source.read_each([(entry.offset, entry.chunk_bytes) for entry in entries])
        return [self._block(number, data) for number, data in zip(numbers, read, strict=True)]

    def _block(self, number: int, data: bytes) -> Block:
        """The block that has these bytes, as far as the index says."""
        entry = self.blocks[number]
        name = f"block {number}"
        what = f"{self.name}: {name}"
        payload, end = self._chunk(entry.offset, BLOK, name, data)
        block = unpack_block(payload, what)
        if end - entry.offset != entry.chunk_bytes or block.images != entry.images:
            raise CorruptError(f"{what} is not what the index says")
        if block.kind >= len(self.kinds):
            raise CorruptError(_missing(what, "kind", block.kind, len(self.kinds)))
        if block.codec >= max(len(self.codecs), block.method in WITHOUT_CODEC):
            raise CorruptError(_missing(what, "codec", block.codec, len(self.codecs)))
        return block

    @property
    def _room(self) -> int:
        """Bytes that something of each image may take in memory."""
        return self.limits.memory + BYTES_PAID * self.source.total_bytes

    def read_labels(self) -> Labels | None:
        """The labels, where there are any. Raises CorruptError."""
        payload = self._extra(LABL)
        return None if payload is None else unpack_labels(payload, self.images, f"{self.name}: chunk labl", self._room)

    def read_names(self) -> list[str] | None:
        """The images' names, where there are any. Raises CorruptError."""
        payload = self._extra(NAME)
        return None if payload is None else unpack_names(payload, self.images, f"{self.name}: chunk name", self._room)

    def read_class_names(self) -> list[str] | None:
        """The names of the classes that labels number, where there are any.

        Raises CorruptError.
        """
        payload = self._extra(CLAS)
        if payload is None:
            return None
        labels, what = self._extra(LABL), f"{self.name}: chunk clas"
        if labels is None or labels[:1] != bytes([INTEGERS]):
            raise CorruptError(f"{what} names classes, but the archive has no labels that are integers")
        return unpack_class_names(payload, what)

    def _extra(self, wanted: bytes) -> bytes | None:
        """The payload of a chunk between the last block and the index, where it is there."""
        position, last = self._extra_at, -1
        if self._index_at - position <= MOST_END_BYTES:
            self.source.expect(position, self._index_at - position)
        found: bytes | None = None
        while position < self._index_at:
            head = self.source.read_at(position, CHUNK_HEAD_BYTES)
            chunk_type, length = unpack_chunk_head(head, f"{self.name}: chunk at byte {position}")
            what = f"{self.name}: chunk {chunk_type.decode()}"
            if is_critical(chunk_type):
                raise CorruptError(f"{what} is unknown to this version, and has to be understood")
            if chunk_type in EXTRAS:
                if EXTRAS.index(chunk_type) <= last:
                    raise CorruptError(f"{what} is there twice, or in the wrong place")
                last = EXTRAS.index(chunk_type)
            if chunk_type == wanted:
                found, _ = self._chunk(position, wanted, f"chunk {wanted.decode()}")
            position += length + CHUNK_OVERHEAD_BYTES
        if position != self._index_at:
            raise CorruptError(f"{self.name}: the chunks before the index are damaged")
        return found

    def walk(self) -> Iterator[tuple[bytes, int, int]]:
        """Type, offset and payload bytes of every chunk, each one's checksum compared.

        Raises CorruptError.
        """
        position, source = len(SIGNATURE), in_windows(self.source)
        while position < source.total_bytes:
            chunk_type, payload, end = self._any_chunk(position, source)
            yield chunk_type, position, len(payload)
            position = end

    def close(self) -> None:
        """Close the source."""
        self.source.close()

    def __enter__(self) -> Container:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _missing(what: str, name: str, number: int, count: int) -> str:
    """That a block needs what the archive does not have."""
    return f"{what} refers to {name} {number}, but the archive has {count or 'none'}"
