"""An adaptive model in plain integers: the definition of its bytes, where no compiled core is.

Pixels are coded row by row. Each begins with one decision: whether it is the pixel that a match,
or the memory of what lay between the same neighbours, foretells. Else its bytes follow, each as
eight decisions. Every decision is mixed from what its contexts said before, and all of them learn
from it.
docs/FORMAT.md, "Adaptive payload", says the same in words.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Self

import numpy as np
from numpy.typing import NDArray

from compressnet.adaptive.definition_around import Around, Match
from compressnet.adaptive.definition_binary import BinaryCoder, BinaryReader, BinaryWriter
from compressnet.adaptive.definition_byte import Before, Place
from compressnet.adaptive.definition_learned import BYTE_SETS, EQUALITIES, EXPECTED, NODES, Learned, hashed
from compressnet.adaptive.definition_mix import BYTE_RATE, ONE, code_mixed, learn_states, said_by
from compressnet.adaptive.definition_pixels import SHIFTS, UNKNOWN_PIXEL, picture_of, pixels_of, roles_of
from compressnet.adaptive.definition_states import NARROW
from compressnet.adaptive.model import (
    BYTE_CONTEXTS,
    FRESH_PAID,
    SEEN_PIXELS_LIMIT,
    AdaptiveCoderModel,
    AdaptiveSettings,
    Picture,
    PictureShape,
    require_room,
)
from compressnet.adaptive.tables import STRETCH_LIMIT, tables
from compressnet.limits import TOO_FRESH, beyond_limits

HISTOGRAM_LIMIT = 20
"""How many values a histogram averages over, at most."""
_VALUES = np.arange(256)
_TURNED: NDArray[np.intp] = _VALUES - _VALUES[:, None] & 255
"""Each value, less each that may foretell it."""
_KERNELS: NDArray[np.int32] = NARROW[_TURNED]
"""What a histogram learns of each value."""


def _logarithms() -> NDArray[np.int32]:
    """(2^16,): 256 * ln(sum + 1), about."""
    table = tables().logarithm.astype(np.int32)
    sums = np.arange(1 << 16)
    return np.where(sums < len(table), table[sums % len(table)], table[np.minimum(sums >> 3, len(table) - 1)] + 532)


_LOGARITHMS = _logarithms()


class AdaptiveModel(AdaptiveCoderModel):
    """A model without a compiled core."""

    def __init__(self, settings: AdaptiveSettings, pixels: int = SEEN_PIXELS_LIMIT) -> None:
        self._learned, self._pixels = Learned(settings), pixels
        self._allowed: float = math.inf

    def allow(self, fresh_bytes: int) -> None:
        """Set what a payload may take."""
        self._allowed = fresh_bytes

    def _paid(self, coder: BinaryWriter) -> bytes:
        """A payload, filled up until it pays for what it holds."""
        payload = coder.end()
        needed = max(0.0, (coder.fresh - self._allowed) / FRESH_PAID)
        return payload.ljust(math.ceil(needed), b"\0")

    def _most(self, payload: bytes) -> float:
        """How many bytes that are not foretold a payload may have."""
        return self._allowed + FRESH_PAID * len(payload)

    def learn_write(self, pictures: Sequence[Picture]) -> tuple[bytes, list[int]]:
        """One payload of some pictures, and how many bytes were written after each."""
        self._require_room(*(picture.shape for picture in pictures))
        coder, ends = BinaryWriter(), list[int]()
        for picture in pictures:
            _code_picture(self._learned, coder, picture.shape, pixels_of(picture))
            ends.append(len(coder.payload))
        payload = self._paid(coder)
        return payload, [*ends[:-1], len(payload)] if ends else []

    def learn_read(self, payload: bytes, shapes: Sequence[PictureShape]) -> list[Picture]:
        """The pictures of `learn_write`."""
        self._require_room(*shapes)
        coder, most = BinaryReader(payload), self._most(payload)
        return [picture_of(_code_picture(self._learned, coder, shape, None, most), shape) for shape in shapes]

    def write(self, picture: Picture) -> bytes:
        """The payload of a picture alone."""
        self._require_room(picture.shape)
        coder = BinaryWriter()
        _code_picture(self._learned.copy(), coder, picture.shape, pixels_of(picture))
        return self._paid(coder)

    def read(self, payload: bytes, shape: PictureShape) -> Picture:
        """The picture of `write`."""
        self._require_room(shape)
        pixels = _code_picture(self._learned.copy(), BinaryReader(payload), shape, None, self._most(payload))
        return picture_of(pixels, shape)

    def copy(self, pixels: int) -> Self:
        """A model for another thread."""
        made = type(self).__new__(type(self))
        made._learned, made._pixels, made._allowed = self._learned.copy(), pixels, self._allowed
        made._require_room()
        return made

    def _require_room(self, *shapes: PictureShape) -> None:
        require_room(len(self._learned.seen) - 1, sum(shape.pixels for shape in shapes), self._pixels)


def _code_picture(
    learned: Learned, coder: BinaryCoder, shape: PictureShape, pixels: list[int] | None, most: float = math.inf
) -> list[int]:
    """Code the pixels of a picture, which are None while reading. Returns them.

    most: bytes that may not be foretold, in all. Raises BeyondLimitsError.
    """
    roles, match, found = roles_of(shape), Match(), list[int]()
    for y in range(shape.height):
        for x in range(shape.width):
            around = Around(learned, match, shape, y, x)
            pixel = 0 if pixels is None else pixels[len(found)]
            if around.code_flag(learned, coder, int(pixel == around.foretold)):
                pixel = around.foretold
            else:
                pixel = _code_bytes(learned, coder, around, roles, pixel)
                coder.fresh += len(roles)
            around.learn_pixel(learned, match, pixel)
            found.append(pixel)
        if coder.fresh > most:
            raise beyond_limits(TOO_FRESH, "work")
    return found


def _code_bytes(learned: Learned, coder: BinaryCoder, around: Around, roles: list[int], pixel: int) -> int:
    """Code the bytes of a pixel that is not the one that was foretold. Returns the pixel."""
    has_alpha, is_deep = 0 in roles, len(roles) > 1 and roles[1] >= 4
    coded = 0 if has_alpha else 0xFF000000FF if is_deep else 0xFF
    before, matches = Before(has_alpha), around.matched != UNKNOWN_PIXEL
    for role in roles:
        high = coded >> SHIFTS[role - 4] & 255 if role >= 4 else 0
        expected = around.matched >> SHIFTS[role] & 255
        place = Place(learned, around, before, role, high)
        contexts = place.contexts(around, before)
        given = pixel >> SHIFTS[role] & 255
        value = _code_byte(learned, coder, around, place, contexts, expected if matches else None, given)
        place.learn(learned, value)
        matches = matches and expected == value
        coded |= value << SHIFTS[role]
        before.add(value, place.median)
    return coded


def _code_byte(
    learned: Learned,
    coder: BinaryCoder,
    around: Around,
    place: Place,
    contexts: tuple[int, ...],
    expected: int | None,
    value: int,
) -> int:
    """Code a byte, its highest bit first. Returns it.

    expected: what the match says, while all bytes of the pixel before were as it said.
    """
    role, rows, table = place.role, place.rows, learned.table
    histograms_KV = learned.shares_KV[rows]
    columns_KV = _TURNED[place.foretold]
    below_KV = np.zeros((len(rows), 257), np.int32)
    np.cumsum(np.take_along_axis(histograms_KV, columns_KV, axis=1), axis=1, out=below_KV[:, 1:])
    total_K = below_KV[:, 256]
    inputs_I = np.full(len(learned.bytes) + len(rows) + 1, ONE, np.int32)
    said_I, ratios_I = inputs_I[: len(learned.bytes)], inputs_I[len(learned.bytes) : -1]
    maps: list[list[int]] = []
    buckets: list[int] = []
    first_set, node = role * BYTE_SETS, 1  # node: a one, and the bits that are known
    for bit in range(7, -1, -1):
        if bit in (7, 3):
            first = (2 * role + (bit == 3)) * BYTE_CONTEXTS
            maps = [learned.byte_maps[first + context] for context in learned.bytes]
            salt = 128 + (role << 5) + (node << 8)
            buckets = [learned.find_bucket(hashed(contexts[context], salt + context)) for context in learned.bytes]
        slot = (node if bit > 3 else 1 << 3 - bit | node & (1 << 3 - bit) - 1) - 1
        places = [bucket + slot for bucket in buckets]
        said_I[:] = said_by(maps, table, places)
        start = node << bit + 1 & 255
        zero_K = below_KV[:, start + (1 << bit)] - below_KV[:, start]
        one_K = total_K - zero_K
        np.subtract(_LOGARITHMS[one_K], _LOGARITHMS[zero_K], out=ratios_I)
        np.maximum(ratios_I, -STRETCH_LIMIT, out=ratios_I)
        np.minimum(ratios_I, STRETCH_LIMIT, out=ratios_I)
        follows = 0 if expected is None or (expected | 256) >> bit + 1 != node else 1 + (expected >> bit & 1)
        sets = [first_set + node, first_set + NODES + bit * EXPECTED + follows, first_set + BYTE_SETS - EQUALITIES]
        sets[2] += around.equal
        one = code_mixed(coder, inputs_I, learned.byte_weights_SI, sets, value >> bit & 1, BYTE_RATE)
        learn_states(maps, table, places, one)
        total_K = one_K if one else zero_K
        node = node << 1 | one
    value = node & 255
    _learn_histograms(learned, rows, histograms_KV, [value - foretold & 255 for foretold in place.foretold])
    return value


def _learn_histograms(learned: Learned, rows: list[int], shares_KV: NDArray[np.int32], differences: list[int]) -> None:
    """Move histograms towards what came up."""
    counts = learned.counts
    rates_K = np.array([32768 // (counts[row] + 2) for row in rows], np.int32)
    gaps_KV = _KERNELS[differences] - shares_KV
    learned.shares_KV[rows] = shares_KV + ((gaps_KV * rates_K[:, None] >> 14) + 1 >> 1)
    for row in rows:
        counts[row] = min(counts[row] + 1, HISTOGRAM_LIMIT)
