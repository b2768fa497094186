"""The range encoder and lossless payloads of docs/FORMAT.md, from that page alone, in integers of
any length."""

from __future__ import annotations

import numpy as np


class RangeEncoder:
    """The encoder of docs/FORMAT.md, "Range coder", in integers of any length."""

    def __init__(self) -> None:
        self.lower, self.range, self.n = 0, (1 << 64) - 1, 0

    def append(self, index: int, frequencies: np.ndarray) -> None:
        scale = self.range >> 24
        self.lower += scale * int(frequencies[:index].sum())
        self.range = scale * int(frequencies[index])
        while self.range < 1 << 32:
            self.lower <<= 32
            self.range <<= 32
            self.n += 1

    def finish(self) -> bytes:
        total = 8 + 4 * self.n
        for length in range(total + 1):
            unit = 1 << 8 * (total - length)
            number = -(-self.lower // unit)
            if number * unit < self.lower + self.range:
                return number.to_bytes(length, "big")
        raise AssertionError("lower itself is such a number")


def varint(number: int) -> bytes:
    """In its shortest form."""
    groups = [number >> shift & 127 for shift in range(0, max(1, number.bit_length()), 7)]
    return bytes([*(group + 128 for group in groups[:-1]), groups[-1]])


def lossless_payload(images: list[bytes]) -> bytes:
    """The payload of a lossless block of the payloads of its images."""
    return b"".join([*(varint(len(image)) for image in images[:-1]), *images])
