"""Layouts: mosaics within the sides that a format holds, tars that other programs read."""

from __future__ import annotations

import io
import tarfile
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from compressnet.bench.rivals.lossless.formats import PNG
from compressnet.bench.rivals.lossless.layouts import PngTar, encode_mosaics, encode_pixels, encode_raw_tar
from compressnet.bench.rivals.lossless.stacks import difference, make_stacks
from compressnet.bench.rivals.lossless.streams import ByteCodec
from drawings import sprites
from mixed_images import deep_batches, mixed_batches


class Kept:
    """A byte codec that keeps what it was given."""

    def __init__(self) -> None:
        self.data: list[bytes] = []
        self.codec = ByteCodec(key="kept", name="kept", compress=self.compress, decompress=lambda data: data)

    def compress(self, data: bytes) -> bytes:
        self.data.append(data)
        return data


@pytest.mark.parametrize("shape", [(50, 5, 9), (50, 9, 5), (7, 3, 30), (1, 40, 40), (300, 2, 2)])
def test_mosaics_are_no_larger_than_a_format_holds(shape: tuple[int, int, int]) -> None:
    images = np.random.default_rng(1).integers(0, 256, (*shape, 3), np.uint8)
    stacks = make_stacks([images])
    sides: list[int] = []

    def save(picture: np.ndarray) -> bytes:
        sides.extend(picture.shape[:2])
        return PNG.save(picture)

    coded = encode_mosaics(stacks, replace(PNG, save=save, side_px=40))
    assert difference(stacks, coded.decode()) is None
    assert max(sides) <= 40
    sides.clear()
    coded = encode_mosaics(stacks, replace(PNG, save=save))
    assert difference(stacks, coded.decode()) is None
    assert len(sides) == 2


def test_the_stream_has_every_value_once() -> None:
    stacks = make_stacks([*mixed_batches(), *deep_batches()])
    kept = Kept()
    coded = encode_pixels(stacks, kept.codec)
    assert coded.total_bytes == stacks.raw_bytes
    assert difference(stacks, coded.decode()) is None


def test_a_tar_of_raw_files_has_one_for_each_image() -> None:
    stacks = make_stacks([sprites(4, channels=3), sprites(2, channels=1)])
    kept = Kept()
    coded = encode_raw_tar(stacks, kept.codec)
    assert difference(stacks, coded.decode()) is None
    with tarfile.open(fileobj=io.BytesIO(kept.data[0])) as tar:
        names = tar.getnames()
        assert names == [f"{i}.pam" for i in range(6)]
        headers = [tar.extractfile(name).read().split(b"ENDHDR\n")[0] for name in names]
    assert headers[0] == b"P7\nWIDTH 16\nHEIGHT 16\nDEPTH 1\nMAXVAL 255\nTUPLTYPE GRAYSCALE\n"
    assert headers[2] == b"P7\nWIDTH 16\nHEIGHT 16\nDEPTH 3\nMAXVAL 255\nTUPLTYPE RGB\n"


def test_a_tar_of_png_files_is_made_once() -> None:
    stacks = make_stacks([sprites(3, channels=4)], hidden_colour=True)
    saved: list[bytes] = []

    def save(picture: np.ndarray) -> bytes:
        saved.append(PNG.save(picture))
        return saved[-1]

    tar = PngTar(replace(PNG, save=save))
    first, second = Kept(), Kept()
    tar.encode(stacks, first.codec)
    coded = tar.encode(stacks, second.codec)
    assert len(saved) == 3
    assert first.data == second.data
    assert coded.earlier_s > 0
    assert difference(stacks, coded.decode()) is None
    with tarfile.open(fileobj=io.BytesIO(first.data[0])) as opened:
        pictures = [Image.open(opened.extractfile(name)) for name in opened.getnames()]
        assert np.array_equal(np.stack([np.asarray(picture) for picture in pictures]), stacks.parts[0].images_NHWC)
    other = make_stacks([sprites(2, channels=4)])
    assert difference(other, tar.encode(other, Kept().codec).decode()) is None
