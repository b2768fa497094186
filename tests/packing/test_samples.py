"""Samples that are kept in passing: the same as those that a read of their own would give."""

from __future__ import annotations

import numpy as np
import pytest

from compressnet.images import Collection, evenly_spread
from compressnet.packing.samples import Tap, pick, positions_in_runs
from drawings import sprites

SMALL, LARGE = sprites(300, side_px=8), sprites(100, side_px=12, channels=3)
MIXED = Collection(name="mixed", count=400, batches=lambda: iter([SMALL[:200], LARGE, SMALL[200:]]))


@pytest.mark.parametrize(("count", "run"), [(1, 1), (30, 1), (64, 32), (400, 32), (5000, 32)])
def test_a_tap_keeps_what_sample_sets_gives(count: int, run: int) -> None:
    tap = Tap(positions_in_runs(400, count, run))
    passed = list(tap.through(MIXED.batches()))
    assert [batch.shape for batch in passed] == [batch.shape for batch in MIXED.batches()]
    expected = MIXED.sample_sets(count, run)
    assert len(tap.sets()) == len(expected)
    for kept, images in zip(tap.sets(), expected, strict=True):
        assert np.array_equal(kept, images)


def test_single_positions_are_those_evenly_spread() -> None:
    assert np.array_equal(positions_in_runs(400, 37), evenly_spread(400, 37))


def test_picked_images_come_with_their_positions() -> None:
    found = list(pick(MIXED.batches(), np.array([0, 199, 250, 399])))
    assert [positions.tolist() for positions, _ in found] == [[0, 199], [250], [399]]
    assert np.array_equal(found[0][1], SMALL[[0, 199]])
    assert np.array_equal(found[1][1], LARGE[[50]])


def test_a_tap_without_positions_keeps_nothing() -> None:
    tap = Tap(np.arange(0))
    assert len(list(tap.through(MIXED.batches()))) == 3
    assert tap.sets() == []
