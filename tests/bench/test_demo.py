"""The demo writes its two files, and can be run again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import compressnet
from compressnet.bench.demo import draw_pairs, run_demo
from compressnet.codec.codec import Codec
from compressnet.images import open_collection


@pytest.mark.slow
def test_demo_twice(shipped: Codec, tmp_path: Path) -> None:
    for _ in range(2):
        result = run_demo(shipped, tmp_path)
        assert result.archive.stat().st_size == result.archive_bytes
        assert result.archive_bytes < result.gzip_bytes / 5 < result.raw_bytes / 5
        assert result.evaluation.identical
        assert sorted(path.name for path in tmp_path.iterdir()) == ["demo.png", "mnist-test.cnet"]
    with compressnet.open(result.archive) as archive, Image.open(result.picture) as picture:
        assert len(archive) == 10_000
        assert archive.labels is not None
        assert result.single_label == archive.labels[7]
        assert picture.size[0] > 16 * 28


def test_picture_shows_originals_above_decoded() -> None:
    images = open_collection("mnist").load(4)
    drawn = np.asarray(draw_pairs(images, 255 - images, "title"))
    left, top = drawn.shape[1] - 4 * 90, drawn.shape[0] - 2 * 90
    for i in range(4):
        upper = drawn[top : top + 84 : 3, left + 90 * i : left + 90 * i + 84 : 3]
        lower = drawn[top + 90 : top + 174 : 3, left + 90 * i : left + 90 * i + 84 : 3]
        assert np.array_equal(upper, images[i])
        assert np.array_equal(lower, 255 - images[i])
