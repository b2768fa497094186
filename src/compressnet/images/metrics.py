"""MSE, PSNR and SSIM of uint8 images, as the project reports them.

Colour that nobody sees does not count: where images have alpha (2 or 4 channels), the colour of
pixels whose original alpha is 0 is taken as equal. Means are still over all values.

Axes: N images, H rows, W columns, C channels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compressnet.images.alpha import clear_hidden

SSIM_WINDOW_PX = 11
SSIM_SIGMA_PX = 1.5
SSIM_C1 = (0.01 * 255) ** 2
SSIM_C2 = (0.03 * 255) ** 2
WORST_IMAGES = 10
_BATCH_IMAGES = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """Figures of a set of decoded images against their originals.

    None where one is infinite or undefined.
    """

    mse: float
    """Mean squared error, pixels in [0,1]."""
    psnr: float | None
    """10 log10(1 / mse), in dB; None for identical images."""
    psnr_mean: float | None
    """Mean of each image's PSNR, perfect images left out."""
    perfect_images: int
    ssim: float | None
    """Mean structural similarity; None for images under 11 pixels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """PSNR image by image, in dB; None for images that came back perfect."""

    minimum: float | None
    percentile_1: float | None
    """One image in a hundred is worse."""
    median: float | None
    worst: list[tuple[int, float | None]]
    """The worst images' numbers, the worst first, with their PSNR."""


def psnr_of_mse(mse: float) -> float:
    """PSNR in dB of a mean squared error with pixels in [0,1]; infinite for 0."""
    return -10 * math.log10(mse) if mse > 0 else math.inf


def _shown(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Images (N,H,W[,C]) with colour under alpha 0 black."""
    return clear_hidden(images) if images.ndim == 4 else images


def mse_per_image(images: NDArray[np.uint8], decoded: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Mean squared error of each image, pixels in [0,1], hidden colour being black in both: (N,).

    Images and originals are (N,H,W) or (N,H,W,C).
    """
    parts: list[NDArray[np.float64]] = []
    for i in range(0, len(images), _BATCH_IMAGES):
        batch, other = (_shown(both[i : i + _BATCH_IMAGES]) for both in (images, decoded))
        errors = batch.astype(np.int32) - other
        parts.append(np.square(errors).reshape(len(batch), -1).mean(axis=1))
    return np.concatenate(parts) / 255**2


def compare(images: NDArray[np.uint8], decoded: NDArray[np.uint8]) -> Quality:
    """All figures of decoded images against their originals, (N,H,W) or (N,H,W,C)."""
    mse_N = mse_per_image(images, decoded)
    mse = float(mse_N.mean())
    imperfect = mse_N[mse_N > 0]
    return Quality(
        mse=mse,
        psnr=psnr_of_mse(mse) if mse > 0 else None,
        psnr_mean=float((-10 * np.log10(imperfect)).mean()) if len(imperfect) else None,
        perfect_images=len(mse_N) - len(imperfect),
        ssim=ssim(images, decoded),
    )


def psnr_spread(mse_N: NDArray[np.float64]) -> Spread:
    """How PSNR differs from image to image, from the mean squared error of each."""
    order = np.argsort(-mse_N, kind="stable")
    ranked = [None if mse == 0 else psnr_of_mse(float(mse)) for mse in mse_N[order]]

    def at(share: float) -> float | None:
        return ranked[min(int(share * len(ranked)), len(ranked) - 1)]

    return Spread(
        minimum=ranked[0],
        percentile_1=at(0.01),
        median=at(0.5),
        worst=list(zip(order[:WORST_IMAGES].tolist(), ranked, strict=False)),
    )


def _window() -> NDArray[np.float64]:
    offsets = np.arange(SSIM_WINDOW_PX) - SSIM_WINDOW_PX // 2
    weights = np.exp(-(offsets**2) / (2 * SSIM_SIGMA_PX**2))
    return weights / weights.sum()


def _blur_matrix(side: int) -> NDArray[np.float64]:
    """(side - 10, side): the Gaussian window at every place where it fits."""
    rows = side - SSIM_WINDOW_PX + 1
    matrix = np.zeros((rows, side))
    for row in range(rows):
        matrix[row, row : row + SSIM_WINDOW_PX] = _window()
    return matrix


def ssim(images: NDArray[np.uint8], decoded: NDArray[np.uint8]) -> float | None:
    """Mean structural similarity over images, channels and the valid area.

    None for sides under 11 pixels.

    Wang et al., "Image quality assessment: from error visibility to structural similarity" (2004),
    as scikit-image's structural_similarity computes it with gaussian_weights=True,
    use_sample_covariance=False, sigma=1.5, data_range=255: Gaussian window of 11x11, K1 0.01, K2
    0.03. Hidden colour is 0 in both.
    """
    height, width = images.shape[1:3]
    if min(height, width) < SSIM_WINDOW_PX:
        return None
    rows, columns = _blur_matrix(height), _blur_matrix(width).T
    sums: list[float] = []

    def blur(x: NDArray[Any]) -> NDArray[np.float64]:
        return rows @ x @ columns

    for i in range(0, len(images), _BATCH_IMAGES):
        x, y = (_planes(_shown(batch[i : i + _BATCH_IMAGES])) for batch in (images, decoded))
        mean_x, mean_y = blur(x), blur(y)
        var_x, var_y = blur(x * x) - mean_x**2, blur(y * y) - mean_y**2
        covariance = blur(x * y) - mean_x * mean_y
        luminance = (2 * mean_x * mean_y + SSIM_C1) / (mean_x**2 + mean_y**2 + SSIM_C1)
        structure = (2 * covariance + SSIM_C2) / (var_x + var_y + SSIM_C2)
        sums.append(float((luminance * structure).mean(axis=(-2, -1)).sum()))
    channels = images.shape[3] if images.ndim == 4 else 1
    return sum(sums) / (len(images) * channels)


def _planes(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """(N,H,W) or (N,H,W,C) to float64 planes (N*C,H,W)."""
    if images.ndim == 4:
        images = images.transpose(0, 3, 1, 2).reshape(-1, *images.shape[1:3])
    return images.astype(np.float64)
