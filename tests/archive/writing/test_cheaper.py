"""A writer takes the better coder: images that take no more bytes without loss have none, above
quality 70."""

from __future__ import annotations

import io

import numpy as np
import pytest

import compressnet
from compressnet.archive.writing.cheaper import TRIED_ABOVE_QUALITY, Choice, alternative
from compressnet.archive.writing.outcome import Written
from compressnet.codec.bundle import make_bundle
from compressnet.codec.codec import Codec
from compressnet.codec.shipped import read_bundle
from compressnet.coding.coder import LOSSLESS, LOSSY, STORED
from compressnet.networks.numpy import NumpyBackend


@pytest.fixture(scope="module")
def lossy_alone(shipped: Codec) -> Codec:
    """The shipped codec without its lossless part."""
    only = shipped.only(shipped.bundle.identity)
    assert only is not None
    return only


def written(images: np.ndarray, codec: Codec, quality: int, **options: object) -> tuple[bytes, Written]:
    stream = io.BytesIO()
    told = compressnet.compress(images, stream, codec, quality=quality, **options)  # type: ignore[arg-type]
    return stream.getvalue(), told


def methods_of(data: bytes) -> list[int]:
    with compressnet.open(data) as archive:
        container = archive.container
        return sorted({container.read_block(number).method for number in range(len(container.blocks))})


def test_up_to_quality_70_nothing_changes(shipped: Codec, lossy_alone: Codec, mnist: np.ndarray) -> None:
    for quality in (0, 46, TRIED_ABOVE_QUALITY):
        assert written(mnist, shipped, quality)[0] == written(mnist, lossy_alone, quality)[0]
        assert alternative(shipped, shipped.coder((28, 28, 1), quality)) is None


@pytest.mark.parametrize("quality", [80, pytest.param(99, marks=pytest.mark.slow)])
def test_above_it_every_image_takes_the_coder_of_fewer_bits(
    shipped: Codec, lossy_alone: Codec, mnist: np.ndarray, quality: int
) -> None:
    images = mnist[:300]
    before, _ = written(images, lossy_alone, quality)
    data, told = written(images, shipped, quality)
    assert len(data) < len(before)
    assert methods_of(data) == [LOSSY, LOSSLESS]
    lossy, lossless = (shipped.coder((28, 28, 1), at) for at in (quality, 100))
    expected = lossless.bits(images[..., None]) <= lossy.bits(lossy.values_of(images[..., None]))
    assert told.lossless == expected.sum() > 0
    assert f"{told.lossless} images without loss" in "\n".join(told.remarks())
    with compressnet.open(data) as archive:
        assert np.array_equal(archive.with_symbols(), ~expected)
        assert np.array_equal(archive[expected], images[expected])
        assert np.array_equal(archive[~expected], shipped.autoencoder(images[~expected], quality))


def test_images_that_all_cost_less_without_loss_leave_no_lossy_block(shipped: Codec) -> None:
    blank = np.zeros((60, 28, 28), np.uint8)
    blank[np.arange(60), np.arange(60) % 28, np.arange(60) // 28 + 1] = 255
    data, told = written(blank, shipped, 95)
    assert methods_of(data) == [LOSSLESS]
    assert told.lossless == 60
    with compressnet.open(data) as archive:
        assert np.array_equal(archive[:], blank)


@pytest.mark.slow
def test_a_gain_smaller_than_what_comes_with_it_is_left(shipped: Codec, lossy_alone: Codec, mnist: np.ndarray) -> None:
    lossy, lossless = (shipped.coder((28, 28, 1), quality) for quality in (80, 100))
    saved = lossy.bits(lossy.values_of(mnist[..., None])) - lossless.bits(mnist[..., None])
    least = int(np.argmin(np.where(saved >= 0, saved, np.inf)))
    others = np.flatnonzero(saved < 0)[:20]
    few = mnist[[*others, least]]
    assert written(few, shipped, 80)[0] == written(few, lossy_alone, 80)[0]


def test_an_embedded_part_counts(mnist: np.ndarray) -> None:
    """What a codec that does not ship has to embed is more than a few digits save."""
    shipped = read_bundle("mnist")
    bundle = make_bundle(shipped.networks, shipped.pixels, name="own", default_quality=46, about="{}")
    own = Codec(bundle, NumpyBackend(), 1, "own")
    data, told = written(mnist[:60], own, 99, embed_codec=True)
    assert told.lossless == 0
    assert methods_of(data) == [LOSSY]
    assert written(mnist[:60], own, 99, embed_codec=False)[1].lossless > 0


def test_a_part_is_embedded_once_the_groups_together_save_more(shipped: Codec, mnist: np.ndarray) -> None:
    """Costs of a part are not charged again for each group that went without it."""
    coders = (shipped.coder((28, 28, 1), 99), shipped.coder((28, 28, 1), 100))
    lossy_N, lossless_N = (coder.bits(coder.values_of(mnist[..., None])) for coder in coders)
    saved_bytes = (lossy_N - lossless_N)[lossless_N <= lossy_N].sum() / 8
    charged = Choice(lambda _: round(2.5 * saved_bytes))
    taken = [charged.cheaper(lossy_N, coders[1], lossless_N).any() for _ in range(4)]
    assert taken == [False, False, True, True]


@pytest.mark.slow
def test_what_misses_its_bounds_is_coded_without_loss_if_smaller(shipped: Codec, mnist: np.ndarray) -> None:
    images = mnist[:100]
    for bounds in ({"max_error": 0}, {"max_error": 1}, {"min_psnr": 50}):
        data, told = written(images, shipped, 80, **bounds)
        assert told.lossless > 90
        assert len(data) < 1.1 * len(written(images, shipped, 100)[0])
        with compressnet.open(data) as archive:
            assert np.abs(archive[:].astype(int) - images).max() <= 1


def test_bounds_take_it_too(shipped: Codec, mnist: np.ndarray) -> None:
    data, told = written(mnist[:100], shipped, 90, max_error=40)
    assert told.lossless > 0
    with compressnet.open(data) as archive:
        errors_N = np.abs(archive[:].astype(int) - mnist[:100]).max(axis=(1, 2))
        assert errors_N.max() <= 40
        assert (errors_N == 0).sum() >= told.lossless


def test_a_codec_without_a_lossless_part_has_no_alternative(lossy_alone: Codec, shipped: Codec) -> None:
    assert alternative(lossy_alone, lossy_alone.coder((28, 28, 1), 99)) is None
    beside = alternative(shipped, shipped.coder((28, 28, 1), 100))
    assert beside is not None
    assert beside.method == STORED
