"""Metrics against scikit-image and against sums by hand."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.metrics import structural_similarity

from compressnet.images.alpha import clear_hidden
from compressnet.images.metrics import compare, mse_per_image, psnr_of_mse, psnr_spread, ssim


def noisy(images: np.ndarray) -> np.ndarray:
    noise = np.random.default_rng(0).normal(0, 20, images.shape)
    return np.clip(images + noise, 0, 255).astype(np.uint8)


def reference_ssim(x: np.ndarray, y: np.ndarray) -> float:
    return structural_similarity(x, y, gaussian_weights=True, use_sample_covariance=False, sigma=1.5, data_range=255)


def test_ssim_is_that_of_scikit_image(mnist: np.ndarray) -> None:
    images, decoded = mnist[:50], noisy(mnist[:50])
    expected = np.mean([reference_ssim(x, y) for x, y in zip(images, decoded, strict=True)])
    assert ssim(images, decoded) == pytest.approx(expected, abs=1e-9)


def test_ssim_of_colour_is_the_mean_over_channels() -> None:
    images = np.random.default_rng(1).integers(0, 256, (4, 13, 17, 3), dtype=np.uint8)
    decoded = noisy(images)
    planes = [reference_ssim(images[n, ..., c], decoded[n, ..., c]) for n in range(4) for c in range(3)]
    assert ssim(images, decoded) == pytest.approx(np.mean(planes), abs=1e-9)


def test_ssim_of_small_images_is_undefined() -> None:
    images = np.zeros((2, 10, 28), np.uint8)
    assert ssim(images, images) is None
    assert compare(images, images).ssim is None


def test_figures_by_hand() -> None:
    images = np.zeros((2, 11, 11), np.uint8)
    decoded = images.copy()
    decoded[1, 0, 0] = 255
    figures = compare(images, decoded)
    assert figures.mse == pytest.approx(1 / 242)
    assert figures.psnr == pytest.approx(10 * np.log10(242))
    assert figures.psnr_mean == pytest.approx(10 * np.log10(121))
    assert figures.perfect_images == 1
    assert mse_per_image(images, decoded).tolist() == [0, pytest.approx(1 / 121)]


def test_identical_images_have_no_psnr(mnist: np.ndarray) -> None:
    figures = compare(mnist[:20], mnist[:20])
    assert (figures.mse, figures.psnr, figures.psnr_mean, figures.perfect_images) == (0, None, None, 20)
    assert figures.ssim == pytest.approx(1)
    assert psnr_of_mse(0) == float("inf")


def test_psnr_is_of_the_mean_over_all_images_not_a_mean_of_psnrs(mnist: np.ndarray) -> None:
    images = mnist[:600]
    decoded = noisy(images)
    figures = compare(images, decoded)
    squares = np.square(images.astype(float) - decoded) / 255**2
    assert figures.psnr == pytest.approx(-10 * np.log10(squares.mean()))
    assert figures.psnr_mean == pytest.approx(np.mean(-10 * np.log10(squares.mean(axis=(1, 2)))))
    assert figures.psnr != pytest.approx(figures.psnr_mean, abs=1e-3)


def test_spread_ranks_images_by_their_error() -> None:
    images = np.zeros((200, 4, 4), np.uint8)
    decoded = images.copy()
    decoded[:150] = (np.arange(150) + 1)[:, None, None]
    spread = psnr_spread(mse_per_image(images, decoded))
    assert spread.minimum == pytest.approx(20 * np.log10(255 / 150))
    assert spread.percentile_1 == pytest.approx(20 * np.log10(255 / 148))
    assert spread.median == pytest.approx(20 * np.log10(255 / 50))
    assert [image for image, _ in spread.worst] == list(range(149, 139, -1))
    assert psnr_spread(mse_per_image(images, images)).minimum is None


@pytest.mark.parametrize("channels", [2, 4])
def test_colour_under_alpha_0_does_not_count(channels: int) -> None:
    generator = np.random.default_rng(2)
    images = generator.integers(1, 256, (3, 16, 16, channels), dtype=np.uint8)
    images[:, :, :12, -1] = 0
    decoded = images.copy()
    decoded[:, :, :12, :-1] = generator.integers(0, 256, (3, 16, 12, channels - 1))
    assert mse_per_image(images, decoded).tolist() == [0, 0, 0]
    assert compare(images, decoded).psnr is None
    assert ssim(images, decoded) == pytest.approx(1)
    assert psnr_spread(mse_per_image(images, decoded)).minimum is None


def test_visible_colour_and_alpha_count_over_all_values() -> None:
    images = np.zeros((2, 2, 2, 4), np.uint8)
    images[0, 0, 0] = (10, 20, 30, 255)
    decoded = images.copy()
    decoded[0, 0, 0, 1] += 255 - 20
    decoded[1, 1, 0] = (90, 90, 90, 0)
    decoded[1, 1, 1] = (90, 90, 90, 51)  # of a pixel that was transparent, all that is seen is an error
    seen = 0.2**2 + 3 * (90 / 255) ** 2
    assert mse_per_image(images, decoded) == pytest.approx([(235 / 255) ** 2 / 16, seen / 16])


def test_a_pixel_that_lost_its_alpha_is_wholly_wrong() -> None:
    images = np.full((1, 1, 1, 2), 255, np.uint8)
    decoded = np.zeros_like(images)
    assert mse_per_image(images, decoded).tolist() == [1]


def test_grey_images_of_width_4_have_no_alpha() -> None:
    images = np.zeros((1, 4, 4), np.uint8)
    assert mse_per_image(images, np.full_like(images, 255)).tolist() == [1]


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_hidden_colour_is_taken_out(channels: int) -> None:
    images = np.random.default_rng(3).integers(0, 2, (5, 4, 4, channels), dtype=np.uint8)
    before = images.copy()
    cleaned = clear_hidden(images)
    assert np.array_equal(images, before)
    if channels in (1, 3):
        assert np.array_equal(cleaned, images)
    else:
        hidden = images[..., -1] == 0
        assert not cleaned[hidden].any()
        assert np.array_equal(cleaned[~hidden], images[~hidden])
