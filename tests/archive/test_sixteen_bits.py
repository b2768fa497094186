"""Images of 16 bits are kept without loss, or refused with the ways out."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import compressnet
from compressnet.archive.describe import describe
from compressnet.codec.codec import Codec
from compressnet.container.block import Block
from compressnet.container.writer import ContainerWriter
from compressnet.errors import CorruptError, InputError
from compressnet.images.forms import Form
from conftest import CONFORMANCE


def deep(count: int, shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 1 << 16, (count, *shape)).astype(np.uint16)


def written(images: Any, codec: Any = None, **options: Any) -> bytes:
    stream = io.BytesIO()
    compressnet.compress(images, stream, codec, **options)
    return stream.getvalue()


@pytest.mark.parametrize("shape", [(7, 5), (7, 5, 1), (7, 5, 2), (7, 5, 3), (7, 5, 4)])
@pytest.mark.parametrize("options", [{}, {"quality": 100}, {"max_error": 0}, {"codec": "mnist", "quality": 100}])
def test_every_value_comes_back(shape: tuple[int, ...], options: dict[str, Any]) -> None:
    images = deep(6, shape)
    with compressnet.open(written(images, **options)) as archive:
        assert archive.dtype == np.uint16
        assert archive.shape == images.shape
        assert archive[2].dtype == np.uint16
        assert np.array_equal(archive[2], images[2])
        for found in (archive[1:4], archive.array()[1:4], next(archive.batches())[1:4]):
            assert isinstance(found, np.ndarray)
            assert found.dtype == np.uint16
            assert np.array_equal(found, images[1:4])
        assert archive[:0].dtype == np.uint16
        assert not archive.with_symbols().any()


def test_a_smooth_image_takes_less_than_its_bytes() -> None:
    ramp = np.add.outer(np.arange(64) * 300, np.arange(64) * 17).astype(np.uint16)
    images = ramp + np.arange(20, dtype=np.uint16)[:, None, None]
    assert len(written(images)) < images.nbytes // 4


def test_8_and_16_bits_do_not_mix_in_an_array() -> None:
    eight, sixteen = np.full((2, 4, 4), 7, np.uint8), np.full((2, 4, 4), 7, np.uint16)
    with compressnet.open(written([eight, sixteen])) as archive:
        assert (archive.dtype, archive.shape, archive.is_mixed) == (np.uint16, (4,), True)
        assert [image.dtype.name for image in archive] == ["uint8", "uint8", "uint16", "uint16"]
        assert isinstance(archive[1:3], list)
        assert isinstance(archive[2:], np.ndarray)
        assert [batch.dtype.name for batch in archive.batches()] == ["uint8", "uint16"]
        with pytest.raises(InputError, match="of 8 and 16 bits"):
            archive.array()


@pytest.mark.parametrize("options", [{"codec": "mnist"}, {"codec": "mnist", "quality": 60}, {"max_error": 3}])
def test_what_may_lose_something_is_refused_with_the_ways_out(options: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"16 bits: .* is for 8 bits; --quality 100 .*keeps all 16, --convert makes"):
        written(deep(2, (28, 28)), **options)


def test_no_codec_is_asked_for_them() -> None:
    """16 bits of grey are two channels of bytes, as grey with alpha is."""
    codec = compressnet.load(CONFORMANCE / "lossless.codec", threads=1)
    images = deep(3, (9, 7, 2))
    with compressnet.open(written(images, codec, quality=100)) as archive:
        assert archive.codecs == []  # they are noise, and stored
        assert np.array_equal(archive[:], images)


def test_16_bits_that_say_to_be_coded_by_a_codec_are_refused() -> None:
    codec = compressnet.load(CONFORMANCE / "lossless.codec", threads=1)
    data = (CONFORMANCE / "lossless.cnet").read_bytes()
    with compressnet.open(data, codec) as archive:
        stream, container = io.BytesIO(), archive.container
        writer = ContainerWriter(stream, container.codecs, [Form(shape=(9, 7, 2), deep=True)])
        block = container.read_block(0)
        writer.add(Block(method=2, quality=100, kind=0, codec=0, images=block.images, payload=block.payload))
        writer.finish(None)
    with (
        compressnet.open(stream.getvalue(), codec) as archive,
        pytest.raises(CorruptError, match="block 0 holds images of 16 bits in a way which this version does not read"),
    ):
        archive[0]


def test_they_go_through_subset_concat_and_append(tmp_path: Path, mnist: np.ndarray) -> None:
    images, more = deep(9, (6, 4, 3)), deep(4, (6, 4, 3), 1)
    for name, arrays in (("a", images), ("b", [mnist[:3], more])):
        compressnet.compress(arrays, tmp_path / f"{name}.cnet", "mnist", 100, block_images=4)
    with compressnet.open(tmp_path / "a.cnet") as archive:
        compressnet.subset(archive, [8, 1, 2, 1], tmp_path / "c.cnet")
    with compressnet.open(tmp_path / "c.cnet") as archive:
        assert np.array_equal(archive[:], images[[8, 1, 2, 1]])
    compressnet.concat([tmp_path / "a.cnet", tmp_path / "b.cnet"], tmp_path / "d.cnet")
    told = compressnet.append(tmp_path / "d.cnet", [more[:1], deep(1, (2, 2), 3)])
    assert told.lossless_checked
    with compressnet.open(tmp_path / "d.cnet") as archive:
        expected = [*images, *mnist[:3], *more, more[0], *deep(1, (2, 2), 3)]
        assert len(archive) == len(expected)
        for image, known in zip(archive, expected, strict=True):
            assert image.dtype == known.dtype
            assert np.array_equal(image, known)
        archive.check()


def test_append_to_an_archive_of_a_lossy_codec(tmp_path: Path) -> None:
    grey = compressnet.load(CONFORMANCE / "grey.codec", threads=1)
    path, images = tmp_path / "a.cnet", np.zeros((2, 8, 12), np.uint8)
    compressnet.compress(images, path, grey)
    with pytest.raises(InputError, match="quality 60 is for 8 bits; --quality 100"):
        compressnet.append(path, deep(2, (8, 12)), codec=grey)
    written = compressnet.append(path, deep(2, (8, 12)), codec=grey, quality=100)
    assert (written.images, written.learned + written.stored, written.lossless_checked) == (4, 2, True)
    with compressnet.open(path) as archive:
        assert np.array_equal(archive[2:], deep(2, (8, 12)))
    with pytest.raises(InputError, match="has no lossless part"):
        compressnet.append(path, images + 1, codec=grey, quality=100)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("options", [{"quality": 100}, {"max_error": 0}])
def test_the_order_of_bytes_does_not_matter(order: str, options: dict[str, Any], shipped: Codec) -> None:
    images = deep(3, (5, 5))
    for codec in (None, shipped):
        for given in (images.astype(f"{order}u2"), list(images.astype(f"{order}u2")[:, None])):
            with compressnet.open(written(given, codec, **options)) as archive:
                assert np.array_equal(archive.array(), images)


def test_info_shows_the_depth(tmp_path: Path, shipped: Codec) -> None:
    compressnet.compress([deep(2, (5, 6, 3)), np.zeros((1, 5, 6), np.uint8)], tmp_path / "a.cnet", None)
    assert describe(str(tmp_path / "a.cnet"))["kinds"] == [
        {"shape": [5, 6, 3], "bits": 16, "coded_channels": 3, "images": 2},
        {"shape": [5, 6], "bits": 8, "coded_channels": 1, "images": 1},
    ]
