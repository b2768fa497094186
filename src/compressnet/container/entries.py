"""The records of an archive that are not images: codecs, kinds and the table of blocks."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np
from numpy.typing import NDArray

from compressnet.errors import CorruptError
from compressnet.images.alpha import has_alpha
from compressnet.images.forms import Form
from compressnet.limits import CHANNELS_LIMIT, NAME_BYTES_LIMIT, SIDE_LIMIT_PX
from compressnet.wire import Reader, pack_varint

NOT_EMBEDDED, EMBEDDED_AS_FILE, EMBEDDED_PACKED, EMBEDDED_DIFFERENCE = range(4)
EMBEDDED_PRIMER = 256
"""What a PRIM chunk has; the others are encodings of a CODC chunk."""
IDENTITY_BYTES = 32
PRIMER_NAME = "adaptive"
"""What the codec of a PRIM chunk is called."""
CHANNELS_AXIS, DEEP, GREY, OPAQUE = 1, 2, 4, 8
"""Flags of a kind: images are (H,W,C); values have 16 bits; red, green and blue are coded once;
alpha, which is opaque, is not coded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CodecEntry:
    """A CODC or PRIM chunk: which codec blocks need, and the codec itself where it is embedded."""

    identity: bytes
    name: str
    embedded: bytes | None
    embedded_as: int = EMBEDDED_PACKED
    """What is embedded: a codec file, a packed codec, how a packed one differs from a base, after
    the base's identity, or a primer."""


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
    encoding = NOT_EMBEDDED if entry.embedded is None else entry.embedded_as
    return entry.identity + pack_varint(len(name)) + name + bytes([encoding]) + (entry.embedded or b"")


def primer_entry(data: bytes) -> CodecEntry:
    """A PRIM chunk, of its payload."""
    identity = hashlib.sha256(data).digest()
    return CodecEntry(identity=identity, name=PRIMER_NAME, embedded=data, embedded_as=EMBEDDED_PRIMER)


def unpack_codec(data: bytes, what: str) -> CodecEntry:
    """Raises CorruptError for bytes that are no CODC payload."""
    reader = Reader(data, what)
    identity = reader.take(IDENTITY_BYTES)
    name = _text(reader.take(reader.varint(NAME_BYTES_LIMIT)), what)
    encoding = reader.uint(1)
    if encoding > EMBEDDED_DIFFERENCE:
        raise CorruptError(f"{what} embeds a codec in the encoding {encoding}, unknown to this version")
    embedded = None if encoding == NOT_EMBEDDED else reader.take(reader.left)
    reader.end()
    return CodecEntry(identity=identity, name=name, embedded=embedded, embedded_as=encoding or EMBEDDED_PACKED)


def pack_kind(form: Form) -> bytes:
    """A KIND chunk's payload."""
    set_flags = (
        (CHANNELS_AXIS, len(form.shape) == 3),
        (DEEP, form.deep),
        (GREY, form.grey),
        (OPAQUE, form.opaque),
    )
    flags = sum(flag for flag, is_set in set_flags if is_set)
    return pack_varint(form.shape[0]) + pack_varint(form.shape[1]) + bytes([form.kept_channels, flags])


def unpack_kind(data: bytes, what: str) -> Form:
    """Raises CorruptError for bytes that are no KIND payload."""
    reader = Reader(data, what)
    height, width = reader.varint(SIDE_LIMIT_PX), reader.varint(SIDE_LIMIT_PX)
    kept, flags = reader.uint(1), reader.uint(1)
    reader.end()
    grey, opaque = bool(flags & GREY), bool(flags & OPAQUE)
    channels = kept + 2 * grey + opaque
    if not (height and width and kept and channels <= CHANNELS_LIMIT and flags < 2 * OPAQUE):
        raise CorruptError(f"{what} describes images of {height}x{width}x{kept}, flags {flags}")
    if channels > 1 and not flags & CHANNELS_AXIS:
        raise CorruptError(f"{what} describes {channels} channels without an axis for them")
    if (grey and channels < 3) or (opaque and not has_alpha(channels)):
        raise CorruptError(f"{what} leaves out channels that images of {channels} do not have, flags {flags}")
    shape = (height, width, channels) if flags & CHANNELS_AXIS else (height, width)
    return Form(shape=shape, deep=bool(flags & DEEP), grey=grey, opaque=opaque)


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
