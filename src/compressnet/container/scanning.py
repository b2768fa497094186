"""The chunks of a file that may be damaged: those that are whole, and what lies between them.

Neither the index nor the tail is needed: a chunk is whole where its checksum holds, and after
damage the search goes on byte by byte, until the next one whose type is known.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from compressnet.container.chunks import CHUNK_HEAD_BYTES, CHUNK_OVERHEAD_BYTES, unpack_chunk_head
from compressnet.container.container import (
    BLOK,
    CLAS,
    CODC,
    HEAD,
    INDX,
    KIND,
    LABL,
    NAME,
    PRIM,
    SIGNATURE,
    TAIL,
)
from compressnet.container.sources import Source
from compressnet.errors import CorruptError

KNOWN = (HEAD, CODC, PRIM, KIND, BLOK, INDX, TAIL, LABL, CLAS, NAME)
WINDOW_BYTES = 1 << 20
"""What is looked at together."""
LEAST_DESCRIPTION_BYTES = CHUNK_OVERHEAD_BYTES + 4
"""Of the shortest chunk that blocks refer to by number, a KIND."""
SPARE_BYTES = 1 << 26
IN_VAIN = 8
"""Bytes of chunks that turn out to be none, in sizes of the file, and some to spare: more are not
looked at."""

_TYPES = re.compile(b"|".join(KNOWN))


@dataclass(frozen=True, slots=True)
class Stretch:
    """A whole chunk, or damaged bytes between two."""

    type: bytes
    """Empty where the bytes are damaged."""
    offset: int
    end: int
    heads: tuple[bytes, ...] = ()
    """Of damaged bytes: the types of the chunks that they were, as far as their heads tell."""
    is_explained: bool = False
    """Of damaged bytes: whether they have no room for a description besides those of `heads`."""


@dataclass(slots=True)
class Scan:
    """What was found in a file, in its order."""

    stretches: list[Stretch] = field(default_factory=list)
    stopped_at: int | None = None
    """Where the search was given up, as too much looked like a chunk and was none."""

    @property
    def damaged(self) -> list[Stretch]:
        """Bytes that are no whole chunk."""
        return [stretch for stretch in self.stretches if not stretch.type]

    def of_type(self, chunk_type: bytes) -> list[Stretch]:
        """The whole chunks of a type."""
        return [stretch for stretch in self.stretches if stretch.type == chunk_type]


def scan(source: Source) -> Scan:
    """All whole chunks of a file, and what lies between them; in memory of one window."""
    found, search = Scan(), _Search(source)
    position = len(SIGNATURE) if source.read_at(0, len(SIGNATURE)) == SIGNATURE else 0
    while position < source.total_bytes:
        chunk = search.chunk_at(position)
        if chunk is None:
            chunk = search.next_chunk(position + 1)
            end = source.total_bytes if chunk is None else chunk.offset
            found.stretches.append(_damaged(source, position, end))
            if chunk is None:
                break
        found.stretches.append(chunk)
        position = chunk.end
    found.stopped_at = search.stopped_at
    return found


class _Search:
    """Looks for whole chunks, with bounded work."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._left = IN_VAIN * source.total_bytes + SPARE_BYTES
        self.stopped_at: int | None = None

    def chunk_at(self, offset: int) -> Stretch | None:
        """The chunk that begins at an offset, where its checksum holds."""
        head = _head(self._source, offset)
        if head is None:
            return None
        chunk_type, end = head
        if end > self._source.total_bytes or self._left <= 0:
            return None
        checksum = 0
        for start in range(offset, end - 4, WINDOW_BYTES):
            checksum = zlib.crc32(self._source.read_at(start, min(WINDOW_BYTES, end - 4 - start)), checksum)
        if self._source.read_at(end - 4, 4) == checksum.to_bytes(4, "big"):
            return Stretch(chunk_type, offset, end)
        self._left -= end - offset
        if self._left <= 0 and self.stopped_at is None:
            self.stopped_at = offset
        return None

    def next_chunk(self, offset: int) -> Stretch | None:
        """The first whole chunk of a known type from an offset on."""
        for candidate in self._candidates(offset):
            if self._left <= 0:
                return None
            chunk = self.chunk_at(candidate)
            if chunk is not None:
                return chunk
        return None

    def _candidates(self, offset: int) -> Iterator[int]:
        """Where the types of chunks stand from an offset on."""
        overlap = len(HEAD) - 1
        for start in range(offset, self._source.total_bytes, WINDOW_BYTES):
            window = self._source.read_at(start, WINDOW_BYTES + overlap)
            for match in _TYPES.finditer(window):
                yield start + match.start()


def _head(source: Source, offset: int) -> tuple[bytes, int] | None:
    """The type of the chunk that begins at an offset, and its end; None where none does."""
    data = source.read_at(offset, CHUNK_HEAD_BYTES)
    try:
        chunk_type, length = unpack_chunk_head(data, "")
    except CorruptError:
        return None
    return chunk_type, offset + length + CHUNK_OVERHEAD_BYTES


def _damaged(source: Source, offset: int, end: int) -> Stretch:
    """Damaged bytes, and what they were: heads that lead from one to the next are believed."""
    heads: list[bytes] = []
    position = offset
    while end - position >= LEAST_DESCRIPTION_BYTES:
        head = _head(source, position)
        if head is None or head[0] not in KNOWN:
            break
        heads.append(head[0])
        position = head[1]
    is_explained = 0 <= end - position < LEAST_DESCRIPTION_BYTES
    return Stretch(b"", offset, end, tuple(heads), is_explained)
