"""The records of an archive that are not images: codecs, kinds and the table of blocks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np
from numpy.typing import NDArray

from compressnet.errors import CorruptError
from compressnet.limits import CHANNELS_LIMIT, NAME_BYTES_LIMIT, SIDE_LIMIT_PX
from compressnet.wire import Reader, pack_varint

NOT_EMBEDDED, EMBEDDED_AS_FILE, EMBEDDED_PACKED = 0, 1, 2
CHANNELS_AXIS = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class CodecEntry:
    """A CODC chunk: which codec the blocks need, and the codec itself where it is embedded."""

    identity: bytes
    name: str
    embedded: bytes | None
    packed: bool = True
    """Whether `compressnet.codec.packed` made what is embedded; else it is a codec file."""


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
    """Where a block lies: of its chunk, the offset and the length in bytes.

    Of its images, the first and how many.
    """

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


def _text(data: bytes, what: str) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise CorruptError(f"{what} holds text that is not UTF-8") from error


class BlockTable(Sequence[BlockEntry]):
    """Where the blocks are: `BlockEntry` by number, over arrays."""

    def __init__(self, offsets: NDArray[np.int64], chunk_bytes: NDArray[np.int64], counts: NDArray[np.int64]) -> None:
        self.offsets, self.chunk_bytes, self.counts = offsets, chunk_bytes, counts
        self.firsts = np.cumsum(counts) - counts
        """Of each block the first image, among those in the blocks."""

    def __len__(self) -> int:
        return len(self.offsets)

    @overload
    def __getitem__(self, index: int) -> BlockEntry: ...
    @overload
    def __getitem__(self, index: slice) -> list[BlockEntry]: ...
    def __getitem__(self, index: int | slice) -> BlockEntry | list[BlockEntry]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        return BlockEntry(
            offset=int(self.offsets[index]),
            chunk_bytes=int(self.chunk_bytes[index]),
            first=int(self.firsts[index]),
            images=int(self.counts[index]),
        )
