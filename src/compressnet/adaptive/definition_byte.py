"""What is known of a byte before it is coded: its neighbours, contexts, and what foretells it.

A byte is the part of a pixel that has one role. It is seen among the bytes of this role around it,
and after those of the same pixel that were coded before.
"""

from __future__ import annotations

from compressnet.adaptive.definition_around import Around
from compressnet.adaptive.definition_learned import CLASSES, PREDICTED, Learned, hashed, joined
from compressnet.adaptive.definition_mix import WEIGHT_LIMIT, limited
from compressnet.adaptive.definition_pixels import SHIFTS, UNKNOWN_PIXEL
from compressnet.adaptive.model import HISTOGRAMS

COLOUR_BITS = 12
ERROR_LIMIT = 20000
"""Of a linear prediction, in 1/256."""


class Before:
    """What is known of a pixel from the bytes of it that were coded."""

    __slots__ = ("before", "before_that", "known", "residual", "residual_before")

    def __init__(self, has_alpha: bool) -> None:
        self.known = 0
        """A hash of the bytes."""
        self.before, self.before_that = 0 if has_alpha else 255, 0
        """The last byte, and the one before it."""
        self.residual = self.residual_before = 0
        """Those bytes less their medians."""

    def add(self, value: int, median: int) -> None:
        """Go on to the next byte."""
        self.known = joined(self.known, value + 1)
        self.residual_before, self.residual = self.residual, signed(value - median)
        self.before_that, self.before = self.before, value


def signed(difference: int) -> int:
    """A number modulo 256, between -128 and 127."""
    return (difference + 128 & 255) - 128


def seen_byte(pixel: int, role: int, high: int) -> int:
    """A pixel's byte; a low one as it looks from the high byte that is known by now."""
    value = pixel >> SHIFTS[role] & 255
    if role < 4:
        return value
    value += (pixel >> SHIFTS[role - 4] & 255) - high << 8
    if role >= 6:
        value = (value + 32768 & 65535) - 32768
    return 0 if value < 0 else 255 if value > 255 else value


class Place:
    """What is known of a byte before it is coded."""

    __slots__ = (
        *("role", "wraps", "west", "north", "northwest", "northeast", "far_west", "far_north"),
        *("gradient", "median", "activity", "changes", "differences", "linear", "colour", "foretold", "rows"),
    )

    def __init__(self, learned: Learned, around: Around, before: Before, role: int, high: int) -> None:
        self.role = role
        self.wraps = wraps = role in (2, 3)
        west, north = seen_byte(around.west, role, high), seen_byte(around.north, role, high)
        northwest, northeast = seen_byte(around.northwest, role, high), seen_byte(around.northeast, role, high)
        far_west, far_north = seen_byte(around.far_west, role, high), seen_byte(around.far_north, role, high)
        self.west, self.north, self.northwest, self.northeast = west, north, northwest, northeast
        self.far_west, self.far_north = far_west, far_north
        gradient = west + north - northwest
        if wraps:
            self.gradient = gradient & 255
            self.median = sorted((signed(west), signed(north), signed(gradient)))[1] & 255
        else:
            self.gradient = min(max(gradient, 0), 255)
            self.median = sorted((west, north, gradient))[1]
        self.changes = self._distance(west, northwest) + self._distance(north, northwest)
        self.activity = self.changes + self._distance(north, northeast)
        near = (west, north, northwest, northeast, far_west, far_north)
        differences = [signed(value - self.median) if wraps else value - self.median for value in near]
        self.differences = [*differences, before.residual, before.residual_before]
        self.linear = sum([w * d for w, d in zip(learned.linear[role], self.differences, strict=True)])
        """The linear prediction, from the median, in 2^-16."""
        self._foretell(learned, around, before, high)

    def _distance(self, a: int, b: int) -> int:
        return abs(signed(a - b) if self.wraps else a - b)

    def contexts(self, around: Around, before: Before) -> tuple[int, ...]:
        """All contexts of the byte, by their numbers."""
        known, residual = before.known, before.residual & 255
        west, north, northeast, gradient = self.west, self.north, self.northeast, self.gradient
        corner, row, column, place, _, _ = around.contexts
        steps = (2 * north - self.far_north & 511, 2 * west - self.far_west & 511)
        matched = around.matched
        if matched == UNKNOWN_PIXEL:
            follows = joined(west, 13)
        else:
            follows = joined((matched >> SHIFTS[self.role] & 255) << 8 | west, known + 13)
        return (
            joined(row, known),
            joined(column, known),
            joined(around.north, known + 1),
            joined(place, known),
            joined(self.median, residual),
            known + (1 << 40),
            joined(gradient >> 2 << 8 | self.changes >> 3, residual),
            joined(*steps),
            follows,
            joined(west << 8 | north, 1),
            joined(gradient << 8 | west, 2),
            joined(north << 8 | northeast, residual + 512),
            joined(corner, known),
            joined(west << 8 | north, joined(northeast << 8 | self.northwest, known)),
            joined(west + northeast - north & 255, residual + 3),
            joined(around.west, known + 2),
        )

    def _foretell(self, learned: Learned, around: Around, before: Before, high: int) -> None:
        """What foretells the byte, each modulo 256, and the histogram that says how well."""
        role, median, west, north = self.role, self.median, self.west, self.north
        residual, activity = before.residual, self.activity
        busy = 0 if activity == 0 else 1 if activity < 3 else min(activity.bit_length() - 1, 7) if activity > 7 else 2
        size = abs(residual)
        off = 0 if role == 0 else 1 if size == 0 else 2 if size < 4 else 3
        which_off = off if off < 2 else (3 if residual >= -8 else 2) if residual < 0 else 4 if residual > 8 else 5
        if self.wraps:
            turned = west + (signed(self.northeast - north) >> 1)
            third, half = self.northeast, west + (signed(north - west) >> 1)
        else:
            turn = self.northeast - north
            turned = west + (turn // 2 if turn >= 0 else -(-turn // 2))
            turned = turned if 0 <= turned <= 255 else median
            third, half = west + north + self.northeast + self.northwest + 2 >> 2, west + north + 1 >> 1
        linear = median + (self.linear + 32768 >> 16)
        if not self.wraps:
            linear = min(max(linear, 0), 255)
        has_match, has_mirrored = around.matched != UNKNOWN_PIXEL, around.mirrored != UNKNOWN_PIXEL
        self.colour = role << COLOUR_BITS | hashed(before.known, 77) >> 64 - COLOUR_BITS
        colour = learned.colours.get(self.colour)
        after = before.before >> 3
        after_two = before.before >> 6 << 3 | before.before_that >> 5
        usual = busy * 4 + off
        foretold = (
            (self.gradient, which_off * 4 + (busy >> 1)),
            (west, usual),
            (north, usual),
            (seen_byte(around.matched, role, high) if has_match else median, around.match_class * 4 + off),
            (turned, usual),
            (linear, usual),
            (0, after),
            (third, usual),
            (0, (0, after, after_two, after_two)[role & 3]),
            (seen_byte(around.mirrored, role, high) if has_mirrored else median, around.mirrored_class * 4 + off),
            (median, usual),
            (half, usual),
            (median if colour is None else colour, (colour is not None) * 4 + off),
        )
        self.foretold = [foretold[kind][0] & 255 for kind in learned.histograms]
        self.rows = [(role * HISTOGRAMS + kind) * CLASSES + foretold[kind][1] for kind in learned.histograms]

    def learn(self, learned: Learned, value: int) -> None:
        """Learn the byte: in the linear prediction, and as what follows the known bytes."""
        error = signed(value - self.median) if self.wraps else value - self.median
        error = limited(error * 256 - (self.linear >> 8), ERROR_LIMIT)
        norm = 9 + sum([difference * difference for difference in self.differences])
        weights = learned.linear[self.role]
        for i in range(PREDICTED):
            step = error * self.differences[i] * 5
            step = step // norm if step >= 0 else -(-step // norm)
            weights[i] = limited(weights[i] + step, WEIGHT_LIMIT)
        learned.colours[self.colour] = value
