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
