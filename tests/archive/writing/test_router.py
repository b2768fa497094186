"""Archives of any images: every one in its place, equal ones once, bounds met by all channels of
all pixels."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import compressnet
from compressnet.api import compress
from compressnet.archive.archive import Archive
from compressnet.archive.writing import router as writing
from compressnet.archive.writing.outcome import Written
from compressnet.codec.codec import Codec
from compressnet.container.container import Container
from compressnet.container.sources import BytesSource
from compressnet.errors import InputError
from conftest import CONFORMANCE

SHAPES = ((8, 12), (8, 12, 1), (5, 4), (5, 4, 3), (3, 3, 4))


@pytest.fixture(scope="module")
def grey() -> Codec:
    return compressnet.load(CONFORMANCE / "grey.codec", threads=1)


def noise(count: int, shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, *shape)).astype(np.uint8)


def packed(images: Any, codec: Codec, **options: Any) -> tuple[Written, Archive, bytes]:
    stream = io.BytesIO()
    written = compress(images, stream, codec, **options)
    assert written.archive_bytes == len(stream.getvalue())
    archive = compressnet.open(stream.getvalue(), codec)
    assert len(archive) == written.images
    return written, archive, stream.getvalue()


def error(image: np.ndarray, decoded: np.ndarray) -> int:
    return int(np.abs(image.astype(int) - decoded).max())


def psnr(image: np.ndarray, decoded: np.ndarray) -> float:
    mse = np.mean((image.astype(float) - decoded) ** 2)
    return 10 * np.log10(255**2 / mse) if mse else np.inf


@settings(max_examples=40, deadline=None)
@given(
    runs=st.lists(st.tuples(st.sampled_from(SHAPES), st.integers(1, 6), st.integers(0, 3)), min_size=1, max_size=8),
    block_images=st.integers(1, 5),
)
def test_every_image_comes_back_in_its_place(
    grey: Codec, runs: list[tuple[tuple[int, ...], int, int]], block_images: int
) -> None:
    arrays = [noise(count, shape, seed) for shape, count, seed in runs]
    for array in arrays:
        array[..., -1] |= 1
    images = [image for array in arrays for image in array]
    names = [f"image {i}" for i in range(len(images))]
    written, archive, _ = packed(arrays, grey, block_images=block_images, names=names, store_unknown=True)
    assert archive.shapes == [image.shape for image in images]
    assert list(archive.names or []) == names
    assert written.duplicates == len(images) - len({(image.shape, image.tobytes()) for image in images})
    for image, decoded in zip(images, archive, strict=True):
        fits = image.shape in SHAPES[:2]
        expected = grey.autoencoder(image.reshape(1, 8, 12)).reshape(image.shape) if fits else image
        assert np.array_equal(decoded, expected)
    archive.check()


def test_equal_images_take_next_to_nothing(grey: Codec) -> None:
    image = noise(1, (8, 12))
    once = packed(image, grey, embed_codec=False)[0]
    written, archive, _ = packed(np.repeat(image, 1000, axis=0), grey, embed_codec=False)
    assert written.duplicates == 999
    assert written.archive_bytes <= once.archive_bytes + 30
    assert np.array_equal(archive[:], np.repeat(archive[:1], 1000, axis=0))


def test_images_of_one_shape_stay_in_the_order_of_blocks(grey: Codec) -> None:
    _, _, data = packed(noise(9, (8, 12)), grey, block_images=4)
    assert Container(BytesSource(data, "a")).positions_N is None


@pytest.mark.parametrize("max_error", [0, 1, 20, 100, 255])
def test_the_largest_error_holds_for_every_value(shipped: Codec, mnist: np.ndarray, max_error: int) -> None:
    images = np.concatenate([mnist[:40], noise(20, (28, 28)), np.zeros((1, 28, 28), np.uint8)])
    written, archive, _ = packed(images, shipped, max_error=max_error)
    assert max(error(image, decoded) for image, decoded in zip(images, archive, strict=True)) <= max_error
    assert written.stored + written.raised > 0 or max_error == 255
    assert all(worst.psnr < 60 for worst in written.worst)
    assert bool(written.worst) == (max_error > 0)


def test_noise_meets_a_psnr_and_is_never_larger_than_raw(shipped: Codec) -> None:
    images = noise(200, (28, 28))
    written, archive, _ = packed(images, shipped, min_psnr=30.0)
    found = [psnr(image, decoded) for image, decoded in zip(images, archive, strict=True)]
    assert min(found) >= 30
    assert written.archive_bytes <= 1.01 * images.size
    assert written.reasons == {"bounds missed at any quality": 200}
    assert written.worst[0].psnr == pytest.approx(min(found))
    assert found[written.worst[0].image] == pytest.approx(min(found))
    assert [worst.quality for worst in written.worst] == [None] * 10


def test_images_that_miss_a_psnr_are_raised_alone(shipped: Codec, mnist: np.ndarray) -> None:
    written, archive, data = packed(mnist[:300], shipped, min_psnr=27.0, quality=50)
    assert 0 < written.raised < 300
    assert written.stored == 0
    assert min(psnr(image, decoded) for image, decoded in zip(mnist, archive, strict=False)) >= 27
    _, again, same = packed(mnist[:300], shipped, min_psnr=27.0, quality=50)
    assert data == same
    plain = packed(mnist[:300], shipped, quality=50)[1].array()
    kept = [np.array_equal(image, known) for image, known in zip(again, plain, strict=True)]
    assert sum(kept) == 300 - written.raised


def test_a_search_keeps_to_the_bounds(shipped: Codec, mnist: np.ndarray) -> None:
    _, archive, _ = packed(mnist[:20], shipped, min_psnr=26.0, quality=50, effort=2)
    assert min(psnr(image, decoded) for image, decoded in zip(mnist, archive, strict=False)) >= 26


def test_images_without_a_network_are_stored_and_told_of(grey: Codec) -> None:
    written, archive, _ = packed([noise(3, (8, 12)), noise(2, (16, 16, 3))], grey)
    assert written.learned + written.stored == 2
    assert np.array_equal(archive[3:], noise(2, (16, 16, 3)))
    assert written.remarks() == ["2 images stored: smaller as they are"]


def test_images_without_a_network_are_learned_and_told_of(grey: Codec) -> None:
    flat = np.arange(5, dtype=np.uint8)[:, None, None, None] + np.full((5, 16, 16, 3), 40, np.uint8)
    written = compressnet.compress([noise(3, (8, 12)), flat], io.BytesIO(), grey)
    assert (written.learned, written.learned_reasons) == (5, {"no network for 16x16x3": 5})
    assert "5 images coded without the codec, learned from themselves: no network for 16x16x3" in written.remarks()


def test_no_image_that_fits_is_an_error_unless_asked_for(grey: Codec) -> None:
    with pytest.raises(InputError, match=r"images of 16x16x3.*train one for these images"):
        packed([noise(3, (16, 16, 3)), noise(3, (5, 5))], grey)
    written, archive, data = packed(noise(300, (16, 16, 3)), grey, store_unknown=True)
    assert written.stored == 300
    assert np.array_equal(archive[:], noise(300, (16, 16, 3)))
    assert Container(BytesSource(data, "a")).codecs == []
    assert len(compressnet.open(data)) == 300


def test_a_quality_that_the_codec_lacks_is_an_error(shipped: Codec, mnist: np.ndarray) -> None:
    with pytest.raises(InputError, match="quality 101"):
        packed(mnist[:3], shipped, quality=101, store_unknown=True)


def test_little_waits_where_memory_is_short(grey: Codec, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "WAITING_BYTES", 2000)
    arrays = [noise(2, shape, i) for i in range(30) for shape in SHAPES]
    _, archive, data = packed(arrays, grey)
    images = [image for array in arrays for image in array]
    assert archive.shapes == [image.shape for image in images]
    assert all(np.array_equal(archive[i], images[i]) for i in range(300) if images[i].shape == (5, 4, 3))
    assert len(Container(BytesSource(data, "a")).blocks) > 10


def test_progress_ends_at_all_images(grey: Codec) -> None:
    seen: list[int] = []
    packed([noise(9, (8, 12)), noise(9, (8, 12)), noise(3, (2, 2))], grey, block_images=4, report=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == 21
