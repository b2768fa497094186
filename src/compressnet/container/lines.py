"""Lines of text in an archive: names, labels that are text, and names of classes.

Names of files that come in order begin alike and count up, so a line is kept as what it adds to
the one before it (front coding, as in the locate database of Unix). docs/FORMAT.md, "labl and
name".
"""

from __future__ import annotations

import lzma
import zlib
from collections.abc import Sequence
from typing import Protocol

from compressnet.errors import CorruptError
from compressnet.limits import LABEL_BYTES_LIMIT, Cost, Limits, beyond_limits

PLAIN, FRONT_CODED = 1, 2
"""Encodings: joined and deflated; front-coded, as a raw LZMA2 stream."""
COUNTED_UP, SHARED_LIMIT = 255, 254
"""A line is the one before it, counted up; or it shares so many bytes with it at most."""
DICTIONARY_BYTES = 1 << 20
_FILTERS = [{"id": lzma.FILTER_LZMA2, "dict_size": DICTIONARY_BYTES, "lc": 3, "lp": 0, "pb": 0}]
LINE_BYTES, HELD = 64, 4
"""What a text takes in memory besides its letters, and how often these are held."""
_DIGITS = b"0123456789"
_NO_DIGITS = bytes(sorted(set(range(256)) - set(_DIGITS)))


class _Stream(Protocol):
    """What zlib and lzma unpack with."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


def pack_lines(texts: Sequence[str]) -> bytes:
    """Texts without a line feed, of less than 2^16 bytes each."""
    lines = [text.encode() for text in texts]
    plain = bytes([PLAIN]) + zlib.compress(b"\n".join(lines), 9)
    coded = bytes([FRONT_CODED]) + lzma.compress(_front_coded(lines), lzma.FORMAT_RAW, filters=_FILTERS)
    return min(plain, coded, key=len)


def _front_coded(lines: Sequence[bytes]) -> bytes:
    shared, rests = bytearray(), list[bytes]()
    before = b""
    for line in lines:
        if counted_up(before) == line:
            shared.append(COUNTED_UP)
            rests.append(b"")
        else:
            most = min(len(line), len(before), SHARED_LIMIT)
            same = next((i for i in range(most) if line[i] != before[i]), most)
            shared.append(same)
            rests.append(line[same:])
        before = line
    return bytes(shared) + b"\n".join(rests)


def counted_up(line: bytes) -> bytes | None:
    """The line with its last number one higher, of as many digits; None where it has none such."""
    stop = len(line.rstrip(_NO_DIGITS))
    start = len(line[:stop].rstrip(_DIGITS))
    raised = line[start:stop].rstrip(b"9")
    if not raised:
        return None
    higher = raised[:-1] + bytes([raised[-1] + 1])
    return line[:start] + higher.ljust(stop - start, b"0") + line[stop:]


def unpack_lines(data: bytes, count: int, what: str, noun: str, room: int) -> list[str]:
    """So many texts, in so much room: bytes that they may take in memory.

    what, noun: the chunk and its lines, for errors. Raises CorruptError, BeyondLimitsError.
    """
    Limits(memory=max(1, room)).require(Cost(memory=LINE_BYTES * count), what)
    limit_bytes = min(LABEL_BYTES_LIMIT * count, (room - LINE_BYTES * count) // HELD)
    match data[0] if data else 0:
        case code if code == PLAIN:
            lines = inflate(data[1:], limit_bytes, what, noun).split(b"\n")
        case code if code == FRONT_CODED:
            lines = _from_front_coded(data[1:], count, limit_bytes, what, noun)
        case _:
            lines = []
    if len(lines) != count:
        raise CorruptError(f"{what} does not hold {count} {noun}")
    if max(map(len, lines), default=0) >= LABEL_BYTES_LIMIT:
        raise CorruptError(f"{what} has one of {LABEL_BYTES_LIMIT} bytes or more")
    try:
        return b"\n".join(lines).decode().split("\n") if lines else []
    except UnicodeDecodeError as error:
        raise CorruptError(f"{what} holds text that is not UTF-8") from error


def _from_front_coded(data: bytes, count: int, limit_bytes: int, what: str, noun: str) -> list[bytes]:
    stream = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=_FILTERS)
    raw = _unpacked(stream, data, count + limit_bytes, what, noun)
    rests = raw[count:].split(b"\n")
    if len(raw) < count or len(rests) != max(1, count):
        raise CorruptError(f"{what} does not hold {count} {noun}")
    lines: list[bytes] = []
    before, total = b"", 0
    for shared, rest in zip(raw[:count], rests, strict=False):
        if shared == COUNTED_UP:
            line = counted_up(before) if not rest else None
        else:
            line = before[:shared] + rest if shared <= len(before) else None
        if line is None:
            raise CorruptError(f"{what} is damaged: a line does not follow from the one before it")
        total += len(line) + 1
        if len(line) >= LABEL_BYTES_LIMIT or total > limit_bytes + count:
            raise beyond_limits(f"{what} holds more than {limit_bytes} bytes of {noun}", "memory")
        lines.append(line)
        before = line
    return lines


def inflate(data: bytes, limit_bytes: int, what: str, noun: str) -> bytes:
    """A zlib stream of at most so many bytes, and nothing after it. Raises CorruptError."""
    return _unpacked(zlib.decompressobj(), data, limit_bytes, what, noun)


def _unpacked(stream: _Stream, data: bytes, limit_bytes: int, what: str, noun: str) -> bytes:
    """A packed stream of at most so many bytes, and nothing after it. Raises CorruptError."""
    try:
        raw = stream.decompress(data, limit_bytes + 1)
    except (zlib.error, lzma.LZMAError) as error:
        raise CorruptError(f"{what} is damaged: {error}") from error
    if len(raw) > limit_bytes:
        raise beyond_limits(f"{what} holds more than {limit_bytes} bytes of {noun}", "memory")
    if not stream.eof or stream.unused_data:
        raise CorruptError(f"{what} does not end where its {noun} do")
    return raw
