"""From a target to a quality: met within its tolerance on all the images, or said why not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import compressnet
from compressnet.codec.codec import Codec
from compressnet.errors import InputError
from compressnet.packing.targets import Reached, Target, find_quality


def measured(codec: Codec, images: np.ndarray, quality: int) -> tuple[float, float]:
    """Bytes an image, and mean squared error."""
    decoded = codec.autoencoder(images, quality)
    mse = float(np.square((decoded.astype(float) - images) / 255).mean())
    return len(codec.compress(images, quality)) / len(images), mse


@pytest.mark.slow
@pytest.mark.parametrize("psnr", [22.0, 25.0, 29.0])
def test_the_nearest_quality_to_a_psnr(shipped: Codec, mnist: np.ndarray, psnr: float) -> None:
    target = Target(measure="psnr", value=psnr)
    reached = find_quality(shipped, mnist, target)
    misses = [abs(-10 * np.log10(measured(shipped, mnist, reached.quality + step)[1]) - psnr) for step in (-1, 0, 1)]
    assert misses[1] == min(misses)
    assert (reached.misses(target) is None) == (misses[1] <= 0.1)


@pytest.mark.slow
@pytest.mark.parametrize("bytes_per_image", [9.0, 20.0])
def test_the_nearest_quality_to_bytes(shipped: Codec, mnist: np.ndarray, bytes_per_image: float) -> None:
    target = Target(measure="bytes", value=bytes_per_image)
    reached = find_quality(shipped, mnist, target)
    assert reached.misses(target) is None
    assert reached.bytes_per_image == pytest.approx(bytes_per_image, rel=0.02)


def test_mse_is_never_above_and_the_next_lower_quality_is(shipped: Codec, mnist: np.ndarray) -> None:
    reached = find_quality(shipped, mnist, Target(measure="mse", value=0.003))
    assert measured(shipped, mnist, reached.quality)[1] <= 0.003
    assert measured(shipped, mnist, reached.quality - 1)[1] > 0.003


def test_an_mse_that_every_quality_meets_takes_the_lowest(shipped: Codec, mnist: np.ndarray) -> None:
    assert find_quality(shipped, mnist[:50], Target(measure="mse", value=0.5)).quality == 0


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (Target(measure="psnr", value=60), "60 dB: on these images the codec mnist-1 gives .* dB"),
        (Target(measure="psnr", value=10), "10 dB: "),
        (Target(measure="bytes", value=1), "1 bytes an image: "),
        (Target(measure="bytes", value=900), "900 bytes an image: "),
        (Target(measure="mse", value=1e-6), "a mean squared error of 1e-06: "),
        (Target(measure="mse", value=0), "positive"),
        (Target(measure="psnr", value=float("nan")), "positive"),
    ],
)
def test_targets_out_of_reach(shipped: Codec, mnist: np.ndarray, target: Target, message: str) -> None:
    with pytest.raises(InputError, match=message):
        find_quality(shipped, mnist[:50], target)


def test_a_miss_is_told() -> None:
    reached = Reached(quality=40, bytes_per_image=16.5, mse=0.002)
    assert reached.misses(Target(measure="psnr", value=27.0)) is None
    missed = reached.misses(Target(measure="bytes", value=18))
    assert missed == ("18 bytes an image lies between two qualities; quality 40 gives 16.50 bytes an image at 26.99 dB")


@pytest.mark.slow
def test_effort_takes_less_for_the_same_psnr(shipped: Codec, mnist: np.ndarray) -> None:
    target = Target(measure="psnr", value=26)
    plain, searched = (find_quality(shipped, mnist[:60], target, effort=effort) for effort in (1, 4))
    assert searched.bytes_per_image < plain.bytes_per_image


@pytest.mark.slow
@pytest.mark.parametrize("embed_codec", [True, False])
def test_targets_hold_in_the_archive_that_is_written(
    shipped: Codec, mnist: np.ndarray, tmp_path: Path, embed_codec: bool
) -> None:
    """Also where images are coded without loss, or the part for that would cost too much."""
    images = mnist[:300]
    for target in (Target(measure="psnr", value=36.0), Target(measure="mse", value=0.0003)):
        reached = find_quality(shipped, images, target, embed_codec=embed_codec)
        path = tmp_path / "a.cnet"
        compressnet.compress(images, path, shipped, quality=reached.quality, embed_codec=embed_codec)
        with compressnet.open(path) as archive:
            mse = float(np.square((archive[:].astype(float) - images) / 255).mean())
        if target.measure == "mse":
            assert mse <= 0.0003
        else:
            assert -10 * np.log10(mse) == pytest.approx(reached.psnr, abs=1e-6)
            assert reached.misses(target) is None or reached.psnr == pytest.approx(36.0, abs=0.5)
