"""A decision, mixed from what contexts say of it, coded, and learned from.

Inputs are stretched probabilities, ln(p / (1 - p)), which are weighted and added up, as in PAQ
(M. Mahoney, 2005). Three sets of weights do so on their own, and the average of them is coded.

Axes: S sets of weights, I inputs.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from compressnet.adaptive.definition_binary import BinaryCoder
from compressnet.adaptive.definition_states import AFTER, MAP_COUNT_BITS, MAP_LIMIT, MAP_RATE
from compressnet.adaptive.tables import STRETCH_LIMIT, tables

FLAG_RATE, BYTE_RATE = 6, 4
"""How fast weights learn."""
WEIGHT_LIMIT = (1 << 19) - 1
"""2^16 is one; so a product with an input stays below 2^31."""
ONE = 256
"""The last input of each decision, stretched."""
_SQUASH: list[int] = tables().squash.tolist()
_STRETCH: list[int] = tables().stretch.tolist()
_MIDDLE = len(_SQUASH) // 2
"""Where stretched 0 is in `_SQUASH`."""
_ENTRY_BITS = 20
"""What lies in a map's entry below the 12 highest bits of its probability."""


def said_of(entry: int) -> int:
    """The input that an entry of a map is."""
    return _STRETCH[entry >> _ENTRY_BITS]


def said_by(maps: list[list[int]], table: bytearray, places: list[int]) -> list[int]:
    """The inputs that maps make of the states at some places; of an empty one, nothing."""
    return [
        _STRETCH[entries[table[place]] >> _ENTRY_BITS] if table[place] else 0
        for entries, place in zip(maps, places, strict=True)
    ]


def learn_entry(entries: list[int], place: int, one: int) -> None:
    """Move an entry's probability towards the decision that was made."""
    entry = entries[place]
    share, count = entry >> MAP_COUNT_BITS, entry & (1 << MAP_COUNT_BITS) - 1
    share += ((4194303 if one else 0) - share) * MAP_RATE[count] >> 16
    entries[place] = share << MAP_COUNT_BITS | (count + 1 if count < MAP_LIMIT else count)


def learn_states(maps: list[list[int]], table: bytearray, places: list[int], one: int) -> None:
    """Learn a decision: the entries of the states at some places, and then the states.

    One after the other, as two contexts may have the same place.
    """
    after = AFTER[one]
    for entries, place in zip(maps, places, strict=True):
        state = table[place]
        learn_entry(entries, state, one)
        table[place] = after[state]


def limited(value: int, limit: int) -> int:
    """A value, brought between minus the limit and the limit."""
    return limit if value > limit else -limit if value < -limit else value


def code_mixed(
    coder: BinaryCoder, inputs_I: NDArray[np.int32], weights_SI: NDArray[np.int32], rows: list[int], one: int, rate: int
) -> int:
    """Code a decision by the average of three mixtures, each of which learns on its own.

    rows: the three sets of weights.
    """
    mixed_SI = weights_SI[rows]
    sums = (np.add.reduce(mixed_SI * inputs_I >> 8, axis=1) >> 8).tolist()
    sums = [limited(total, STRETCH_LIMIT) for total in sums]
    average = limited(sum(sums) * 21846 >> 16, STRETCH_LIMIT)
    one = coder.code(one, _SQUASH[average + _MIDDLE])
    errors = [((one << 16) - _SQUASH[total + _MIDDLE] >> 2) * rate for total in sums]
    mixed_SI += np.array(errors, np.int32)[:, None] * inputs_I + 8192 >> 14
    np.maximum(mixed_SI, -WEIGHT_LIMIT, out=mixed_SI)
    weights_SI[rows] = np.minimum(mixed_SI, WEIGHT_LIMIT, out=mixed_SI)
    return one
