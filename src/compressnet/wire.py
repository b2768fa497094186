"""Bytes: varints, and the `Reader` that takes numbers and bytes off the front of a buffer.

No other module packs or unpacks varints.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from compressnet.errors import CorruptError


def pack_varint(value: int) -> bytes:
    """An integer >= 0 as a varint (LEB128).

    It is cut into groups of 7 bits, lowest first, with the high bit set on all but the last.
    """
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
