"""The three tables of an adaptive model, made by their formulas.

No entry lies so near to a rounding tie that one machine's logarithm could round it another way
than another's; docs/FORMAT.md has their SHA-256.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

ENTRIES = 4096
"""Of each table."""
UNIT = 256
"""This many are one, in a stretched probability and in a logarithm."""
STRETCH_LIMIT = 2047
"""Stretched probabilities lie between minus this and this."""
SQUASH_LIMIT = 16
"""A probability of 2^16 is at least this, and so is that of the opposite."""


@dataclass(frozen=True, slots=True)
class Tables:
    """The tables, which are never written."""

    squash: NDArray[np.uint16]
    """(4096,): a probability of 2^16 by its stretched value + 2048."""
    stretch: NDArray[np.int16]
    """(4096,): 256 * ln(p / (1 - p)) by a probability p of 12 bits."""
    logarithm: NDArray[np.uint16]
    """(4096,): 256 * ln(i + 1)."""


def exact_squash(i: int) -> float:
    """What `squash` is rounded from, before it is limited."""
    return 65536 / (1 + math.exp(-(i - ENTRIES // 2) / UNIT))


def exact_stretch(i: int) -> float:
    """What `stretch` is rounded from, before it is limited."""
    return UNIT * math.log((i + 0.5) / (ENTRIES - 0.5 - i))


def exact_logarithm(i: int) -> float:
    """What `logarithm` is rounded from."""
    return UNIT * math.log(i + 1)


@cache
def tables() -> Tables:
    """The tables that every adaptive model uses."""
    squash = [_rounded(exact_squash(i)) for i in range(ENTRIES)]
    stretch = [_rounded(exact_stretch(i)) for i in range(ENTRIES)]
    logarithm = [_rounded(exact_logarithm(i)) for i in range(ENTRIES)]
    made = Tables(
        squash=np.clip(squash, SQUASH_LIMIT, 65536 - SQUASH_LIMIT).astype(np.uint16),
        stretch=np.clip(stretch, -STRETCH_LIMIT, STRETCH_LIMIT).astype(np.int16),
        logarithm=np.array(logarithm, np.uint16),
    )
    for table in (made.squash, made.stretch, made.logarithm):
        table.flags.writeable = False
    return made


def _rounded(value: float) -> int:
    return math.floor(value + 0.5)
