"""The archive file without any codec: chunks, index, labels. docs/FORMAT.md is its specification.

    signature  HEAD  CODC*  KIND+  BLOK*  [labl]  INDX  TAIL

`ContainerWriter` needs no seeking, so an archive can be written to a pipe. `Container` opens from the end: TAIL
gives the index, the index gives every block.
"""

from __future__ import annotations

import bisect
import os
import threading
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Protocol

import numpy as np
from numpy.typing import NDArray

from compressnet.block import Block, pack_block, unpack_block
from compressnet.errors import CorruptError, FormatError, InputError
from compressnet.limits import (
    BLOCK_IMAGES_LIMIT,
    CHANNELS_LIMIT,
    CHUNK_BYTES_LIMIT,
    IMAGES_LIMIT,
    LABEL_BYTES_LIMIT,
    NAME_BYTES_LIMIT,
    SIDE_LIMIT_PX,
)
from compressnet.wire import (
    CHUNK_OVERHEAD_BYTES,
    Reader,
    is_critical,
    pack_chunk,
    pack_varint,
    unpack_chunk,
    unpack_chunk_head,
)

SIGNATURE = b"\x89CNT\r\n\x1a\n"
VERSION = 1
HEAD, CODC, KIND, BLOK, LABL, INDX, TAIL = b"HEAD", b"CODC", b"KIND", b"BLOK", b"labl", b"INDX", b"TAIL"
KNOWN = (HEAD, CODC, KIND, BLOK, LABL, INDX, TAIL)
TAIL_BYTES = CHUNK_OVERHEAD_BYTES + 8
NOT_EMBEDDED, EMBEDDED_AS_FILE, EMBEDDED_PACKED = 0, 1, 2
CHANNELS_AXIS = 1
ORDER_OF_BLOCKS = 0
LABELS_INTEGER, LABELS_TEXT = 0, 1

Labels = NDArray[np.int64] | NDArray[np.str_]


@dataclass(frozen=True, slots=True, kw_only=True)
class CodecEntry:
    """A CODC chunk: which codec the blocks need, and the codec itself where it is embedded."""

    identity: bytes
    name: str
    embedded: bytes | None
    packed: bool = True
    """Whether `compressnet.packed` made what is embedded; else it is a codec file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KindEntry:
    """A KIND chunk: the shape of images. `channels_axis` tells (H,W,1) from (H,W)."""

    height: int
    width: int
    channels: int
    channels_axis: bool

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of an image as it came: (H,W) or (H,W,C)."""
        return (self.height, self.width, *((self.channels,) if self.channels_axis else ()))


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockEntry:
    """Where a block lies: of its chunk, the offset and the length in bytes; of its images, the first and how many."""

    offset: int
    chunk_bytes: int
    first: int
    images: int


def pack_codec(entry: CodecEntry) -> bytes:
    """A CODC chunk's payload."""
    name = entry.name.encode()
    embedded_as = EMBEDDED_PACKED if entry.packed else EMBEDDED_AS_FILE
    encoding = NOT_EMBEDDED if entry.embedded is None else embedded_as
    return entry.identity + pack_varint(len(name)) + name + bytes([encoding]) + (entry.embedded or b"")


def unpack_codec(data: bytes, what: str) -> CodecEntry:
    """Raises CorruptError for bytes that are no CODC payload."""
    reader = Reader(data, what)
    identity = reader.take(32)
    name = _text(reader.take(reader.varint(NAME_BYTES_LIMIT)), what)
    encoding = reader.uint(1)
    if encoding not in (NOT_EMBEDDED, EMBEDDED_AS_FILE, EMBEDDED_PACKED):
        raise CorruptError(f"{what} embeds a codec in the encoding {encoding}, unknown to this version")
    embedded = None if encoding == NOT_EMBEDDED else reader.take(reader.left)
    reader.end()
    return CodecEntry(identity=identity, name=name, embedded=embedded, packed=encoding != EMBEDDED_AS_FILE)


def pack_kind(entry: KindEntry) -> bytes:
    """A KIND chunk's payload."""
    flags = CHANNELS_AXIS if entry.channels_axis else 0
    return pack_varint(entry.height) + pack_varint(entry.width) + bytes([entry.channels, flags])


def unpack_kind(data: bytes, what: str) -> KindEntry:
    """Raises CorruptError for bytes that are no KIND payload."""
    reader = Reader(data, what)
    height, width = reader.varint(SIDE_LIMIT_PX), reader.varint(SIDE_LIMIT_PX)
    channels, flags = reader.uint(1), reader.uint(1)
    reader.end()
    if not (height and width and 1 <= channels <= CHANNELS_LIMIT and flags in (0, CHANNELS_AXIS)):
        raise CorruptError(f"{what} describes images of {height}x{width}x{channels}, flags {flags}")
    if channels > 1 and not flags:
        raise CorruptError(f"{what} describes {channels} channels without an axis for them")
    return KindEntry(height=height, width=width, channels=channels, channels_axis=bool(flags))


def pack_labels(labels: Labels) -> bytes:
    """A labl chunk's payload: integers as 8 bytes little-endian, or lines of UTF-8; deflated."""
    if np.issubdtype(labels.dtype, np.integer):
        return bytes([LABELS_INTEGER]) + zlib.compress(labels.astype("<i8").tobytes(), 9)
    return bytes([LABELS_TEXT]) + zlib.compress("\n".join(labels.tolist()).encode(), 9)


def unpack_labels(data: bytes, images: int, what: str) -> Labels:
    """Raises CorruptError for bytes that are not the labels of this many images."""
    encoding, limit = data[:1], 8 * images if data[:1] == bytes([LABELS_INTEGER]) else LABEL_BYTES_LIMIT * images
    inflater = zlib.decompressobj()
    try:
        raw = inflater.decompress(data[1:], limit + 1)
    except zlib.error as error:
        raise CorruptError(f"{what} is damaged: {error}") from error
    if not inflater.eof or inflater.unused_data:
        raise CorruptError(f"{what} does not end where its labels do")
    if encoding == bytes([LABELS_INTEGER]) and len(raw) == 8 * images:
        return np.frombuffer(raw, "<i8").astype(np.int64)
    if encoding == bytes([LABELS_TEXT]) and len(raw) <= limit:
        lines = np.array(_text(raw, what).split("\n"), dtype=np.str_)
        if len(lines) == images:
            return lines
    raise CorruptError(f"{what} does not hold the labels of {images} images")


def _text(data: bytes, what: str) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise CorruptError(f"{what} holds text that is not UTF-8") from error


class ContainerWriter:
    """Writes an archive from front to end; `finish` writes the index. Without it the file is no archive."""

    def __init__(self, stream: BinaryIO, codecs: Sequence[CodecEntry], kinds: Sequence[KindEntry]) -> None:
        self._stream, self.bytes_written, self.images = stream, 0, 0
        self._blocks: list[tuple[int, int]] = []
        self._write(SIGNATURE + pack_chunk(HEAD, bytes([VERSION])))
        for codec in codecs:
            self._write(pack_chunk(CODC, pack_codec(codec)))
        for kind in kinds:
            self._write(pack_chunk(KIND, pack_kind(kind)))
        self._first_block = self.bytes_written

    def _write(self, data: bytes) -> None:
        self._stream.write(data)
        self.bytes_written += len(data)

    def add(self, block: Block) -> None:
        """Append a block."""
        chunk = pack_chunk(BLOK, pack_block(block))
        self._write(chunk)
        self._blocks.append((len(chunk), block.images))
        self.images += block.images

    def finish(self, labels: Labels | None) -> None:
        """Write labels, index and tail. Raises InputError for labels of another number than images."""
        if labels is not None and len(labels) != self.images:
            raise InputError(f"{len(labels)} labels for {self.images} images; there has to be one for each image")
        label_bytes = pack_chunk(LABL, pack_labels(labels)) if labels is not None else b""
        self._write(label_bytes)
        numbers = [self.images, len(self._blocks), self._first_block, len(label_bytes), ORDER_OF_BLOCKS]
        numbers += [number for pair in self._blocks for number in pair]
        index_offset = self.bytes_written
        self._write(pack_chunk(INDX, b"".join(map(pack_varint, numbers))))
        self._write(pack_chunk(TAIL, index_offset.to_bytes(8, "big")))


class Source(Protocol):
    """Bytes that can be read from anywhere."""

    name: str
    total_bytes: int

    def read_at(self, offset: int, count_bytes: int) -> bytes:
        """Up to `count_bytes` from an offset."""
        ...

    def close(self) -> None:
        """Free what it holds."""
        ...


class FileSource:
    """A file, read by position: safe for several threads, and for processes that forked from one."""

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        try:
            self._stream = path.open("rb")
            self.total_bytes = os.fstat(self._stream.fileno()).st_size
        except OSError as error:
            raise InputError(f"{path}: cannot be opened ({error.strerror})") from error
        self._lock = threading.Lock()

    def read_at(self, offset: int, count_bytes: int) -> bytes:
        """Up to `count_bytes` from an offset."""
        try:
            if hasattr(os, "pread"):
                return os.pread(self._stream.fileno(), count_bytes, offset)
            with self._lock:
                self._stream.seek(offset)
                return self._stream.read(count_bytes)
        except (OSError, ValueError) as error:
            raise InputError(f"{self.name}: cannot be read ({error})") from error

    def close(self) -> None:
        """Close the file."""
        self._stream.close()


class BytesSource:
    """An archive in memory."""

    def __init__(self, data: bytes, name: str) -> None:
        self.name, self._data, self.total_bytes = name, data, len(data)

    def read_at(self, offset: int, count_bytes: int) -> bytes:
        """Up to `count_bytes` from an offset."""
        return self._data[offset : offset + count_bytes]

    def close(self) -> None:
        """Nothing to free."""


class Container:
    """An archive's structure, read and checked: codecs, kinds and where each block lies.

    Raises FormatError for bytes that are no archive, CorruptError for a damaged one, each naming the source, which is
    closed then.
    """

    def __init__(self, source: Source) -> None:
        self.source = source
        try:
            if source.read_at(0, len(SIGNATURE)) != SIGNATURE:
                raise FormatError(f"{source.name}: not a compressnet archive")
            self._read_index(self._read_tail())
            self._read_front()
        except BaseException:
            source.close()
            raise

    @property
    def name(self) -> str:
        """The source's name, for errors."""
        return self.source.name

    def _chunk(self, offset: int, expected: bytes, what: str) -> tuple[bytes, int]:
        """Payload of the chunk at an offset, and the offset after it."""
        what = f"{self.name}: {what}"
        chunk_type, length = unpack_chunk_head(self.source.read_at(offset, 8), what)
        if chunk_type != expected:
            raise CorruptError(f"{what} is not where it should be, at byte {offset}")
        end = offset + length + CHUNK_OVERHEAD_BYTES
        if end > self.source.total_bytes:
            raise CorruptError(f"{what} is cut off, or its length is damaged")
        return unpack_chunk(self.source.read_at(offset, end - offset), what)[1], end

    def _read_tail(self) -> int:
        start = self.source.total_bytes - TAIL_BYTES
        tail = self.source.read_at(max(start, 0), TAIL_BYTES)
        if start < len(SIGNATURE) or tail[:4] != TAIL:
            raise CorruptError(f"{self.name}: cut off, or chunk TAIL at its end is damaged")
        chunk_type, payload = unpack_chunk(tail, f"{self.name}: chunk TAIL")
        assert chunk_type == TAIL
        return int.from_bytes(payload, "big")

    def _read_index(self, offset: int) -> None:
        what = f"{self.name}: chunk INDX"
        payload, end = self._chunk(offset, INDX, "chunk INDX")
        if end != self.source.total_bytes - TAIL_BYTES:
            raise CorruptError(f"{what} is not the last but one")
        reader = Reader(payload, what)
        images, count = reader.varint(IMAGES_LIMIT), reader.varint(IMAGES_LIMIT)
        position = reader.varint(self.source.total_bytes)
        self._first_block = position
        label_bytes = reader.varint(CHUNK_BYTES_LIMIT + CHUNK_OVERHEAD_BYTES)
        order = reader.varint(255)
        if order != ORDER_OF_BLOCKS:
            raise CorruptError(f"{what} orders the images in the way {order}, unknown to this version")
        if 2 * count > reader.left:
            raise CorruptError(f"{what} is too short for {count} blocks")
        self.blocks: list[BlockEntry] = []
        first = 0
        for _ in range(count):
            chunk_bytes = reader.varint(CHUNK_BYTES_LIMIT + CHUNK_OVERHEAD_BYTES)
            block_images = reader.varint(BLOCK_IMAGES_LIMIT)
            self.blocks.append(BlockEntry(offset=position, chunk_bytes=chunk_bytes, first=first, images=block_images))
            position, first = position + chunk_bytes, first + block_images
        reader.end()
        if first != images or position + label_bytes != offset:
            raise CorruptError(f"{what} contradicts itself or the file")
        self.images = images
        self._labels_at = (position, label_bytes)
        self._firsts = [block.first for block in self.blocks]

    def _read_front(self) -> None:
        position = len(SIGNATURE)
        payload, position = self._chunk(position, HEAD, "chunk HEAD")
        if payload != bytes([VERSION]):
            raise FormatError(f"{self.name}: version {payload.hex()} of the format; this software reads {VERSION}")
        self.codecs: list[CodecEntry] = []
        self.kinds: list[KindEntry] = []
        while position < self._first_block:
            chunk_type, payload, position = self._any_chunk(position)
            what = f"{self.name}: chunk {chunk_type.decode()}"
            if chunk_type == CODC:
                self.codecs.append(unpack_codec(payload, what))
            elif chunk_type == KIND:
                self.kinds.append(unpack_kind(payload, what))
            elif is_critical(chunk_type):
                raise CorruptError(f"{what} is unknown to this version, and has to be understood")
        if position != self._first_block or not self.kinds:
            raise CorruptError(f"{self.name}: the chunks before the first block are damaged")

    def _any_chunk(self, offset: int) -> tuple[bytes, bytes, int]:
        what = f"chunk at byte {offset}"
        chunk_type, _ = unpack_chunk_head(self.source.read_at(offset, 8), f"{self.name}: {what}")
        payload, end = self._chunk(offset, chunk_type, f"chunk {chunk_type.decode()}")
        return chunk_type, payload, end

    def block_of(self, image: int) -> int:
        """The number of the block that holds an image."""
        return bisect.bisect_right(self._firsts, image) - 1

    def read_block(self, number: int) -> Block:
        """One block, from its bytes alone. Raises CorruptError."""
        entry = self.blocks[number]
        name = f"block {number}"
        what = f"{self.name}: {name}"
        payload, end = self._chunk(entry.offset, BLOK, name)
        block = unpack_block(payload, what)
        if end - entry.offset != entry.chunk_bytes or block.images != entry.images:
            raise CorruptError(f"{what} is not what the index says")
        if block.kind >= len(self.kinds) or block.codec >= max(len(self.codecs), 1):
            raise CorruptError(f"{what} needs kind {block.kind} and codec {block.codec}, the archive has fewer")
        return block

    def read_labels(self) -> Labels | None:
        """The labels, where there are any. Raises CorruptError."""
        offset, label_bytes = self._labels_at
        if label_bytes == 0:
            return None
        payload, end = self._chunk(offset, LABL, "chunk labl")
        if end - offset != label_bytes:
            raise CorruptError(f"{self.name}: chunk labl is not what the index says")
        return unpack_labels(payload, self.images, f"{self.name}: chunk labl")

    def walk(self) -> Iterator[tuple[bytes, int, int]]:
        """Type, offset and payload bytes of every chunk, each one's checksum compared. Raises CorruptError."""
        position = len(SIGNATURE)
        while position < self.source.total_bytes:
            chunk_type, payload, end = self._any_chunk(position)
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


def as_labels(values: Any) -> Labels:
    """Integers or texts, one for each image, as an archive keeps them. Raises InputError."""
    labels = np.asarray(values)
    if labels.ndim == 1 and np.issubdtype(labels.dtype, np.integer):
        return labels.astype(np.int64)
    if labels.ndim == 1 and labels.dtype.kind == "U" and not any("\n" in label for label in labels.tolist()):
        return labels
    raise InputError(f"labels have to be a list of integers or of lines of text, not {labels.dtype} {labels.shape}")
