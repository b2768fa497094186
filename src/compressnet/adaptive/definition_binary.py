"""The binary arithmetic coder: decisions and their probabilities to bytes, and back.

Two bounds of 32 bits draw closer together with each decision; leading bytes that both share are
written. It is the coder of lpaq (M. Mahoney, 2007), with probabilities of 16 bits.
"""

from __future__ import annotations

from typing import Protocol

_MASK = (1 << 32) - 1


class BinaryCoder(Protocol):
    """What writes decisions, or reads them."""

    fresh: int
    """Bytes of pixels that were not foretold, so far."""

    def code(self, one: int, share: int) -> int:
        """Code a decision, which is 1 with a probability of share / 2^16.

        one: the decision, or anything while reading. Returns the decision.
        """
        ...


class BinaryWriter:
    """Decisions to bytes."""

    def __init__(self) -> None:
        self.fresh = 0
        self.payload = bytearray()
        self._low, self._high = 0, _MASK

    def code(self, one: int, share: int) -> int:
        """Write a decision."""
        low, high = self._low, self._high
        middle = low + ((high - low) * share >> 16)
        if one:
            high = middle
        else:
            low = middle + 1
        while (low ^ high) >> 24 == 0:
            self.payload.append(low >> 24)
            low, high = low << 8 & _MASK, high << 8 & _MASK | 255
        self._low, self._high = low, high
        return one

    def end(self) -> bytes:
        """The payload: as few bytes more as lie between the bounds, without zeros at the end."""
        if self._low > 0:
            for count in range(1, 5):
                unit = 1 << 32 - 8 * count
                code = -(-self._low // unit) * unit
                if code <= self._high:
                    self.payload += code.to_bytes(4, "big")
                    break
        return bytes(self.payload).rstrip(b"\0")


class BinaryReader:
    """Bytes to decisions; beyond the payload's end lie zeros."""

    def __init__(self, payload: bytes) -> None:
        self.fresh = 0
        self._payload, self._read = payload, 4
        self._low, self._high = 0, _MASK
        self._code = int.from_bytes(payload[:4].ljust(4, b"\0"), "big")

    def code(self, one: int, share: int) -> int:
        """Read a decision."""
        low, high = self._low, self._high
        middle = low + ((high - low) * share >> 16)
        one = int(self._code <= middle)
        if one:
            high = middle
        else:
            low = middle + 1
        while (low ^ high) >> 24 == 0:
            byte = self._payload[self._read] if self._read < len(self._payload) else 0
            self._read += 1
            self._code = self._code << 8 & _MASK | byte
            low, high = low << 8 & _MASK, high << 8 & _MASK | 255
        self._low, self._high = low, high
        return one
