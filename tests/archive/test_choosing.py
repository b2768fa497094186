"""What `compress` picks where no codec is named."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

import compressnet
from compressnet import api
from compressnet.archive.writing.bounds import Bounds
from compressnet.archive.writing.choosing import few_of, pick
from compressnet.archive.writing.picked import Goal
from compressnet.archive.writing.settings import Settings
from drawings import drawn
from run_commands import run


def shaded(count: int, height: int, width: int, seed: int) -> np.ndarray:
    """Smooth colours with a little grain (N,H,W,3), as photographs have them."""
    generator = np.random.default_rng(seed)
    images: list[np.ndarray] = []
    for _ in range(count):
        noise = Image.fromarray(generator.integers(0, 256, (height, width, 3)).astype(np.uint8))
        soft = np.asarray(noise.filter(ImageFilter.GaussianBlur(4))).astype(float)
        soft = (soft - soft.mean()) * 5 + generator.uniform(60, 190, 3) + generator.normal(0, 2, soft.shape)
        images.append(np.clip(soft, 0, 255).astype(np.uint8))
    return np.stack(images)


def mean_psnr(archive: compressnet.Archive, images: list[np.ndarray]) -> float:
    errors = [np.square(found.astype(float) - image).mean() for found, image in zip(archive, images, strict=True)]
    return 10 * np.log10(255**2 / np.mean(errors))


def test_digits_get_their_own_codec(mnist: np.ndarray) -> None:
    picked = pick([mnist[:200]], None, Bounds())
    assert picked.codec is not None
    assert picked.codec.name == "mnist-1"
    assert picked.quality == picked.codec.default_quality
    without_loss = pick([mnist[:200]], 100, Bounds())
    assert without_loss.codec is not None
    assert without_loss.codec.name == "mnist-1"


def test_drawings_are_learned_and_shades_get_a_network() -> None:
    drawings = [drawn(60, 24, 3, 1), drawn(40, 16, 3, 2)]
    picked = pick(drawings, None, Bounds())
    assert picked.codec is None
    assert picked.points[0].codec == "adaptive"
    assert picked.points[0].psnr >= 36
    shades = [shaded(60, 48, 48, 1), shaded(40, 30, 41, 2)]
    picked = pick(shades, None, Bounds(), Goal(mse=10**-3))
    assert picked.codec is not None
    assert picked.codec.name == "photo-1"
    assert picked.points[0].bytes_per_image < picked.points[1].bytes_per_image


def test_both_are_used_where_a_collection_has_both() -> None:
    images = [drawn(60, 24, 3, 1), shaded(60, 48, 48, 1)]
    picked = pick(images, None, Bounds(), Goal(mse=10**-3))
    assert picked.by_image
    stream = io.BytesIO()
    assert picked.codec is not None
    settings = Settings(quality=picked.quality, network_mse=picked.network_mse)
    written = api.write(images, stream, picked.codec, settings)
    assert 40 <= written.learned <= 80
    assert written.learned_reasons == {"fewer bytes for the same error": written.learned}
    with compressnet.open(stream.getvalue()) as archive:
        every = [image for array in images for image in array]
        assert all(found.shape == image.shape for found, image in zip(archive, every, strict=True))
        assert 29.2 <= mean_psnr(archive, every) <= 31


@pytest.mark.parametrize("quality", [20, 60, 90])
def test_a_quality_bounds_the_error_of_drawings(quality: int) -> None:
    images = drawn(80, 20, 3, 5)
    stream = io.BytesIO()
    compressnet.compress(images, stream, quality=quality)
    with compressnet.open(stream.getvalue()) as archive:
        for found, image in zip(archive, images, strict=True):
            assert np.abs(found.astype(int) - image).max() <= (100 - quality) // 4


def test_a_number_of_bytes_goes_to_whoever_has_the_smaller_error() -> None:
    assert pick([shaded(80, 48, 48, 3)], None, Bounds(), Goal(bytes_per_image=60.0)).codec is not None
    assert pick([drawn(80, 24, 3, 3)], None, Bounds(), Goal(bytes_per_image=60.0)).codec is None


def test_what_was_picked_is_said(tmp_path: Path) -> None:
    folder, out = tmp_path / "drawings", tmp_path / "a.cnet"
    folder.mkdir()
    for i, image in enumerate(drawn(30, 24, 3, 4)):
        Image.fromarray(image).save(folder / f"{i:02}.png")
    said = run("compress", folder, "-o", out).stdout
    assert "picked on a sample of 30 images" in said
    told = json.loads(run("compress", folder, "-o", out, "-f", "--json").stdout)
    assert [point["codec"] for point in told["picked"]["compared"]] == ["adaptive", "any-1"]
    assert told["picked"]["images"] == 30
    assert told["picked"]["by_image"] is False
    named = json.loads(run("compress", folder, "-o", out, "-f", "--codec", "any", "--json").stdout)
    assert named["picked"] is None
    assert named["codec"] == "any-1"
    assert named["stored"] == named["learned"] == 0


def test_a_sample_is_spread_over_all_arrays() -> None:
    arrays = [np.full((500, 4, 4), i, np.uint8) for i in range(4)]
    arrays.append(np.zeros((3, 5, 5), np.uint16))
    (sample,) = few_of(arrays)
    assert sample.shape == (256, 4, 4, 1)
    assert np.unique(sample[:, 0, 0, 0], return_counts=True)[1].tolist() == [64] * 4
    assert few_of([arrays[-1]]) == []
    (large,) = few_of([np.arange(3 * 600 * 700, dtype=np.uint32).reshape(1, 600, 700, 3).astype(np.uint8)])
    assert large.shape == (1, 512, 512, 3)


def test_noise_is_not_taken_for_drawings() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (60, 20, 20, 3)).astype(np.uint8)
    picked = pick([noise], None, Bounds(), Goal(mse=10**-2))
    learned = next(point for point in picked.points if point.codec == "adaptive")
    assert learned.bytes_per_image > 200
