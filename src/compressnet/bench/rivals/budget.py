"""How long rivals may be measured: a number of seconds from now on, or no limit."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from compressnet.errors import CompressnetError

Clock = Callable[[], float]
"""Gives seconds that only ever rise."""


class OutOfTimeError(CompressnetError):
    """The time for a measurement is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """Time that began to run when this was made; `start_budget` makes one."""

    ends_at_s: float
    """By the clock; infinite where there is no limit."""
    clock: Clock

    @property
    def is_limited(self) -> bool:
        """Whether the time ends at all."""
        return math.isfinite(self.ends_at_s)

    def left_s(self) -> float:
        """Seconds that are left; 0 when the time is over, infinite without a limit."""
        return max(0.0, self.ends_at_s - self.clock())

    def share(self, parts: int) -> Budget:
        """What one of so many equal parts of the time that is left may take, from now on."""
        return Budget(ends_at_s=self.clock() + self.left_s() / parts, clock=self.clock)

    def check(self) -> None:
        """Raises OutOfTimeError when the time is over."""
        if self.left_s() == 0:
            raise OutOfTimeError("there was no time left for it")


def start_budget(seconds: float | None, clock: Clock = time.monotonic) -> Budget:
    """So many seconds from now on; None: no limit."""
    return Budget(ends_at_s=math.inf if seconds is None else clock() + seconds, clock=clock)
