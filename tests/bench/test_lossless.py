"""Lossless figures: compressnet's own point is what stands on disk, pixels are compared, and the
table says all."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from compressnet import api
from compressnet.bench.archives import measure_lossless
from compressnet.bench.lossless import HEADER, best_rows, lossless_rows
from compressnet.bench.measure import run_bench, run_lossless
from compressnet.bench.points import Failure
from compressnet.bench.report import write_bench
from compressnet.codec.bundle import make_bundle
from compressnet.codec.codec import Codec
from compressnet.errors import InputError
from compressnet.networks.numpy import NumpyBackend
from drawings import sprites
from pixel_models import make_pixel_model

RIVAL_NAMES = ["jpegls", "bz2", "zstd"]


@pytest.fixture(scope="module")
def lossless_codec(shipped: Codec) -> Codec:
    """The codec for MNIST's other qualities, with random pixel models for 28x28 grey images and
    for sprites."""
    models = (make_pixel_model(1, (28, 28)), make_pixel_model(4))
    bundle = make_bundle(shipped.bundle.networks, models, name="both", default_quality=46, about="{}")
    return Codec(bundle, NumpyBackend(), 1, "both")


@pytest.fixture(scope="module")
def lossy_codec(shipped: Codec) -> Codec:
    """It has no lossless part."""
    bundle = make_bundle(shipped.bundle.networks, name="lossy", default_quality=46, about="{}")
    return Codec(bundle, NumpyBackend(), 1, "lossy")


def test_its_bytes_are_those_on_disk(lossless_codec: Codec, mnist: np.ndarray, tmp_path: Path) -> None:
    images = mnist[:50, ..., None]
    api.compress(images, tmp_path / "same.cnet", lossless_codec, quality=100, embed_codec=False)
    point = measure_lossless(images, lossless_codec)
    assert point.total_bytes == (tmp_path / "same.cnet").stat().st_size
    assert (point.mse, point.psnr, point.quality, point.lossless) == (0, None, 100, True)
    assert np.array_equal(point.shown, images[:12])
    assert point.encode_s > 0
    assert point.decode_s > 0


def test_colour_that_is_not_seen_does_not_count(lossless_codec: Codec) -> None:
    images = sprites(20, channels=4)
    images[..., :3] += np.uint8(1) * (images[..., 3:] == 0)
    assert measure_lossless(images, lossless_codec).mse == 0


def test_the_table(lossless_codec: Codec, mnist: np.ndarray) -> None:
    bench = run_lossless(mnist[:60], "mnist", lossless_codec, rivals=RIVAL_NAMES)
    rows = lossless_rows(bench)
    assert {(row.name, row.mode) for row in rows} == {
        ("compressnet lossless", "archive"),
        ("jpegls", "mosaic"),
        ("jpegls", "single"),
        ("bz2", "stream"),
        ("zstd", "stream"),
        ("zstd", "dictionary"),
    }
    assert [row.bytes_per_image for row in rows] == sorted(row.bytes_per_image for row in rows)
    for row in rows:
        assert row.bits_per_pixel == pytest.approx(row.bytes_per_image * 8 / 28**2)
        assert len(row.texts) == len(HEADER)
        assert row.texts[3] == "60"
    dictionaries = [row for row in rows if row.mode == "dictionary"]
    assert len(dictionaries) == 2
    assert dictionaries[0] in best_rows(rows)
    assert dictionaries[1] not in best_rows(rows)
    assert not bench.failures
    assert bench.inspected is None


def test_a_codec_without_lossless_networks_is_noted(lossy_codec: Codec, mnist: np.ndarray) -> None:
    bench = run_lossless(mnist[:9], "mnist", lossy_codec, rivals=["bz2"])
    assert [point.codec for point in bench.points] == ["bz2"]
    ((name, error),) = [(failure.codec, failure.error) for failure in bench.failures]
    assert name == "compressnet"
    assert error.startswith(f"quality 100: the codec {lossy_codec.name} has no lossless part")
    with pytest.raises(InputError, match="--rivals jpeg: it always loses something"):
        run_lossless(mnist[:9], "mnist", lossy_codec, rivals=["jpeg"])


def test_the_whole_benchmark_has_the_point_too(lossless_codec: Codec, mnist: np.ndarray) -> None:
    told: list[tuple[int, int]] = []
    bench = run_bench(
        mnist[:20],
        "mnist",
        lossless_codec,
        rivals=["bz2"],
        efforts=(1,),
        qualities=(10, 50),
        report=lambda done, total, _: told.append((done, total)),
    )
    assert [point.curve for point in bench.points] == [
        "compressnet, effort 1",
        "compressnet, effort 1",
        "compressnet, archive, lossless",
        "bz2, stream, lossless",
    ]
    assert told == [(0, 4), (1, 4), (2, 4), (3, 4)]


def test_the_files(lossless_codec: Codec, mnist: np.ndarray, tmp_path: Path) -> None:
    bench = run_lossless(mnist[:30], "<mnist>", lossless_codec, rivals=["bz2", "jpegls"])
    document = write_bench(bench, tmp_path / "out")
    assert document == json.loads((tmp_path / "out" / "bench.json").read_text())
    assert set(document) == {"source", "codec", "images", "points", "bd_rate", "lossless", "failures"}
    assert document["bd_rate"] == []
    assert set(document["lossless"][0]) == {
        "name",
        "mode",
        "setting",
        "images",
        "bytes_per_image",
        "bits_per_pixel",
        "encode_images_per_s",
        "decode_images_per_s",
    }
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["bench.json", "report.html"]
    page = (tmp_path / "out" / "report.html").read_text()
    for words in ("Lossless", "compressnet lossless", "quality 100", "jpegls", "bits/pixel", "&lt;mnist&gt;"):
        assert words in page
    assert "Failures" not in page
    failure = Failure(codec="bz2", mode="stream", setting="level 9", error="it fell over")
    failed = replace(bench, points=[], failures=[failure])
    write_bench(failed, tmp_path / "failed")
    page = (tmp_path / "failed" / "report.html").read_text()
    assert "Failures" in page
    assert "bits/pixel" not in page
