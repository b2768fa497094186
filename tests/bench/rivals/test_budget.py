"""Time for measurements: it runs by the clock, is shared out, and ends."""

from __future__ import annotations

import math

import pytest

from clocks import Clock
from compressnet.bench.rivals.budget import OutOfTimeError, start_budget


def test_without_a_limit_there_is_always_time() -> None:
    clock = Clock()
    budget = start_budget(None, clock)
    clock.now += 1e9
    budget.check()
    budget.share(3).check()
    assert not budget.is_limited
    assert budget.left_s() == math.inf


def test_time_runs_out() -> None:
    clock = Clock()
    budget = start_budget(10, clock)
    clock.now += 9
    assert budget.left_s() == 1
    budget.check()
    clock.now += 2
    assert budget.left_s() == 0
    with pytest.raises(OutOfTimeError, match="there was no time left for it"):
        budget.check()


def test_a_share_is_of_what_is_left() -> None:
    clock = Clock()
    budget = start_budget(10, clock)
    clock.now += 4
    share = budget.share(3)
    assert share.left_s() == 2
    clock.now += 2
    assert (share.left_s(), budget.left_s()) == (0, 4)
