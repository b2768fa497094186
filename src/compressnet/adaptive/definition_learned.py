"""All that a model has learned: its table of contexts, maps, weights, histograms and pixels.

Axes: S sets of weights, I inputs, K histograms, V values.
"""

from __future__ import annotations

from copy import copy
from typing import Self

import numpy as np
from numpy.typing import NDArray

from compressnet.adaptive.definition_pixels import ROLES
from compressnet.adaptive.definition_states import MAP_START, WIDE
from compressnet.adaptive.model import BYTE_CONTEXTS, FLAG_CONTEXTS, HISTOGRAMS, AdaptiveSettings, bits_of

EQUALITIES, MATCHES, AGREEMENTS = 64, 8, 128
"""Sets of weights of a flag: by which neighbours are equal, the class of the match's length, and
what agrees with the foretold pixel."""
NODES = 256
"""Sets of weights of a byte: by the bits that are known of it, and a one before them."""
EXPECTED = 3
"""Sets of weights of a bit: by what the match says of it."""
BYTE_SETS = NODES + 8 * EXPECTED + EQUALITIES
"""Sets of weights of a role."""
CLASSES = 32
"""Histograms of a kind and role."""
PREDICTED = 8
"""Inputs of a linear prediction."""
BUCKET = 16
"""Bytes of a bucket: a check, and 15 states."""

_START = 6553
"""Each weight, of 2^16, at first."""
_MASK = (1 << 64) - 1


def joined(a: int, b: int) -> int:
    """A hash of 64 bits of two numbers."""
    mixed = (a * 0x2545F4914F6CDD1D & _MASK) ^ (b + 0x9E3779B97F4A7C15 & _MASK)
    mixed = mixed * 0xD6E8FEB86659FD93 & _MASK
    return mixed ^ mixed >> 31


def hashed(context: int, salt: int) -> int:
    """A hash of 64 bits of a context, for one of several uses."""
    mixed = context + 0x9E3779B97F4A7C15 * (salt + 1) & _MASK
    mixed = (mixed ^ mixed >> 29) * 0xBF58476D1CE4E5B9 & _MASK
    return mixed ^ mixed >> 32


class Learned:
    """What a model has learned; every list of it is changed in place."""

    def __init__(self, settings: AdaptiveSettings) -> None:
        flags, bytes_, histograms = map(bits_of, (settings.flags, settings.bytes, settings.histograms))
        self.flags, self.bytes, self.histograms = flags, bytes_, histograms
        self.mask = (1 << settings.table_bits) - 1
        self.table = bytearray(BUCKET << settings.table_bits)
        self.flag_maps = [MAP_START.copy() for _ in range(FLAG_CONTEXTS)]
        self.agreement_map = [1 << 31] * AGREEMENTS
        self.byte_maps = [MAP_START.copy() for _ in range(ROLES * 2 * BYTE_CONTEXTS)]
        """By the role, the half of the byte, and the context."""
        self.flag_weights_SI = np.full((EQUALITIES + MATCHES + AGREEMENTS, len(flags) + 2), _START, np.int32)
        self.byte_weights_SI = np.full((ROLES * BYTE_SETS, len(bytes_) + len(histograms) + 1), _START, np.int32)
        self.shares_KV: NDArray[np.int32] = np.tile(WIDE, (ROLES * HISTOGRAMS * CLASSES, 1))
        """Histograms of a value less what foretells it: by the role, the kind, and the class."""
        self.counts = [0] * len(self.shares_KV)
        """How many values each histogram has learned, up to a limit."""
        self.linear = [[0] * PREDICTED for _ in range(ROLES)]
        self.colours: dict[int, int] = {}
        """The byte last seen after known ones, by a hash of them, and the role above it."""
        self.between: dict[int, int] = {}
        """The pixel that was last seen between the same neighbours, by their hash."""
        self.positions: dict[int, int] = {}
        """Where neighbours were last seen, by their hash."""
        self.seen = [0]
        """All pixels so far; the one at 0 is none."""

    def copy(self) -> Self:
        """The same, to be changed on its own."""
        made = copy(self)
        for name, value in vars(self).items():
            if isinstance(value, (bytearray, dict, np.ndarray)):
                setattr(made, name, value.copy())
            elif isinstance(value, list):
                nested = bool(value) and isinstance(value[0], list)
                setattr(made, name, [part.copy() for part in value] if nested else value.copy())
        return made

    def find_bucket(self, mixed: int) -> int:
        """Where the first state of a context's bucket lies in the table, by the context's hash.

        There are two places for it; where it is in neither, the emptier bucket is cleared for it.
        """
        table, check = self.table, mixed & 255 or 1
        place = mixed >> 32 & self.mask
        bucket, other = place * BUCKET, (place ^ 1) * BUCKET
        if table[bucket] != check:
            if table[other] == check:
                return other + 1
            if table[bucket] and (not table[other] or table[other + 1] < table[bucket + 1]):
                bucket = other
            table[bucket : bucket + BUCKET] = bytes((check,)) + bytes(BUCKET - 1)
        return bucket + 1
