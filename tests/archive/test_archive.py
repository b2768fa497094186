"""An archive by index: as a NumPy array would answer, from one block at a time, in any thread or
process."""

from __future__ import annotations

import io
import pickle
from collections.abc import Generator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import compressnet
from compressnet.archive.archive import READ_BYTES, Archive
from compressnet.codec.bundle import make_bundle
from compressnet.codec.codec import Codec
from compressnet.coding.stored import pack_stored
from compressnet.container.container import Container
from compressnet.container.sources import BytesSource
from compressnet.errors import CodecError, CodecRefusedError, CorruptError, InputError
from compressnet.images.forms import Form
from conformance_set.layout import Layout, block, form_of, kind
from conftest import CONFORMANCE


@pytest.fixture(scope="module")
def path(tiny: Codec, tiny_images: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("archive") / "a.cnet"
    compressnet.compress(tiny_images, path, tiny, block_images=5, labels=np.arange(23) % 7, embed_codec=True)
    return path


@pytest.fixture
def archive(path: Path) -> Generator[Archive]:
    with compressnet.open(path, threads=1) as archive:
        yield archive


@pytest.fixture
def decoded(tiny_arrays: dict[str, np.ndarray]) -> np.ndarray:
    return tiny_arrays["decoded"]


def test_looks_like_an_array(archive: Archive, decoded: np.ndarray) -> None:
    assert len(archive) == 23
    assert archive.shape == decoded.shape
    assert archive.dtype == np.uint8
    assert archive.labels is not None
    assert archive.labels.tolist() == [i % 7 for i in range(23)]
    assert "a.cnet" in repr(archive)


def test_iteration_gives_every_image_in_order(archive: Archive, decoded: np.ndarray) -> None:
    assert np.array_equal(np.stack(list(archive)), decoded)
    assert np.array_equal(np.concatenate(list(archive.batches(8))), decoded)


INDEX = st.one_of(
    st.integers(-23, 22),
    st.slices(23),
    st.lists(st.integers(-23, 22), max_size=8),
    st.lists(st.integers(-23, 22), min_size=1, max_size=8).map(np.array),
    st.lists(st.booleans(), min_size=23, max_size=23).map(np.array),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(index=INDEX)
def test_indexing_is_numpys(archive: Archive, decoded: np.ndarray, index: object) -> None:
    expected = decoded[np.array(index, np.int64)] if isinstance(index, list) else decoded[index]  # type: ignore[index]
    got = archive[index]  # type: ignore[index]
    assert got.dtype == np.uint8
    assert got.shape == expected.shape
    assert np.array_equal(got, expected)


def test_getitems_gives_a_list(archive: Archive, decoded: np.ndarray) -> None:
    images = archive.__getitems__([4, 0, 22])
    assert len(images) == 3
    assert np.array_equal(np.stack(images), decoded[[4, 0, 22]])


@pytest.mark.parametrize("index", [23, -24, [0, 23], np.array([-24]), np.ones(22, bool), np.array([1.5]), "a"])
def test_bad_indexes(archive: Archive, index: object) -> None:
    with pytest.raises(IndexError):
        archive[index]  # type: ignore[index]


class CountingSource(BytesSource):
    """Remembers what was read."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data, "counted")
        self.reads: list[tuple[int, int]] = []

    def read_at(self, offset: int, count_bytes: int) -> bytes:
        self.reads.append((offset, count_bytes))
        return super().read_at(offset, count_bytes)


def test_one_image_reads_one_block(path: Path, tiny: Codec, decoded: np.ndarray) -> None:
    source = CountingSource(path.read_bytes())
    archive = Archive(Container(source), lambda _: tiny)
    source.reads.clear()
    assert np.array_equal(archive[12], decoded[12])
    entry = Container(BytesSource(path.read_bytes(), "")).blocks[2]
    assert source.reads
    for offset, count in source.reads:
        assert entry.offset <= offset
        assert offset + count <= entry.offset + entry.chunk_bytes


def test_damage_in_one_block_leaves_the_others_readable(path: Path, tiny: Codec, decoded: np.ndarray) -> None:
    data = bytearray(path.read_bytes())
    entry = Container(BytesSource(bytes(data), "")).blocks[1]
    data[entry.offset + 14] ^= 1
    archive = compressnet.open(bytes(data), tiny)
    assert np.array_equal(archive[:5], decoded[:5])
    assert np.array_equal(archive[10:], decoded[10:])
    with pytest.raises(CorruptError, match="block 1"):
        archive[5]
    with pytest.raises(CorruptError, match="block 1"):
        archive.check()


def _read(archive: Archive, index: int) -> np.ndarray:
    return archive[index]


def test_works_from_threads_and_processes(archive: Archive, decoded: np.ndarray) -> None:
    order = [22, 3, 11, 0, 7, 3]
    with ThreadPoolExecutor(4) as pool:
        assert np.array_equal(np.stack(list(pool.map(archive.__getitem__, order))), decoded[order])
    with pickle.loads(pickle.dumps(archive)) as copy:
        assert np.array_equal(copy[:], decoded)
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        images = list(pool.map(_read, [archive] * 3, order[:3]))
    assert np.array_equal(np.stack(images), decoded[order[:3]])


def test_an_archive_from_bytes_cannot_be_pickled(path: Path) -> None:
    with pytest.raises(TypeError, match="opened from bytes"):
        pickle.dumps(compressnet.open(path.read_bytes()))


def test_a_closed_archive_says_so(path: Path) -> None:
    with compressnet.open(path) as archive:
        pass
    with pytest.raises(ValueError, match="closed"):
        archive[0]


@pytest.mark.parametrize("block_images", [1, 7, 256])
def test_block_size_changes_no_pixel(
    tiny: Codec, tiny_images: np.ndarray, decoded: np.ndarray, block_images: int
) -> None:
    stream = io.BytesIO()
    written = compressnet.compress(tiny_images, stream, tiny, block_images=block_images)
    assert written.images == 23
    assert written.archive_bytes == len(stream.getvalue())
    archive = compressnet.open(stream.getvalue(), tiny)
    assert len(archive._container.blocks) == -(-23 // block_images)
    assert np.array_equal(archive[:], decoded)


def test_images_may_come_in_pieces(tiny: Codec, tiny_images: np.ndarray) -> None:
    whole, pieces = io.BytesIO(), io.BytesIO()
    compressnet.compress(tiny_images, whole, tiny, block_images=4)
    compressnet.compress((tiny_images[i : i + 3] for i in range(0, 23, 3)), pieces, tiny, block_images=4)
    assert whole.getvalue() == pieces.getvalue()


def test_grey_images_keep_their_rank(grey_path: Path) -> None:
    codec = compressnet.load(grey_path)
    with np.load(grey_path.with_suffix(".npz")) as arrays:
        images = arrays["images"]
    for shaped in (images, images[..., None]):
        stream = io.BytesIO()
        compressnet.compress(shaped, stream, codec)
        assert compressnet.open(stream.getvalue(), codec)[:].shape == shaped.shape


def test_another_codec_is_refused_by_identity(path: Path, shipped: Codec) -> None:
    with pytest.raises(CodecError, match=shipped.identity):
        compressnet.open(path, shipped)


def test_a_machine_that_does_not_reproduce_the_codec_reads_no_image(path: Path, tiny: Codec) -> None:
    network = tiny.bundle.networks[0]
    probe = replace(network.probe, pixels=network.probe.pixels ^ 1)
    bundle = make_bundle((replace(network, probe=probe),), name="refused", default_quality=60, about="")
    with compressnet.open(path, Codec(bundle, tiny.backend, 1, "here")) as archive:
        assert len(archive) == 23
        for index in (0, 0, slice(3)):
            with pytest.raises(CodecRefusedError, match=r"here: .* does not reproduce"):
                archive[index]


@pytest.mark.parametrize("block_images", [0, 1 << 17])
def test_block_sizes_out_of_range(tiny: Codec, tiny_images: np.ndarray, block_images: int) -> None:
    with pytest.raises(InputError, match="images a block"):
        compressnet.compress(tiny_images, io.BytesIO(), tiny, block_images=block_images)


@pytest.fixture(scope="module")
def mixed_images() -> list[np.ndarray]:
    with np.load(CONFORMANCE / "mixed.npz") as arrays:
        return list(arrays.values())


def test_a_mixed_archive_by_index(mixed_images: list[np.ndarray]) -> None:
    with compressnet.open(CONFORMANCE / "mixed.cnet") as archive:
        assert archive.shape == (21,)
        assert archive.is_mixed
        assert archive.shapes == [image.shape for image in mixed_images]
        assert list(archive.names or [])[20] == "folder/20.png"
        for i in (0, 7, -1, 18):
            assert np.array_equal(archive[i], mixed_images[i])
        with pytest.raises(InputError, match=r"mixed\.cnet: images of several shapes"):
            archive.array()


@settings(max_examples=60, deadline=None)
@given(index=st.slices(21) | st.lists(st.integers(-21, 20), max_size=8), together=st.integers(1, 30))
def test_images_of_one_shape_are_an_array_and_others_a_list(
    mixed_images: list[np.ndarray], index: slice | list[int], together: int
) -> None:
    expected = mixed_images[index] if isinstance(index, slice) else [mixed_images[i] for i in index]
    with compressnet.open(CONFORMANCE / "mixed.cnet", threads=1) as archive:
        found = archive[index]
        assert isinstance(found, np.ndarray) == (len({image.shape for image in expected}) == 1)
        assert len(found) == len(expected)
        assert all(map(np.array_equal, found, expected))
        if isinstance(index, slice):
            batches = list(archive.batches(together, index))
            assert all(map(np.array_equal, [image for batch in batches for image in batch], expected))
            runs = sum(a.shape != b.shape for a, b in pairwise(expected))
            assert len(batches) <= runs + 1 + len(expected) // together


def test_few_images_are_read_together_where_they_may_be_large() -> None:
    images = np.arange(20, dtype=np.uint8).reshape(20, 1, 1)
    front = [kind(form_of(images)), kind(Form(shape=(4096, 4096)))]
    layout = Layout(front=front, entries=[block(pack_stored(images[..., None], 1), 20)])
    with compressnet.open(layout.data()) as archive:
        batches = [batch.ravel().tolist() for batch in archive.batches()]
    assert max(map(len, batches)) == READ_BYTES >> 24
    assert [value for batch in batches for value in batch] == list(range(20))


def test_more_than_fits_in_memory_is_refused() -> None:
    layout = Layout(front=[kind(Form(shape=(4096, 4096, 4)))], entries=[block(b"", 65536)])
    with compressnet.open(layout.data()) as archive, pytest.raises(InputError, match="do not fit in memory"):
        archive[np.zeros(1 << 22, np.int64)]
