"""The evaluation: its four ways, its JSON, and bytes that are those on disk."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

import compressnet
from backends import BACKENDS
from compressnet.bench.evaluate import evaluate
from compressnet.codec.codec import Codec
from compressnet.errors import InputError
from compressnet.images.alpha import clear_hidden
from compressnet.images.metrics import mse_per_image, ssim
from conftest import CONFORMANCE
from make_conformance import blobs

KEYS = [
    "images",
    "codec",
    "quality",
    "effort",
    "archive_bytes",
    "bytes_per_image",
    "ideal_bytes_per_image",
    "codec_bytes",
    "rows",
    "psnr_per_image",
    "worst",
    "lossless_images",
    "backend",
    "left_to_numpy",
]
ROW_KEYS = ["path", "mse", "psnr", "psnr_mean", "ssim", "pixels_sha256"]


@pytest.mark.parametrize("quality", [0, 60, 99])
def test_the_document(tiny: Codec, tiny_images: np.ndarray, tmp_path: Path, quality: int) -> None:
    told = evaluate(tiny_images, tiny, quality=quality).as_json()
    assert list(told) == KEYS
    assert [list(row) for row in told["rows"]] == [ROW_KEYS] * 4
    assert [row["path"] for row in told["rows"]] == ["autoencoder", "encoder+decoder", "onnx", "archive"]
    path = tmp_path / "a.cnet"
    compressnet.compress(tiny_images, path, tiny, quality=quality, embed_codec=False)
    assert told["archive_bytes"] == path.stat().st_size
    assert told["bytes_per_image"] == path.stat().st_size / 23
    decoded = tiny.autoencoder(tiny_images, quality=quality)
    digest = hashlib.sha256(decoded.tobytes()).hexdigest()
    assert {row["pixels_sha256"] for row in told["rows"]} == {digest}
    mse = np.square((decoded.astype(float) - tiny_images.reshape(decoded.shape)) / 255).mean()
    for row in told["rows"]:
        assert row["mse"] == pytest.approx(mse)
        assert row["psnr"] == pytest.approx(-10 * np.log10(mse))
        assert (row["ssim"] is None) == (min(decoded.shape[1:3]) < 11)


def test_above_effort_1_only_the_archive_may_differ(shipped: Codec, mnist: np.ndarray) -> None:
    quick, thorough = (evaluate(mnist[:40], shipped, effort=effort) for effort in (1, 3))
    assert quick.identical
    assert [row.pixels_sha256 for row in thorough.rows[:3]] == [quick.rows[0].pixels_sha256] * 3
    assert not thorough.identical


def test_backends_agree(tiny_path: Path, tiny_images: np.ndarray) -> None:
    told = [
        evaluate(tiny_images, compressnet.load(tiny_path, backend), backend=backend).as_json() for backend in BACKENDS
    ]
    assert [each.pop("backend") for each in told] == BACKENDS
    bits = [each.pop("ideal_bytes_per_image") for each in told]
    assert all(each == told[0] for each in told)
    assert bits == pytest.approx([bits[0]] * len(bits))


def mixed_images(channels: tuple[int, ...] = (1, 3)) -> list[np.ndarray]:
    """Arrays of several sizes and modes, some of them coming again; grey ones (n,H,W)."""
    sizes = [(20, 13), (9, 30), (20, 13), (16, 16), (3, 40)]
    arrays = [blobs(2 + i, (*size, channels[(i + i // 2) % len(channels)]), i) for i, size in enumerate(sizes)]
    arrays.insert(3, arrays[0][::-1])
    return [array[..., 0] if array.shape[3] == 1 else array for array in arrays]


def pooled(arrays: list[np.ndarray], decoded: list[np.ndarray]) -> float:
    """The mean squared error over all values."""
    errors = [np.square((a.astype(float) - b) / 255).ravel() for a, b in zip(arrays, decoded, strict=True)]
    return float(np.concatenate(errors).mean())


@pytest.mark.parametrize("name", ["any", "any8", "any16"])
def test_images_of_any_sizes_and_modes(name: str, tmp_path: Path) -> None:
    codec, arrays = compressnet.load(CONFORMANCE / f"{name}.codec"), mixed_images()
    result = evaluate(arrays, codec, quality=60)
    told = result.as_json()
    assert list(told) == [*KEYS, "kinds", "images_with_ssim", "without_network"]
    assert result.identical
    assert (told["images"], told["kinds"], told["without_network"]) == (22, 5, {})
    assert told["images_with_ssim"] == 2 + 4 + 5 + 2
    decoded = [codec.autoencoder(array, 60) for array in arrays]
    digest = hashlib.sha256(b"".join(array.tobytes() for array in decoded)).hexdigest()
    assert [row["pixels_sha256"] for row in told["rows"]] == [digest] * 4
    path = tmp_path / "a.cnet"
    compressnet.compress(arrays, path, codec, quality=60, embed_codec=False)
    assert told["archive_bytes"] == path.stat().st_size
    mse_N = np.concatenate([mse_per_image(*pair) for pair in zip(arrays, decoded, strict=True)])
    large = [pair for pair in zip(arrays, decoded, strict=True) if min(pair[0].shape[1:3]) >= 11]
    ssims = [(ssim(*pair), len(pair[0])) for pair in large]
    for row in told["rows"]:
        assert row["mse"] == pytest.approx(pooled(arrays, decoded))
        assert row["psnr"] == pytest.approx(-10 * np.log10(row["mse"]))
        assert row["psnr_mean"] == pytest.approx((-10 * np.log10(mse_N)).mean())
        assert row["ssim"] == pytest.approx(sum(mean * count for mean, count in ssims) / 13)
    worst = np.argsort(-mse_N, kind="stable")[:10].tolist()
    assert [each["image"] for each in told["worst"]] == worst
    assert result.remarks == [
        "images of 5 sizes and modes: MSE and PSNR are over all values, SSIM over images",
        "SSIM is without 9 images with a side under 11 pixels",
    ]


def test_what_is_hidden_does_not_make_ways_differ() -> None:
    images = blobs(30, (17, 12, 4), 3)
    images[:, :6, :, 3] = 0
    assert evaluate([images, images[:, :9]], compressnet.load(CONFORMANCE / "any.codec"), quality=30).identical


def test_images_without_a_network_are_in_the_archive_alone() -> None:
    codec = compressnet.load(CONFORMANCE / "any8.codec")
    known, unknown = mixed_images(), mixed_images((4,))[:3]
    arrays = [unknown[0], *known, *unknown[1:]]
    result = evaluate(arrays, codec, quality=40)
    assert result.identical
    assert result.without_network == {"20x13x4": 6, "9x30x4": 3}
    assert result.lossless_images == 0
    assert result.remarks[-2:] == [
        "6 images in the archive alone, coded without the codec: no network for 20x13x4",
        "3 images in the archive alone, coded without the codec: no network for 9x30x4",
    ]
    models, alone = result.rows[0], evaluate(known, codec, quality=40)
    assert models == alone.rows[0]
    decoded = [codec.autoencoder(array, 40) for array in known]
    originals = [clear_hidden(array) for array in unknown]
    assert result.rows[-1].quality.mse == pytest.approx(pooled([*known, *originals], [*decoded, *originals]))
    with pytest.raises(InputError, match="images of 20x13x4"):
        evaluate(unknown, codec)
    with pytest.raises(InputError, match="16 bits"):
        evaluate([*known, known[0].astype(np.uint16)], codec)


def test_without_loss_images_of_any_sizes_have_one_way() -> None:
    codec, images = compressnet.load(CONFORMANCE / "lossless.codec"), mixed_images()
    result = evaluate(images, codec, quality=100)
    assert result.identical
    assert [row.path for row in result.rows] == ["archive"]
    assert sum(result.without_network.values()) == 22
