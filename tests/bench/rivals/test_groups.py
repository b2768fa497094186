"""Samples of a collection: each shape is there, their bytes are scaled, and their size fits the
time."""

from __future__ import annotations

import numpy as np
import pytest

from clocks import Clock
from compressnet.bench.rivals.budget import start_budget
from compressnet.bench.rivals.groups import count_images, count_pixels, make_groups, measure, sample_in_time, sampled
from compressnet.bench.rivals.streams import BZ2
from drawings import sprites

GROUPS = make_groups([sprites(600, side_px=8), sprites(3, side_px=40)], scale=2)
FEW = sampled(GROUPS, 8000)


def test_a_sample_has_every_shape_and_stands_for_all() -> None:
    assert len(FEW) == 2
    assert 0 < count_pixels(FEW) < 10_000 < count_pixels(GROUPS)
    for group, part in zip(GROUPS, FEW, strict=True):
        assert len(part.images_NHWC) * part.scale == pytest.approx(2 * len(group.images_NHWC))
        assert part.values == group.values


def test_all_images_are_their_own_sample() -> None:
    assert count_images(sampled(GROUPS, 1 << 20)) == 603


def test_bytes_are_those_of_the_collection_and_nothing_is_lost() -> None:
    taken = measure(GROUPS, BZ2.encode, BZ2.settings[0])
    assert taken.total_bytes == 2 * sum(BZ2.encode(group.images_NHWC, BZ2.settings[0]).total_bytes for group in GROUPS)
    assert taken.mse == 0


@pytest.mark.parametrize(("budget_s", "share"), [(0, None), (1, None), (4, 3), (5, 4), (1000, 0)])
def test_a_sample_is_as_large_as_time_allows(budget_s: float, share: int | None) -> None:
    """Measuring the few takes a second: what is left is enough for so many times as much, or for
    all (0)."""
    clock = Clock()
    few = sampled(GROUPS, 2048)
    chosen = sample_in_time(GROUPS, 1 << 20, few, clock.tick, 1, start_budget(budget_s, clock))
    if share is None:
        assert chosen is few
    elif share == 0:
        assert count_pixels(chosen) == count_pixels(GROUPS)
    else:
        assert count_pixels(chosen) == pytest.approx(share * count_pixels(few), rel=0.35)


def test_what_is_measured_several_times_gets_a_smaller_sample() -> None:
    sizes: list[int] = []
    for times in (1, 2):
        clock = Clock()
        few = sampled(GROUPS, 2048)
        chosen = sample_in_time(GROUPS, 1 << 20, few, clock.tick, times, start_budget(9, clock))
        sizes.append(count_pixels(chosen))
    assert sizes[1] < sizes[0]


def test_without_a_limit_nothing_is_tried() -> None:
    def never() -> None:
        raise AssertionError

    assert np.array_equal(
        sample_in_time(GROUPS, 8000, FEW[:1], never, 1, start_budget(None))[0].images_NHWC, FEW[0].images_NHWC
    )
