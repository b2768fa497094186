"""Lossless blocks, whose images are coded alone: what is read is what was asked for."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import compressnet
from compressnet.archive.archive import Archive
from compressnet.codec.codec import Codec
from compressnet.container.container import Container
from compressnet.container.sources import BytesSource
from compressnet.container.writer import ContainerWriter
from compressnet.errors import CorruptError
from compressnet.lossless.payload import pack_payload, unpack_payload
from compressnet.networks.numpy import NumpyBackend
from pixel_models import images_for, make_lossless_bundle, make_pixel_model

MODEL = make_pixel_model(1)
CODEC = Codec(make_lossless_bundle(MODEL), NumpyBackend(), 1, "test")
BLOCK_IMAGES = 7
IMAGES = images_for(MODEL, 3 * BLOCK_IMAGES, (4, 5), 0, 0.2)[..., 0]
NO_PAYLOAD = b"\xff" * 9
"""What no image can be coded as: its first point lies beyond all values."""


def archive_of(images: np.ndarray) -> bytes:
    stream = io.BytesIO()
    compressnet.compress(images, stream, CODEC, quality=100, block_images=BLOCK_IMAGES, embed_codec=False)
    return stream.getvalue()


DATA = archive_of(IMAGES)


def changed(data: bytes, **fields: object) -> bytes:
    """An archive of the first block of another one, with other fields and right checksums."""
    with compressnet.open(data, CODEC) as archive:
        block = archive.container.read_block(0)
        assert block.method_name == "lossless"
        stream = io.BytesIO()
        writer = ContainerWriter(stream, archive.container.codecs, archive.container.kinds)
        writer.add(replace(block, **fields))  # type: ignore[arg-type]
        writer.finish(None)
    return stream.getvalue()


def damaged(image: int) -> bytes:
    """The archive of the first block alone, of which one image has another payload."""
    with compressnet.open(DATA, CODEC) as archive:
        payload = archive.container.read_block(0).payload
    alone = unpack_payload(payload, BLOCK_IMAGES, range(BLOCK_IMAGES))
    alone[image] = NO_PAYLOAD
    return changed(DATA, payload=pack_payload(alone))


class CountingSource(BytesSource):
    """Counts what is read."""

    reads = 0

    def read_at(self, offset: int, count_bytes: int) -> bytes:
        self.reads += 1
        return super().read_at(offset, count_bytes)


@pytest.mark.parametrize("image", [0, 3, BLOCK_IMAGES - 1])
def test_a_damaged_image_leaves_the_others_of_its_block_readable(image: int) -> None:
    others = [i for i in range(BLOCK_IMAGES) if i != image]
    with compressnet.open(damaged(image), CODEC) as archive:
        for i in others:
            assert np.array_equal(archive[i], IMAGES[i])
        with pytest.raises(CorruptError, match=r"block 0: the payload does not fit"):
            archive[image]
        assert np.array_equal(archive[others], IMAGES[others])
    with compressnet.open(damaged(image), CODEC) as archive:
        assert np.array_equal(archive[others], IMAGES[others])
        with pytest.raises(CorruptError, match="block 0"):
            archive[:]
        with pytest.raises(CorruptError, match="block 0"):
            archive.check()


@settings(max_examples=60, deadline=None)
@given(
    asked=st.lists(
        st.one_of(
            st.integers(-len(IMAGES), len(IMAGES) - 1),
            st.lists(st.integers(-len(IMAGES), len(IMAGES) - 1), max_size=9).map(lambda some: np.array(some, np.int64)),
            st.slices(len(IMAGES)),
        ),
        max_size=12,
    ),
    threads=st.integers(1, 3),
)
def test_any_order_gives_the_same_images(asked: list[int | np.ndarray | slice], threads: int) -> None:
    with compressnet.open(DATA, CODEC, threads=threads) as archive:
        for index in asked:
            assert np.array_equal(archive[index], IMAGES[index])


def test_threads_that_ask_at_once_get_the_same_images() -> None:
    order = np.random.default_rng(0).permutation(4 * len(IMAGES)) % len(IMAGES)
    with compressnet.open(DATA, CODEC) as archive, ThreadPoolExecutor(4) as pool:
        found = list(pool.map(archive.__getitem__, order.tolist()))
    assert np.array_equal(np.stack(found), IMAGES[order])


@pytest.mark.parametrize("step", [1, -1])
def test_one_image_after_the_other_reads_a_block_twice_at_most(step: int) -> None:
    source = CountingSource(DATA, "counted")
    archive = Archive(Container(source), lambda _: CODEC)
    archive[0]
    source.reads = 0
    archive[0]
    assert source.reads == 0
    archive[1]
    of_a_block = source.reads
    for i in np.arange(len(IMAGES))[::step].tolist():
        assert np.array_equal(archive[i], IMAGES[i])
    assert source.reads <= (2 * 3 - 1) * of_a_block
    read = source.reads
    assert np.array_equal(archive[:], IMAGES)
    assert source.reads == read


def test_a_block_goes_on_where_the_last_one_ended() -> None:
    source = CountingSource(DATA, "counted")
    archive = Archive(Container(source), lambda _: CODEC)
    archive[BLOCK_IMAGES - 1]
    source.reads = 0
    archive[BLOCK_IMAGES]
    of_a_block = source.reads
    assert np.array_equal(archive[2 * BLOCK_IMAGES - 1], IMAGES[2 * BLOCK_IMAGES - 1])
    assert source.reads == of_a_block


def test_a_block_beyond_the_limit_is_refused() -> None:
    images = (1 << 22) // 81 + 1
    data = changed(archive_of(images_for(MODEL, 2, (9, 9))), images=images, payload=bytes(images - 1))
    with compressnet.open(data, CODEC) as archive, pytest.raises(CorruptError, match="block 0 holds 4194342 values"):
        archive[0]
