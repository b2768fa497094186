"""Bounds: which images meet them, and how coarse a stored image may be."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compressnet.archive.writing.bounds import Bounds
from compressnet.coding.stored import in_steps
from compressnet.errors import InputError


def noise(seed: int, shape: tuple[int, ...] = (6, 5, 7, 3)) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)


def test_errors_are_of_each_image() -> None:
    images = np.full((3, 2, 2, 1), 100, np.uint8)
    decoded = images.copy()
    decoded[1, 0, 0, 0] = 90
    decoded[2] = 103
    errors = Bounds().errors(images, decoded)
    assert errors.largest_N.tolist() == [0, 10, 3]
    assert errors.mse_N == pytest.approx([0, 25 / 255**2, 9 / 255**2])
    assert Bounds(max_error=9).met(errors).tolist() == [True, False, True]
    assert Bounds(min_psnr=36).met(errors).tolist() == [True, False, True]
    assert Bounds().met(errors).all()


def test_colour_under_alpha_0_is_left_out_unless_it_is_kept() -> None:
    images = noise(1, (2, 4, 4, 4))
    images[..., 3] = 0
    decoded = images.copy()
    decoded[..., 0] ^= 1
    assert not Bounds(min_psnr=30).errors(images, decoded).mse_N.any()
    for bounds in (Bounds(min_psnr=30, exact_alpha=True), Bounds(max_error=3)):
        assert (bounds.errors(images, decoded).largest_N == 1).all()
    decoded[..., 3] = 9  # now the colour is seen, where there was none
    seen = decoded.reshape(2, -1).max(axis=1)
    assert np.array_equal(Bounds(min_psnr=30).errors(images, decoded).largest_N, seen)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 99), error=st.none() | st.integers(0, 255), psnr=st.none() | st.floats(0, 60))
def test_steps_meet_the_bounds(seed: int, error: int | None, psnr: float | None) -> None:
    images, bounds = noise(seed), Bounds(max_error=error, min_psnr=psnr)
    for image, step in zip(images, bounds.steps(images), strict=True):
        assert step % 2 == 1
        assert bounds.met(bounds.errors(image[None], in_steps(image[None], int(step)))).all()


def test_steps_are_as_coarse_as_may_be() -> None:
    assert Bounds(max_error=10).steps(noise(1)).tolist() == [21] * 6
    assert Bounds(max_error=255).steps(noise(1)).tolist() == [255] * 6
    assert Bounds().steps(noise(1)).tolist() == [1] * 6
    assert (Bounds(min_psnr=30).steps(noise(1)) > 9).all()
    assert (Bounds(min_psnr=30, max_error=3).steps(noise(1)) == 7).all()


@pytest.mark.parametrize("options", [{"max_error": -1}, {"max_error": 256}, {"min_psnr": -1.0}, {"min_psnr": np.inf}])
def test_impossible_bounds_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(InputError, match=r"are possible|give a number"):
        Bounds(**options)  # pyright: ignore
