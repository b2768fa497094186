"""What a damaged archive has lost: blocks, and the images that they held."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compressnet.images.kinds import count_text

SHOWN = 8
"""Names, or ranges of numbers, that a line shows; JSON has all."""
Ranges = list[tuple[int, int]]
"""The first and the last number of each run of images."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """A block, or bytes that may have held blocks."""

    why: str
    offset: int
    """Where it is in the file, or would be."""
    end: int
    """The byte after it."""
    block: int | None = None
    """Its number; None where that is not known."""
    images: int | None = None
    """Images of the collection that it held, equal ones included; None where nobody knows."""
    ranges: Ranges
    """Their numbers in the collection; none where nobody knows."""
    names: list[str]
    """Their names; none where they have none, or where nobody knows."""
    file: str | None = None
    """Which file of a set it is in; None for an archive."""

    def as_json(self) -> dict[str, Any]:
        """What `--json` prints of it."""
        return asdict(self)

    def line(self) -> str:
        """All of it in a line."""
        block = "" if self.block is None else f"block {self.block}, "
        file = "" if self.file is None else f"{self.file}: "
        return f"{file}{block}bytes {self.offset} to {self.end - 1}: {self.why}; {self._held()}"

    def _held(self) -> str:
        if self.images is None:
            return "nobody knows which images were there"
        if not self.ranges:
            return f"held {count_text(self.images)}"
        numbers = [str(first) if first == last else f"{first} to {last}" for first, last in self.ranges]
        shown = self.names or numbers
        rest = len(shown) - SHOWN
        more = f" and {rest} others" if rest > 1 else f", {shown[-1]}" if rest == 1 else ""
        return f"held {count_text(self.images)}: {', '.join(shown[:SHOWN])}{more}"


class Holders:
    """Finds the images of the collection that a block holds."""

    def __init__(self, positions_N: NDArray[np.uint32] | None) -> None:
        """positions_N: of each image its place among those in the blocks; None where the same."""
        self._order = None if positions_N is None else np.argsort(positions_N, kind="stable")
        self._places = None if positions_N is None or self._order is None else positions_N[self._order]

    def ranges(self, first: int, images: int) -> Ranges:
        """The numbers of the images at so many places from the first on."""
        if self._order is None or self._places is None:
            return [(first, first + images - 1)] if images else []
        start, stop = np.searchsorted(self._places, [first, first + images])
        return ranges_of(np.sort(self._order[start:stop]))


def ranges_of(numbers: NDArray[np.int64]) -> Ranges:
    """Rising numbers as ranges."""
    if not len(numbers):
        return []
    breaks = np.flatnonzero(np.diff(numbers) != 1)
    firsts = numbers[np.concatenate([np.zeros(1, np.int64), breaks + 1])]
    lasts = numbers[np.concatenate([breaks, np.array([len(numbers) - 1])])]
    return list(zip(firsts.tolist(), lasts.tolist(), strict=True))


def count_of(ranges: Ranges) -> int:
    """How many numbers ranges have."""
    return sum(last + 1 - first for first, last in ranges)


def named(names: Sequence[str] | None, ranges: Ranges) -> list[str]:
    """The names of images, where they have some."""
    return [] if names is None else [name for first, last in ranges for name in names[first : last + 1]]
