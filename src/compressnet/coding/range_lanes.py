"""Many range coders side by side, each with a payload of its own: a symbol of each at a time.

It is the range coder of docs/FORMAT.md, in NumPy, for images that are coded alone and yet in
lockstep: a call codes one symbol in each of some lanes. `PayloadEncoder` and `PayloadDecoder`
code many symbols into one payload instead.

Axes: L lanes, n some of them, A alphabet.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from compressnet.coding.range_coder import PRECISION_BITS, shortest_payload
from compressnet.errors import CorruptError

WORD_BITS = np.uint64(32)
WORD_BYTES = 4
LEAST_RANGE = np.uint64(1 << 32)
FULL_RANGE = (1 << 64) - 1

Lanes = NDArray[np.int64]
"""Numbers of lanes (n,), each at most once."""
Frequencies = NDArray[np.float64]
"""Whole numbers (A,n), at least 1, that sum to 2^24 for each symbol."""


class LaneEncoder:
    """Collects the symbols of all lanes; `finish` gives their payloads."""

    def __init__(self, lanes: int) -> None:
        self._lower_L = np.zeros(lanes, np.uint64)
        self._range_L = np.full(lanes, FULL_RANGE, np.uint64)
        self._words_L = np.zeros(lanes, np.int64)
        self._written = np.zeros((16, lanes), np.uint64)
        """(words, L): what was shifted out of `lower`. A carry is added to the last word, which
        then may have more than 32 bits."""

    def encode(self, lanes_n: Lanes, frequencies_An: Frequencies, symbols_n: NDArray[np.int64]) -> None:
        """Append a symbol to each of some lanes."""
        left_n, chosen_n = _interval(frequencies_An, np.cumsum(frequencies_An, axis=0), symbols_n)
        scale_n = self._range_L[lanes_n] >> np.uint64(PRECISION_BITS)
        before_n = self._lower_L[lanes_n]
        lower_n = before_n + scale_n * left_n
        range_n = scale_n * chosen_n
        carried = lower_n < before_n
        if carried.any():
            lanes = lanes_n[carried]
            self._written[self._words_L[lanes] - 1, lanes] += np.uint64(1)
        short = range_n < LEAST_RANGE
        if short.any():
            self._shift_out(lanes_n[short], lower_n[short])
            lower_n[short] <<= WORD_BITS
            range_n[short] <<= WORD_BITS
        self._lower_L[lanes_n] = lower_n
        self._range_L[lanes_n] = range_n

    def _shift_out(self, lanes_n: Lanes, lower_n: NDArray[np.uint64]) -> None:
        """Append the high words of `lower` to what some lanes have written."""
        places_n = self._words_L[lanes_n]
        if places_n.max() == len(self._written):
            self._written = np.concatenate([self._written, np.zeros_like(self._written)])
        self._written[places_n, lanes_n] = lower_n >> WORD_BITS
        self._words_L[lanes_n] += 1

    def finish(self) -> list[bytes]:
        """The payload of each lane."""
        payloads: list[bytes] = []
        states = zip(self._words_L.tolist(), self._lower_L.tolist(), self._range_L.tolist(), strict=True)
        for lane, (words, lower, width) in enumerate(states):
            written = self._written[:words, lane]
            lows, carries = (part.astype(">u4").tobytes() for part in (written, written >> WORD_BITS))
            prefix = int.from_bytes(lows, "big") + (int.from_bytes(carries, "big") << 32)
            payloads.append(shortest_payload((prefix << 64) + lower, width, words * WORD_BYTES + 8))
        return payloads


class LaneDecoder:
    """Gives back the symbols of all lanes, in the order in which they were appended."""

    def __init__(self, payloads: Sequence[bytes]) -> None:
        padded = [payload + bytes(-len(payload) % WORD_BYTES + WORD_BYTES) for payload in payloads]
        self._words = np.frombuffer(b"".join(padded), ">u4").astype(np.uint64)
        ends_L = np.cumsum([len(one) // WORD_BYTES for one in padded], dtype=np.int64)
        self._last_L = ends_L - 1
        """Where each lane's words end, with a zero, which comes again and again."""
        self._next_L = np.concatenate([np.zeros(1, np.int64), ends_L])[: len(payloads)]
        self._range_L = np.full(len(payloads), FULL_RANGE, np.uint64)
        every_L = np.arange(len(payloads))
        self._ahead_L = self._take(every_L) << WORD_BITS
        """The point less `lower`, modulo 2^64: all that decoding needs of them."""
        self._ahead_L += self._take(every_L)

    def _take(self, lanes_n: Lanes) -> NDArray[np.uint64]:
        """The next word of some lanes."""
        places_n = self._next_L[lanes_n]
        self._next_L[lanes_n] = np.minimum(places_n + 1, self._last_L[lanes_n])
        return self._words[places_n]

    def decode(self, lanes_n: Lanes, frequencies_An: Frequencies) -> NDArray[np.int64]:
        """The next symbol (n,) of some lanes.

        Raises CorruptError where a payload cannot come from these frequencies.
        """
        scale_n = self._range_L[lanes_n] >> np.uint64(PRECISION_BITS)
        ahead_n = self._ahead_L[lanes_n]
        quantile_n = ahead_n // scale_n
        if np.any(quantile_n >> np.uint64(PRECISION_BITS)):
            raise CorruptError("the payload does not fit the codec's frequencies")
        sums_An = np.cumsum(frequencies_An, axis=0)
        symbols_n = (sums_An <= quantile_n).sum(axis=0)
        left_n, chosen_n = _interval(frequencies_An, sums_An, symbols_n)
        ahead_n -= scale_n * left_n
        range_n = scale_n * chosen_n
        short = range_n < LEAST_RANGE
        if short.any():
            range_n[short] <<= WORD_BITS
            ahead_n[short] = (ahead_n[short] << WORD_BITS) + self._take(lanes_n[short])
        self._ahead_L[lanes_n] = ahead_n
        self._range_L[lanes_n] = range_n
        return symbols_n


def _interval(
    frequencies_An: Frequencies, sums_An: Frequencies, symbols_n: NDArray[np.int64]
) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """The sum of the frequencies of all smaller symbols, and the symbol's own: (n,) each.

    sums_An: the frequencies summed up.
    """
    every_n = np.arange(len(symbols_n))
    chosen_n = frequencies_An[symbols_n, every_n]
    left_n = sums_An[symbols_n, every_n] - chosen_n
    return left_n.astype(np.uint64), chosen_n.astype(np.uint64)
