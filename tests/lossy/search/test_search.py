"""Effort above 1: never worse for any image, better on the whole, and decoded exactly like all
else."""

from __future__ import annotations

import numpy as np
import pytest

import compressnet
from backends import BACKENDS
from compressnet.codec.codec import Codec
from compressnet.errors import InputError
from compressnet.lossy.search.search import ROUNDS, STEPS


def costs(codec: Codec, images: np.ndarray, quality: int, effort: int) -> np.ndarray:
    """Rate + lambda * distortion of each image, in bits."""
    kind = codec.kinds[0]
    images_NHWC = images.reshape(len(images), *kind)
    coder = codec.coder(kind, quality)
    network = coder.runner
    assert network.network.lambdas is not None
    symbols = coder.values_of(images_NHWC, effort)
    return network.costs(images_NHWC, symbols, quality, float(network.network.lambdas[quality]))


@pytest.mark.parametrize("effort", [2, 5, 9])
@pytest.mark.parametrize("quality", [0, 60, 99])
def test_no_image_costs_more_than_at_effort_1(tiny: Codec, tiny_images: np.ndarray, quality: int, effort: int) -> None:
    assert (costs(tiny, tiny_images, quality, effort) <= costs(tiny, tiny_images, quality, 1)).all()


@pytest.mark.slow
def test_more_effort_costs_less(shipped: Codec, mnist: np.ndarray) -> None:
    for quality in (10, shipped.default_quality, 95):
        means = [costs(shipped, mnist[:32], quality, effort).mean() for effort in (1, 3, 9)]
        assert means[0] > means[1] > means[2]
        assert means[2] < 0.95 * means[0]


@pytest.mark.slow
def test_what_the_search_costs_is_what_is_written(shipped: Codec, mnist: np.ndarray) -> None:
    images, quality = mnist[:64], 60
    data = shipped.compress(images, quality, effort=9)
    decoded = shipped.decompress(data)
    network = shipped.coder((28, 28, 1), quality).runner
    assert network.network.lambdas is not None
    squared = np.square((decoded.astype(float) - images) / 255).sum()
    paid = 8 * len(data) + float(network.network.lambdas[quality]) * squared
    assert paid == pytest.approx(costs(shipped, images, quality, 9).sum(), abs=8 * 10)


def test_the_same_machine_gives_the_same_bytes_with_any_backend(tiny_path, tiny_images: np.ndarray) -> None:
    found = {
        compressnet.load(tiny_path, backend=backend, threads=threads).compress(tiny_images, effort=4)
        for backend in BACKENDS
        for threads in (1, 2)
    }
    assert len(found) == 1


def test_archives_take_an_effort(tiny: Codec, tiny_images: np.ndarray, tmp_path) -> None:
    compressnet.compress(tiny_images, tmp_path / "a.cnet", tiny, effort=9, block_images=5)
    coder = tiny.coder(tiny.kinds[0], tiny.default_quality)
    symbols = coder.values_of(tiny_images.reshape(len(tiny_images), *coder.kind), 9)
    with compressnet.open(tmp_path / "a.cnet") as archive:
        assert np.array_equal(archive[:], tiny.decoder(symbols))


def test_efforts_go_from_1_to_9(tiny: Codec, tiny_images: np.ndarray) -> None:
    for table in (STEPS, ROUNDS):
        assert list(table) == list(range(2, 10))
        assert sorted(table.values()) == list(table.values())
    for effort in (0, 10):
        with pytest.raises(InputError, match=f"effort {effort}: it goes from 1"):
            tiny.compress(tiny_images, effort=effort)
