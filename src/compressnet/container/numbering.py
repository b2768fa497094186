"""Which number a codec or a kind has where some of those before it may be lost.

They are numbered as they come, and blocks refer to them by their numbers. While nothing is
missing, counting tells. Else blocks tell: whoever writes an archive writes a codec or a kind right
before the first block that needs it. So its number is that of the block after it, and no block
before the next one refers to a higher number.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum


class Event(Enum):
    """What comes in a file, as far as numbers are concerned."""

    FOUND = 0
    """One that has a number."""
    LOST = 1
    """One that has a number, but is damaged."""
    GAP = 2
    """Bytes that may have held any of these, or none."""
    USED = 3
    """A block, which refers to a number."""
    HIDDEN = 4
    """Bytes that may have held blocks, but none that has a number."""


def numbers_of(events: Sequence[tuple[Event, int]]) -> list[int | None]:
    """The numbers of all that were found, in their order; None where a number is not known.

    events: with each block the number that it refers to, with others 0.
    """
    seems_whole = not _contradict(events)
    told = _told_by_blocks(events)
    is_counted, count = seems_whole, 0
    numbers: list[int | None] = []
    for i, (event, _) in enumerate(events):
        if event is Event.GAP:
            is_counted = False
        elif event is Event.LOST:
            count += 1
        elif event is Event.FOUND:
            following = next(iter(events[i + 1 : i + 2]), (Event.GAP, 0))
            by_next = following[1] if following[0] is Event.USED else None
            if is_counted:
                number = count
            elif seems_whole:
                number = told[i] if by_next in (None, told[i]) else None
            else:
                number = by_next
            if number is not None and number < count:
                number = None
            numbers.append(number)
            count = (count if number is None else number) + 1
    return numbers


def _contradict(events: Sequence[tuple[Event, int]]) -> bool:
    """Whether a block refers to one that is missing, although nothing seems to be."""
    count = 0
    for event, number in events:
        if event is Event.GAP:
            return False
        if event is Event.USED and number >= count:
            return True
        count += event in (Event.FOUND, Event.LOST)
    return False


def _told_by_blocks(events: Sequence[tuple[Event, int]]) -> list[int | None]:
    """The number that each would have by the highest one that the blocks after it refer to."""
    told: list[int | None] = []
    used: int | None = None
    following: int | None = None
    for event, number in reversed(events):
        if event is Event.USED:
            used = number if used is None else max(used, number)
            told.append(None)
        elif event is Event.GAP:
            used = following = None
            told.append(None)
        elif event is Event.HIDDEN:
            told.append(None)
        else:
            own = following - 1 if used is None and following is not None else used
            told.append(own)
            used, following = None, own
    return told[::-1]
