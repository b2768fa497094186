"""The first of a range of whole numbers that meets a condition."""

from __future__ import annotations

from collections.abc import Callable


def first_that(low: int, high: int, holds: Callable[[int], bool]) -> int:
    """The first of low..high for which a condition holds; `high` if it never does.

    Once the condition holds for a number, it has to hold for all above.
    """
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle + 1, high)
    return low
