"""What surrounds a pixel, what is foretold of it, and the decision whether it is that."""

from __future__ import annotations

import numpy as np

from compressnet.adaptive.definition_binary import BinaryCoder
from compressnet.adaptive.definition_learned import EQUALITIES, MATCHES, Learned, hashed, joined
from compressnet.adaptive.definition_mix import FLAG_RATE, ONE, code_mixed, learn_entry, learn_states, said_by, said_of
from compressnet.adaptive.definition_pixels import UNKNOWN_PIXEL
from compressnet.adaptive.model import PictureShape

MATCH_LIMIT = 60
"""Of a match's length."""
VERIFIED = 32
"""Pixels of a new match that are compared."""
LONG = 16
"""From this length on, a match is believed before the neighbours are."""
MEMORY_BITS = 16


class Match:
    """Where the pixels before this one were seen before; `length` 0: nowhere."""

    __slots__ = ("length", "position")

    def __init__(self) -> None:
        self.position = self.length = 0

    def begin(self, at: int, seen: list[int]) -> None:
        """Take a place where the neighbours were the same, if the pixel before it is, too."""
        now, length = len(seen), 0
        while length < VERIFIED and length < at and seen[at - 1 - length] == seen[now - 1 - length]:
            length += 1
        self.position, self.length = at if length else 0, length

    def go_on(self, goes_on: bool) -> None:
        """Follow a pixel that is as it was there; or end."""
        self.position = self.position + 1 if goes_on else 0
        self.length = min(self.length + 1, MATCH_LIMIT) if goes_on else 0


class Around:
    """The neighbours of a pixel, and what they foretell."""

    __slots__ = (
        *("west", "north", "northwest", "northeast", "far_west", "far_north", "mirrored", "mirrored_class"),
        *("matched", "match_class", "is_long", "memory", "memory_place", "foretold", "equal", "contexts"),
    )

    def __init__(self, learned: Learned, match: Match, shape: PictureShape, y: int, x: int) -> None:
        self._look_around(learned.seen, shape.width, y, x)
        self._look_back(learned, match)
        west, north = self.west, self.north
        row, column = joined(west, self.far_west), joined(north, self.far_north)
        corner = joined(joined(west, north), joined(self.northwest, self.northeast))
        place = joined(x << 12 | y, shape.width << 12 | shape.height)
        matched = joined(self.matched, self.match_class)
        all_six = joined(joined(corner, self.far_west), self.far_north)
        self.contexts = (corner, row + 1, column + 2, place, matched + 3, all_six)

    def _look_around(self, seen: list[int], width: int, y: int, x: int) -> None:
        """What is there already; outside of the picture is what is nearest."""
        now = len(seen)
        self.west = west = seen[now - 1] if x > 0 else seen[now - width] if y > 0 else 0
        self.north = north = seen[now - width] if y > 0 else west
        self.northwest = northwest = seen[now - width - 1] if x > 0 and y > 0 else north
        self.northeast = seen[now - width + 1] if y > 0 and x + 1 < width else north
        self.far_west = seen[now - 2] if x > 1 else west
        self.far_north = seen[now - 2 * width] if y > 1 else north
        self.equal = (
            (west == north)
            | (north == self.northeast) << 1
            | (west == northwest) << 2
            | (north == northwest) << 3
            | (west == self.far_west) << 4
            | (north == self.far_north) << 5
        )
        mirror = width - 1 - x
        self.mirrored = seen[now + mirror - x] if mirror < x else UNKNOWN_PIXEL
        beside = seen[now + mirror + 1 - x] if mirror + 1 < x else UNKNOWN_PIXEL
        self.mirrored_class = 0 if self.mirrored == UNKNOWN_PIXEL else 2 if beside == west else 1

    def _look_back(self, learned: Learned, match: Match) -> None:
        """What followed where it looked like here before."""
        west, north, seen = self.west, self.north, learned.seen
        near = joined(joined(west, north), joined(self.northeast, self.far_west))
        place = hashed(near, 1) >> 64 - MEMORY_BITS
        if match.length == 0 and place in learned.positions:
            match.begin(learned.positions[place], seen)
        learned.positions[place] = len(seen)
        length = match.length
        self.matched = matched = seen[match.position] if length else UNKNOWN_PIXEL
        self.match_class = min(length.bit_length(), 6)
        corner = joined(joined(west, north), joined(self.northeast, self.northwest))
        self.memory_place = hashed(corner, 2) >> 64 - MEMORY_BITS
        self.memory = memory = learned.between.get(self.memory_place, UNKNOWN_PIXEL)
        self.is_long = length >= LONG
        first, second = (matched, memory) if self.is_long else (memory, matched)
        self.foretold = first if first != UNKNOWN_PIXEL else second if second != UNKNOWN_PIXEL else west

    def code_flag(self, learned: Learned, coder: BinaryCoder, is_foretold: int) -> int:
        """Code whether the pixel is the one that is foretold."""
        foretold, table = self.foretold, learned.table
        agrees = (
            (foretold == self.matched)
            | (foretold == self.memory) << 1
            | (foretold == self.west) << 2
            | (foretold == self.north) << 3
            | (foretold == self.northeast) << 4
            | (foretold == self.northwest) << 5
            | self.is_long << 6
        )
        slot = (hashed(foretold, 3) >> 48) * 15 >> 16
        maps = [learned.flag_maps[context] for context in learned.flags]
        places: list[int] = []
        inputs: list[int] = []
        for context, entries in zip(learned.flags, maps, strict=True):
            places.append(learned.find_bucket(hashed(self.contexts[context], 64 + context)) + slot)
            inputs += said_by([entries], table, places[-1:])  # the next context may clear the bucket
        inputs += said_of(learned.agreement_map[agrees]), ONE
        sets = [self.equal, EQUALITIES + self.match_class, EQUALITIES + MATCHES + agrees]
        inputs_I = np.array(inputs, np.int32)
        is_foretold = code_mixed(coder, inputs_I, learned.flag_weights_SI, sets, is_foretold, FLAG_RATE)
        learn_states(maps, table, places, is_foretold)
        learn_entry(learned.agreement_map, agrees, is_foretold)
        return is_foretold

    def learn_pixel(self, learned: Learned, match: Match, pixel: int) -> None:
        """Remember what the pixel was."""
        learned.between[self.memory_place] = pixel
        learned.seen.append(pixel)
        if match.length:
            match.go_on(self.matched == pixel)
