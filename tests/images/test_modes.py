"""Modes that say more than images need: what is left out comes back, and nothing else is."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compressnet.images.modes import AS_IS, TIGHT, Tight, forms_of, tightened, tightest


def noise(shape: tuple[int, ...], dtype: str = "uint8", seed: int = 0) -> np.ndarray:
    top = np.iinfo(dtype).max
    return np.random.default_rng(seed).integers(0, top + 1, shape).astype(dtype)


def as_rgb(grey: np.ndarray, alpha: int | None = None) -> np.ndarray:
    rgb = grey[..., None].repeat(3, axis=-1)
    if alpha is None:
        return rgb
    return np.concatenate([rgb, np.full_like(rgb[..., :1], alpha)], axis=-1)


@given(
    channels=st.sampled_from([0, 1, 2, 3, 4]),
    dtype=st.sampled_from(["uint8", "uint16"]),
    grey=st.lists(st.booleans(), min_size=1, max_size=6),
    opaque=st.booleans(),
    tight=st.builds(Tight, colour=st.booleans(), alpha=st.booleans()),
)
def test_pictures_come_back_from_what_is_coded(
    channels: int, dtype: str, grey: list[bool], opaque: bool, tight: Tight
) -> None:
    pictures = noise((len(grey), 3, 2, channels) if channels else (len(grey), 3, 2), dtype)
    if channels >= 3:
        pictures[grey, ..., 1:3] = pictures[grey, ..., :1]
    if channels in (2, 4) and opaque:
        pictures[::2, ..., -1] = np.iinfo(dtype).max
    back = np.zeros_like(pictures)
    for form, rows in forms_of(pictures, tight):
        coded = form.coded(pictures[rows])
        assert coded.dtype == np.uint8
        assert coded.shape == (len(rows), *form.kind)
        assert form.grey <= tight.colour
        assert form.opaque <= tight.alpha
        back[rows] = form.shown(coded)
    assert np.array_equal(back, pictures)
    if channels >= 3 and tight.colour:
        assert sum(len(rows) for form, rows in forms_of(pictures, tight) if form.grey) == sum(grey)


def test_what_a_collection_allows() -> None:
    grey, seen = noise((4, 5, 6)), noise((4, 5, 6, 4))
    opaque = seen.copy()
    opaque[..., 3] = 255
    assert tightest([]) == AS_IS
    assert tightest([grey, grey[..., None]]) == AS_IS
    assert tightest([grey, as_rgb(grey)]) == Tight(colour=True)
    assert tightest([as_rgb(grey, 255), grey]) == TIGHT
    assert tightest([as_rgb(grey, 254)]) == Tight(colour=True)
    assert tightest([opaque]) == Tight(alpha=True)
    assert tightest([opaque, seen]) == AS_IS
    assert tightest([as_rgb(grey.astype(np.uint16), 65535)]) == TIGHT
    assert tightest([as_rgb(grey.astype(np.uint16), 255)]) == Tight(colour=True)
    almost = as_rgb(grey)
    almost[-1, -1, -1, 2] ^= 1
    assert tightest([as_rgb(grey), almost]) == AS_IS


def test_reading_stops_where_nothing_is_possible() -> None:
    def batches() -> Iterator[np.ndarray]:
        yield noise((2, 5, 6, 4))
        pytest.fail("read on")

    assert tightest(batches()) == AS_IS


def test_what_is_trained_on() -> None:
    grey, deep = noise((4, 5, 6)), noise((2, 5, 6, 3), "uint16")
    first, second, third = tightened([as_rgb(grey), noise((1, 5, 6, 3)), deep], TIGHT)
    assert np.array_equal(first, grey[..., None])
    assert np.array_equal(second, noise((1, 5, 6, 3)))
    assert third.dtype == np.uint16
