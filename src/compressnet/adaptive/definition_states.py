"""How often a decision was 0 and 1: the states of a context, and what a model begins with.

A state is how often the decision came out as 0 and as 1, and which came last. Counts are small,
and a long run of one decision is soon forgotten when the other one is made. The states, and maps
from a state to a probability, are those of lpaq (M. Mahoney, 2007), with other limits.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

COUNT_LIMIT = 40
"""Of one decision, while the other one was not made."""
MAP_LIMIT = 255
"""How many decisions a map averages over, at most."""
MAP_COUNT_BITS = 10
"""A map's entry has a probability of 22 bits above so many bits of its count."""
_LIMITS = (COUNT_LIMIT, 20, 10, 7, 5)
"""Of the larger count, by the smaller one."""


def _is_state(zeros: int, ones: int) -> bool:
    less, more = sorted((zeros, ones))
    return less < len(_LIMITS) and more <= _LIMITS[less]


def _discounted(count: int) -> int:
    """What a count falls to when the other decision is made."""
    if count <= 2:
        return count
    if count <= 4:
        return count - 1
    return 4 if count <= 7 else 5 if count <= 13 else 6 if count <= 24 else 7


def list_states() -> list[tuple[int, int, int]]:
    """(zeros, ones, last decision) of each state, in the order of their numbers.

    Where one of the counts is 0, the last decision is known, and given as 0.
    """
    found: list[tuple[int, int, int]] = []
    for total in range(2 * COUNT_LIMIT + 1):
        for zeros in range(total + 1):
            ones = total - zeros
            if _is_state(zeros, ones):
                found += [(zeros, ones, last) for last in ((0, 1) if zeros and ones else (0,))]
    return found


def _after(same: int, other: int) -> tuple[int, int]:
    """The counts of a decision that was just made, and of the other one."""
    more, other = same + 1, _discounted(other)
    if not _is_state(more, other):
        more = same
    while not _is_state(more, other):
        other -= 1
    return more, other


def _transitions() -> tuple[bytes, bytes]:
    states = list_states()
    number = {state: i for i, state in enumerate(states)}
    after_zero, after_one = bytearray(), bytearray()
    for zeros, ones, _ in states:
        more, other = _after(zeros, ones)
        after_zero.append(number[more, other, 0])
        more, other = _after(ones, zeros)
        after_one.append(number[other, more, 1 if other else 0])
    return bytes(after_zero), bytes(after_one)


AFTER = _transitions()
"""The state after a 0, and after a 1, by the state before."""
MAP_START = [
    (((10 * ones + 4) << 22) // (10 * (zeros + ones) + 8)) << MAP_COUNT_BITS for zeros, ones, _ in list_states()
]
"""The entries that a map begins with, by the state."""
MAP_RATE = [131072 // (2 * count + 3) for count in range(MAP_LIMIT + 1)]
"""What share of 2^16 of its error an entry learns, by its count."""


def kernel(peak: int, first: int, ratio: int, floor: int) -> NDArray[np.int32]:
    """(256,): two-sided: `peak`, then `first`, and so on by `ratio` / 64; and `floor`."""
    shares = [peak] + [0] * 255
    for distance in range(1, 129):
        shares[distance] = shares[-distance] = first + floor
        first = first * ratio >> 6
    return np.array(shares, np.int32)


NARROW = kernel(10474, 4609, 35, 4)
"""What a histogram learns of a value."""
WIDE = kernel(2147, 1825, 54, 21)
"""What a histogram begins with."""
