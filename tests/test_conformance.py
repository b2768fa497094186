"""Files that were written once decode forever, to the committed pixels, on every backend.

Damage is always found.
"""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import compressnet
from backends import BACKENDS
from compressnet.codec.codec import Codec
from compressnet.container.container import Container
from compressnet.container.entries import EMBEDDED_PACKED
from compressnet.container.sources import FileSource
from compressnet.errors import CodecError, FormatError
from compressnet.lossy.sizeless import SizelessNetwork
from conftest import CONFORMANCE
from make_conformance import images_of_any_size

WAYS = [(backend, threads) for backend in BACKENDS for threads in (1, 2)]


@pytest.mark.parametrize(("backend", "threads"), WAYS)
def test_committed_files_decode_to_committed_pixels(
    tiny_name: str, tiny_path: Path, tiny_arrays: dict[str, np.ndarray], backend: str, threads: int
) -> None:
    codec = compressnet.load(tiny_path, backend, threads)
    with compressnet.open(CONFORMANCE / f"{tiny_name}.cnet", None, backend, threads) as archive:
        assert np.array_equal(archive[:], tiny_arrays["decoded"])
    assert np.array_equal(codec.encoder(tiny_arrays["images"]), tiny_arrays["symbols"])
    assert np.array_equal(
        codec.decoder(tiny_arrays["symbols"]).reshape(tiny_arrays["decoded"].shape), tiny_arrays["decoded"]
    )
    block = (CONFORMANCE / f"{tiny_name}.block").read_bytes()
    assert np.array_equal(codec.decompress(block).reshape(tiny_arrays["block"].shape), tiny_arrays["block"])


@pytest.mark.parametrize(("backend", "threads"), WAYS)
def test_a_mixed_archive_decodes_to_committed_pixels(backend: str, threads: int) -> None:
    with np.load(CONFORMANCE / "mixed.npz") as arrays:
        expected = list(arrays.values())
    with compressnet.open(CONFORMANCE / "mixed.cnet", None, backend, threads) as archive:
        archive.check()
        assert archive.shapes == [image.shape for image in expected]
        assert all(np.array_equal(image, known) for image, known in zip(archive, expected, strict=True))
        assert list(archive.names or []) == [f"folder/{i}.png" for i in range(len(expected))]


@pytest.mark.parametrize(("backend", "threads"), WAYS)
@pytest.mark.parametrize("name", ["deep", "tight"])
def test_archives_of_other_forms_decode_to_committed_pictures(name: str, backend: str, threads: int) -> None:
    with np.load(CONFORMANCE / f"{name}.npz") as arrays:
        expected = list(arrays.values())
    with compressnet.open(CONFORMANCE / f"{name}.cnet", None, backend, threads) as archive:
        archive.check()
        assert archive.class_names == (["cat", "dog", "ünknown"] if name == "deep" else None)
        for image, known in zip(archive, expected, strict=True):
            assert image.dtype == known.dtype
            assert np.array_equal(image, known)


@pytest.mark.filterwarnings("ignore::compressnet.errors.SlowerWarning")
@pytest.mark.parametrize(("backend", "threads"), WAYS)
@pytest.mark.parametrize(("name", "quality"), [("adaptive", 100), ("near", 97)])
def test_learned_archives_decode_to_committed_pictures(name: str, quality: int, backend: str, threads: int) -> None:
    with np.load(CONFORMANCE / f"{name}.npz") as arrays:
        expected = list(arrays.values())
    with compressnet.open(CONFORMANCE / f"{name}.cnet", None, backend, threads) as archive:
        blocks = [archive.container.read_block(i) for i in range(len(archive.container.blocks))]
        assert {(block.method, block.quality) for block in blocks} >= {(3, quality)}
        for image, known in zip(archive, expected, strict=True):
            assert image.dtype == known.dtype
            assert np.array_equal(image, known)


@pytest.mark.parametrize(("backend", "threads"), WAYS)
@pytest.mark.parametrize("name", ["any", "any8", "any16"])
def test_images_of_any_size_decode_to_committed_pixels(name: str, backend: str, threads: int, tmp_path: Path) -> None:
    codec = compressnet.load(CONFORMANCE / f"{name}.codec", backend, threads)
    with np.load(CONFORMANCE / f"{name}.npz") as arrays:
        expected = dict(arrays)
    block, committed = expected.pop("block"), (CONFORMANCE / f"{name}.block").read_bytes()
    with compressnet.open(CONFORMANCE / f"{name}.cnet", None, backend, threads) as archive:
        archive.check()
        assert all(np.array_equal(image, known) for image, known in zip(archive, expected.values(), strict=True))
        assert archive.container.codecs[0].embedded == (CONFORMANCE / f"{name}.packed").read_bytes()
        network = codec.bundle.networks[0]
        assert isinstance(network, SizelessNetwork)
        images = images_of_any_size(network.served)
        compressnet.compress(images, tmp_path / "again.cnet", codec, embed_codec=True)
        with Container(FileSource(tmp_path / "again.cnet")) as again:
            both = [[known.read_block(i) for i in range(len(known.blocks))] for known in (again, archive.container)]
            assert both[0] == both[1]
    assert np.array_equal(codec.decompress(committed).reshape(block.shape), block)
    assert codec.compress(images[2], quality=99) == committed


def test_pictures_give_the_committed_forms(tmp_path: Path) -> None:
    with np.load(CONFORMANCE / "deep.npz") as arrays:
        images = [image[None] for image in arrays.values()]
    compressnet.compress(images, tmp_path / "a.cnet", None, 100, block_images=3, modes="tight")
    with (
        Container(FileSource(tmp_path / "a.cnet")) as again,
        Container(FileSource(CONFORMANCE / "deep.cnet")) as committed,
    ):
        assert again.kinds == committed.kinds
        assert again.images_in_blocks == committed.images_in_blocks


@pytest.mark.filterwarnings("ignore::compressnet.errors.SlowerWarning")
@pytest.mark.parametrize(("backend", "threads"), WAYS)
def test_lossless_files_decode_to_committed_pixels(backend: str, threads: int, tmp_path: Path) -> None:
    with np.load(CONFORMANCE / "lossless.npz") as arrays:
        expected = list(arrays.values())
    codec = compressnet.load(CONFORMANCE / "lossless.codec", backend, threads)
    with compressnet.open(CONFORMANCE / "lossless.cnet", None, backend, threads) as archive:
        archive.check()
        assert all(np.array_equal(image, known) for image, known in zip(archive, expected, strict=True))
        assert archive.container.codecs[0].embedded == (CONFORMANCE / "lossless.packed").read_bytes()
        runs = [expected[:6], expected[6:11], expected[11:13], expected[13:17], expected[17:]]
        again = tmp_path / "again.cnet"
        compressnet.compress(map(np.stack, runs), again, codec, quality=100, block_images=4, embed_codec=True)
        with Container(FileSource(again)) as written:
            both = [[known.read_block(i) for i in range(len(known.blocks))] for known in (written, archive.container)]
            again_written, committed = ([block.payload for block in some if block.method == 2] for some in both)
            assert again_written == committed
    for name, images in (("grey", expected[:3]), ("alpha", expected[6:8])):
        block = (CONFORMANCE / f"lossless-{name}.block").read_bytes()
        assert np.array_equal(codec.decompress(block), np.stack(images))
        assert codec.compress(np.stack(images), quality=100) == block


@pytest.mark.parametrize(("backend", "threads"), WAYS)
def test_the_same_images_give_the_committed_bytes(
    tiny_name: str, tiny_path: Path, tiny_arrays: dict[str, np.ndarray], tmp_path: Path, backend: str, threads: int
) -> None:
    codec, images = compressnet.load(tiny_path, backend, threads), tiny_arrays["images"]
    labels = list(range(23)) if tiny_name == "grey" else [f"blob {i}" for i in range(23)]
    written = tmp_path / "again.cnet"
    compressnet.compress(images, written, codec, block_images=10, labels=labels, embed_codec=True)
    packed = (CONFORMANCE / f"{tiny_name}.packed").read_bytes()
    with Container(FileSource(written)) as again, Container(FileSource(CONFORMANCE / f"{tiny_name}.cnet")) as committed:
        assert [again.read_block(i) for i in range(3)] == [committed.read_block(i) for i in range(3)]
        assert again.kinds == committed.kinds
        assert again.codecs == [replace(committed.codecs[0], embedded=packed, embedded_as=EMBEDDED_PACKED)]
    assert codec.compress(images[:3], quality=99) == (CONFORMANCE / f"{tiny_name}.block").read_bytes()


def small_archive(codec: Codec, images: np.ndarray) -> bytes:
    stream = io.BytesIO()
    compressnet.compress(images[:5], stream, codec, block_images=2, labels=[3, 1, 4, 1, 5], embed_codec=False)
    return stream.getvalue()


def check(data: bytes, codec: Codec) -> None:
    with compressnet.open(data, codec) as archive:
        archive.check()


def test_every_flipped_byte_is_an_error(tiny: Codec, tiny_images: np.ndarray) -> None:
    data = small_archive(tiny, tiny_images)
    check(data, tiny)
    for i in range(len(data)):
        damaged = data[:i] + bytes([data[i] ^ 0x41]) + data[i + 1 :]
        with pytest.raises((FormatError, CodecError), match="<bytes>"):
            check(damaged, tiny)


def mixed_archive(codec: Codec, images: np.ndarray) -> bytes:
    stream = io.BytesIO()
    other = np.arange(3 * 4 * 5 * 3, dtype=np.uint8).reshape(3, 4, 5, 3)
    arrays = [images[:2], other, images[1:4]]
    compressnet.compress(arrays, stream, codec, labels=range(8), names=list("abcdefgh"), embed_codec=False)
    return stream.getvalue()


def test_every_flipped_byte_and_cut_of_a_mixed_archive_is_an_error(tiny: Codec, tiny_images: np.ndarray) -> None:
    data = mixed_archive(tiny, tiny_images)
    check(data, tiny)
    for i in range(len(data)):
        for damaged in (data[:i] + bytes([data[i] ^ 0x41]) + data[i + 1 :], data[:i]):
            with pytest.raises((FormatError, CodecError), match="<bytes>"):
                check(damaged, tiny)


def test_every_cut_is_an_error(tiny: Codec, tiny_images: np.ndarray) -> None:
    data = small_archive(tiny, tiny_images)
    for length in range(len(data)):
        with pytest.raises(FormatError, match="<bytes>"):
            check(data[:length], tiny)


def test_every_flipped_byte_of_a_single_block_is_an_error(tiny: Codec, tiny_images: np.ndarray) -> None:
    data = tiny.compress(tiny_images[:2])
    for i in range(len(data)):
        with pytest.raises(FormatError):
            tiny.decompress(data[:i] + bytes([data[i] ^ 0x41]) + data[i + 1 :])
    for length in range(len(data)):
        with pytest.raises(FormatError):
            tiny.decompress(data[:length])


def test_a_flipped_byte_of_an_embedded_codec_is_an_error(tiny_name: str) -> None:
    data = (CONFORMANCE / f"{tiny_name}.cnet").read_bytes()
    for i in range(0, len(data), 97):
        damaged = data[:i] + bytes([data[i] ^ 0x08]) + data[i + 1 :]
        with pytest.raises((FormatError, CodecError), match="<bytes>"), compressnet.open(damaged) as archive:
            archive.check()
