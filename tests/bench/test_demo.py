"""The demo writes its two files, also over older ones, and comes to the promised figures."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

import compressnet
from compressnet.bench.demo import DemoResult, draw_pairs, run_demo
from compressnet.codec.codec import Codec
from compressnet.images import open_collection

FILES = ["demo.png", "mnist-test.cnet"]


@pytest.fixture(scope="module")
def demo(shipped: Codec, tmp_path_factory: pytest.TempPathFactory) -> DemoResult:
    """All test images of MNIST with the default settings, where another demo left its files."""
    folder = tmp_path_factory.mktemp("demo")
    for name in FILES:
        (folder / name).write_bytes(b"an earlier demo's")
    return run_demo(shipped, folder)


@pytest.mark.slow
def test_the_demo_replaces_its_files(demo: DemoResult) -> None:
    assert demo.archive.stat().st_size == demo.archive_bytes
    assert demo.archive_bytes < demo.gzip_bytes / 5 < demo.raw_bytes / 5
    assert sorted(path.name for path in demo.archive.parent.iterdir()) == FILES
    with compressnet.open(demo.archive) as archive, Image.open(demo.picture) as picture:
        assert len(archive) == 10_000
        assert archive.labels is not None
        assert demo.single_label == archive.labels[7]
        assert picture.size[0] > 16 * 28


@pytest.mark.slow
def test_default_settings_keep_the_promised_figures(demo: DemoResult) -> None:
    result = demo.evaluation
    assert result.identical
    assert result.images == 10_000
    for row in result.rows:
        assert row.quality.mse <= 0.004
        assert row.quality.psnr is not None
        assert row.quality.psnr >= 24.47
        assert row.quality.ssim is not None
        assert row.quality.ssim >= 0.976
    assert result.bytes_per_image <= 18
    assert result.ideal_bytes_per_image <= result.bytes_per_image <= 1.04 * result.ideal_bytes_per_image


def test_picture_shows_originals_above_decoded() -> None:
    images = open_collection("mnist").load(4)
    drawn = np.asarray(draw_pairs(images, 255 - images, "title"))
    left, top = drawn.shape[1] - 4 * 90, drawn.shape[0] - 2 * 90
    for i in range(4):
        upper = drawn[top : top + 84 : 3, left + 90 * i : left + 90 * i + 84 : 3]
        lower = drawn[top + 90 : top + 174 : 3, left + 90 * i : left + 90 * i + 84 : 3]
        assert np.array_equal(upper, images[i])
        assert np.array_equal(lower, 255 - images[i])
