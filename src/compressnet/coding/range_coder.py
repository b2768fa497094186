"""Symbols to payload bytes and back: range coding with integer frequencies.

The only importer of constriction.

The coder is constriction's (Bamler, arXiv:2201.01741): 32-bit words, 64-bit state, 24-bit
frequencies; docs/FORMAT.md states it in integers alone. `Categorical(perfect=False)` scales floats
to frequencies, but given F - 1 as float64, with sum F = 2^24, its scale is exactly 1 and it uses F
itself.

A payload is the shortest byte string inside the coder's last interval; zeros are read past its
end.
"""

from __future__ import annotations

import numpy as np
from constriction import stream  # pyright: ignore[reportAttributeAccessIssue] - a compiled module
from numpy.typing import NDArray

from compressnet.errors import CorruptError

PRECISION_BITS = 24
_WINDOW_BITS = 64
_PAST_END = bytes(12)  # the decoder looks at most two words ahead; the rest completes a word


class PayloadEncoder:
    """Collects symbols; `finish` gives the payload."""

    def __init__(self) -> None:
        self._coder = stream.queue.RangeEncoder()
        self._model = stream.model.Categorical(perfect=False)

    def encode(self, indices: NDArray[np.int32], weights: NDArray[np.float64]) -> None:
        """Append indices (n,) into alphabets of A symbols.

        Weights (n,A) are the frequencies minus 1.
        """
        self._coder.encode(np.ascontiguousarray(indices), self._model, weights)

    def encode_alike(self, indices: NDArray[np.int32], weights_A: NDArray[np.float64]) -> None:
        """Append indices (n,) that all have the same frequencies.

        Weights_A (A,) are these minus 1.
        """
        if len(indices):
            model = stream.model.Categorical(weights_A, perfect=False)
            self._coder.encode(np.ascontiguousarray(indices), model)

    def finish(self) -> bytes:
        """The shortest bytes that decode to what was appended."""
        words = self._coder.get_compressed()
        position, (lower, interval) = self._coder.pos()
        sealed = np.concatenate([words, np.zeros(2, np.uint32)]).astype(">u4").tobytes()
        prefix = int.from_bytes(sealed[: 4 * position], "big")
        window = int.from_bytes(sealed[4 * position : 4 * position + 8], "big")
        if not lower <= window < lower + interval:
            prefix -= 1  # the sealed point carried into the prefix
        return shortest_payload((prefix << _WINDOW_BITS) + lower, interval, 4 * position + _WINDOW_BITS // 8)


def shortest_payload(lower: int, interval: int, length_bytes: int) -> bytes:
    """The shortest bytes that, continued by zeros to a length, are at least `lower`.

    They are below lower + interval, where `interval` is 2^64 at most; of several such byte strings
    they are the smallest.
    """
    for free_bits in range(_WINDOW_BITS, -1, -8):
        point = -(-lower >> free_bits) << free_bits
        if point < lower + interval:
            return point.to_bytes(length_bytes, "big").rstrip(b"\0")
    raise AssertionError("every interval holds a multiple of 1")


class PayloadDecoder:
    """Gives back the symbols of a payload, in the order in which they were appended."""

    def __init__(self, payload: bytes) -> None:
        padded = payload + _PAST_END
        words = np.frombuffer(padded[: len(padded) // 4 * 4], ">u4").astype(np.uint32)
        self._coder = stream.queue.RangeDecoder(words)
        self._model = stream.model.Categorical(perfect=False)

    def decode(self, weights: NDArray[np.float64]) -> NDArray[np.int32]:
        """The next n indices, given weights (n,A), the frequencies minus 1.

        Raises CorruptError where the payload cannot come from these frequencies.
        """
        try:
            return self._coder.decode(self._model, weights)
        except AssertionError as error:
            raise CorruptError("the payload does not fit the codec's frequencies") from error

    def decode_alike(self, count: int, weights_A: NDArray[np.float64]) -> NDArray[np.int32]:
        """The next `count` indices, all with the same frequencies.

        Weights_A (A,) are these minus 1.

        Raises CorruptError where the payload cannot come from these frequencies.
        """
        if count == 0:
            return np.zeros(0, np.int32)
        try:
            return self._coder.decode(stream.model.Categorical(weights_A, perfect=False), count)
        except AssertionError as error:
            raise CorruptError("the payload does not fit its frequencies") from error
