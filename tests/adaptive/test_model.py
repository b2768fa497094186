"""Settings and pictures are checked where they are made."""

from __future__ import annotations

import numpy as np
import pytest

from compressnet.adaptive.model import AdaptiveSettings, Picture, PictureShape, bits_of
from compressnet.errors import CorruptError, InputError

GOOD = (10, 63, 65535, 0)
BAD = [
    ((9, 1, 1, 0), "table_bits 9 is not between 10 and 22"),
    ((23, 1, 1, 0), "table_bits 23"),
    ((10, 0, 1, 0), "flags 0 is not between 1 and 63"),
    ((10, 64, 1, 0), "flags 64"),
    ((10, 1, 0, 0), "bytes 0 is not between 1 and 65535"),
    ((10, 1, 65536, 0), "bytes 65536"),
    ((10, 1, 1, -1), "histograms -1"),
    ((10, 1, 1, 8192), "histograms 8192 is not between 0 and 8191"),
]


@pytest.mark.parametrize(("numbers", "message"), BAD)
def test_settings_that_cannot_be(numbers: tuple[int, int, int, int], message: str) -> None:
    table_bits, flags, bytes_, histograms = numbers
    with pytest.raises(InputError, match=f"settings of an adaptive model: {message}"):
        AdaptiveSettings(table_bits=table_bits, flags=flags, bytes=bytes_, histograms=histograms)
    with pytest.raises(CorruptError, match=f"a.cnet: MODL: {message}"):
        AdaptiveSettings.read(numbers, "a.cnet: MODL")


def test_settings_that_can_be() -> None:
    settings = AdaptiveSettings.read(GOOD, "a.cnet")
    assert (settings.table_bits, settings.flags, settings.bytes, settings.histograms) == GOOD
    assert bits_of(0b101001) == [0, 3, 5]
    assert bits_of(0) == []


@pytest.mark.parametrize("size", [(0, 1), (1, 0), (4097, 1), (1, 4097)])
def test_sides_that_cannot_be(size: tuple[int, int]) -> None:
    with pytest.raises(InputError, match=f"a picture of {size[0]}x{size[1]} pixels; sides are 1 to 4096"):
        PictureShape(height=size[0], width=size[1], channels=1, deep=False)


@pytest.mark.parametrize("channels", [0, 5])
def test_channels_that_cannot_be(channels: int) -> None:
    with pytest.raises(InputError, match=f"a picture with {channels} channels"):
        PictureShape(height=1, width=1, channels=channels, deep=False)


def test_values_are_those_of_the_shape() -> None:
    shape = PictureShape(height=2, width=3, channels=2, deep=True)
    assert (shape.pixels, shape.pixel_bytes) == (6, 4)
    Picture(np.zeros((2, 3, 4), np.uint8), shape)
    for wrong in (np.zeros((2, 3, 2), np.uint8), np.zeros((2, 3, 4), np.uint16)):
        with pytest.raises(InputError, match=r"not uint8 of shape \(2, 3, 4\)"):
            Picture(wrong, shape)
