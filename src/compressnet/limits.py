"""Limits that readers check before they take memory, and the check of arguments against them.

What is beyond a constant is refused for good. What is beyond `Limits`, whoever reads may allow.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass, fields

from compressnet.errors import BeyondLimitsError, InputError

IMAGES_LIMIT = 1 << 32
"""Images in an archive."""
LISTED_IMAGES_LIMIT = 1 << 26
"""Images in an archive that lists where each one is."""
BLOCK_IMAGES_LIMIT = 1 << 16
"""Images in a block."""
SIDE_LIMIT_PX = 1 << 12
"""Height or width of an image."""
CHANNELS_LIMIT = 4
BLOCK_VALUES_LIMIT = 1 << 28
"""Values (pixels times channels) in a block."""
MEDIAN_VALUES_LIMIT = 1 << 24
"""Of a stored block whose values are predicted by a median, which takes the longest."""
LOSSLESS_IMAGE_VALUES_LIMIT = 1 << 16
"""Of an image that is coded without loss: they take a step each, however few images go side by
side."""
LOSSLESS_VALUES_LIMIT = 1 << 22
"""Of a lossless block: whoever decodes all of it waits about 20 seconds for so many."""
PRIMER_PIXELS_LIMIT = 1 << 26
"""Of all images of a primer, which whoever opens the archive decodes first."""
CHUNK_BYTES_LIMIT = 1 << 30
CODEC_BYTES_LIMIT = 1 << 28
CODECS_LIMIT = 255
SYMBOLS_LIMIT = 1 << 14
"""Symbols of an image, by a network for one size."""
SIZELESS_SYMBOLS_LIMIT = 1 << 22
"""Symbols of an image, by a network without a size."""
REGISTER_VALUES_LIMIT = 1 << 25
"""Values of the largest register that an image takes in a network."""
TILE_LIMIT_PX = 16
"""A side of a tile of a network without a size."""
NODES_LIMIT = 1 << 12
LABEL_BYTES_LIMIT = 1 << 16
CLASSES_LIMIT = 1 << 16
CLASSES_BYTES_LIMIT = 1 << 24
"""Of the names of all classes."""
KINDS_LIMIT = 1 << 16
NAME_BYTES_LIMIT = 1 << 10
PACKED_ELEMENTS_LIMIT = 1 << 24
"""Numbers in a packed codec."""
PACKED_STRUCTURE_BYTES_LIMIT = 1 << 22
"""The JSON of a packed codec."""
PACKED_NETWORKS_LIMIT = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What something takes, at most, as far as headers tell."""

    memory: int = 0
    """Bytes at one time."""
    work: int = 0
    """Multiply-accumulates of networks, or what takes as long as so many."""

    def __add__(self, other: Cost) -> Cost:
        """Of both, one after the other."""
        return Cost(memory=max(self.memory, other.memory), work=self.work + other.work)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What opening an archive, and then reading one image of it, may take.

    It is computed before anything is allocated or run. Raises InputError for no whole numbers.
    """

    memory: int = 300 << 20
    """Bytes at one time, besides those of the file and of the program itself."""
    work: int = 4 * 10**10
    """Multiply-accumulates of networks, or what takes as long: the compiled core does about so
    many a second on one processor, NumPy a fifth of them."""

    def __post_init__(self) -> None:
        for each in fields(self):
            if whole(getattr(self, each.name), f"a limit on {each.name}") < 1:
                raise InputError(f"a limit on {each.name} of {getattr(self, each.name)}: it is at least 1")

    def allow(self, cost: Cost) -> bool:
        """Whether something costs no more than this."""
        return cost.memory <= self.memory and cost.work <= self.work

    def require(self, cost: Cost, what: str) -> None:
        """Raises BeyondLimitsError, which names `what`, where something costs more."""
        for name, needed, limit in (("memory", cost.memory, self.memory), ("work", cost.work, self.work)):
            if needed > limit:
                raise BeyondLimitsError(
                    f"{what} would take {_amount(needed, name)}, the limit is {_amount(limit, name)}; if you trust "
                    f"the file, raise it with --limits {name}={needed} (limits= in Python)"
                )


class Spending:
    """What several things cost together that are kept, as the codecs of an archive are."""

    def __init__(self, limits: Limits) -> None:
        self.limits, self._spent = limits, Cost()

    def add(self, cost: Cost, what: str) -> None:
        """Raises BeyondLimitsError, which names `what`, where all costs more than is allowed."""
        memory = self._spent.memory + cost.memory
        self._spent = Cost(memory=memory, work=self._spent.work + cost.work)
        self.limits.require(self._spent, what)


def paid(amount: int, file_bytes: int, each: int) -> int:
    """What an amount is beyond that which so many bytes of a file pay for, at `each` a byte.

    So a large file may hold much, but a small one not.
    """
    return max(0, amount - each * file_bytes)


def beyond_limits(what: str, name: str) -> BeyondLimitsError:
    """What is raised where something took more of `memory` or `work` than headers told."""
    return BeyondLimitsError(
        f"{what}; if you trust the file, raise the limit with --limits {name}=... (limits= in Python)"
    )


TOO_FRESH = "the payload would take more work than its length tells"


def _amount(number: int, name: str) -> str:
    return f"{max(1, number >> 20):,} MiB of memory" if name == "memory" else f"{number:.2g} steps of work"


def whole(value: object, what: str) -> int:
    """A value as an integer, as `operator.index` gives it. Raises InputError for any other."""
    try:
        return operator.index(value)  # pyright: ignore[reportArgumentType]
    except TypeError:
        raise InputError(f"{what} of {value!r}: give a whole number") from None


DEFAULT_LIMITS = Limits()
"""What readers allow where nobody says otherwise; writers make nothing that takes more."""
