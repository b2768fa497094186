"""Where one network ends and the next begins, and the default quality."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from compressnet.codec.file import from_bytes
from compressnet.images.metrics import ssim
from compressnet.training.join import default_quality, find_switch
from conftest import CONFORMANCE
from make_conformance import blobs


def test_switch_is_where_the_curves_cross_and_both_rise() -> None:
    def lower(quality: int) -> tuple[float, float]:
        return 5.0 + 0.25 * quality, 20.0 + 0.1 * quality

    def upper(offset_db: float) -> Callable[[int], tuple[float, float]]:
        return lambda quality: (5.5 + 0.25 * quality, offset_db + 0.225 * quality)

    # at 11.75 bytes 22.7 and 22.63 dB, at 12 bytes 22.8 and 22.85 dB
    assert find_switch(lower, upper(17.0), (0, 32), (20, 99)) == (27, 26)
    assert find_switch(lower, upper(30.0), (0, 32), (20, 99)) == (22 - 1, 20)
    last, start = find_switch(lower, upper(10.0), (0, 32), (20, 99))
    assert last == 32
    assert upper(10.0)(start)[1] > lower(last)[1] + 0.08 >= upper(10.0)(start - 1)[1]


@pytest.mark.parametrize("name", ["grey", "rgb"])
def test_images_too_small_for_ssim_get_a_quality_two_thirds_up(name: str) -> None:
    path = CONFORMANCE / f"{name}.codec"
    networks = from_bytes(path.read_bytes(), str(path)).networks
    images = blobs(20, networks[0].kind, 5)
    assert ssim(images, images) is None
    assert default_quality(networks, images) == 66
