"""Pictures of every format and mode, and one clear line for those that are not read."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from compressnet.errors import InputError
from compressnet.images import open_collection
from compressnet.images.formats.pictures import decode_picture, encode_png
from compressnet.images.untrusted import FILE_BYTES_LIMIT
from picture_files import SHAPES, damage, grey, picture

RGB = np.random.default_rng(0).integers(0, 256, (9, 12, 3), np.uint8)
GREY = RGB[..., 0].copy()


def decode(image: Image.Image, form: str, **options: object) -> np.ndarray:
    return decode_picture(picture(image, form, **options), "a picture")


@given(shape=SHAPES, seed=st.integers(0, 99))
def test_png_is_lossless_in_every_mode(shape: tuple[int, ...], seed: int) -> None:
    image = np.random.default_rng(seed).integers(0, 256, shape, np.uint8)
    assert np.array_equal(decode_picture(encode_png(image), "a picture"), image)


@pytest.mark.parametrize("form", ["png", "bmp", "tiff"])
@pytest.mark.parametrize("image", [GREY, RGB], ids=["grey", "colour"])
def test_lossless_formats(form: str, image: np.ndarray) -> None:
    assert np.array_equal(decode(Image.fromarray(image), form), image)


def test_gif_and_webp_and_jpeg() -> None:
    palette = Image.fromarray(RGB).quantize(16)
    assert np.array_equal(decode(palette, "gif"), np.asarray(palette.convert("RGB")))
    assert np.array_equal(decode(Image.fromarray(RGB), "webp", lossless=True), RGB)
    assert decode(Image.fromarray(RGB), "jpeg").shape == RGB.shape


def transparent(mode: str) -> Image.Image:
    """A picture with one colour declared transparent."""
    image = Image.fromarray(RGB).quantize(16) if mode == "P" else Image.fromarray(RGB).convert(mode)
    image.info["transparency"] = {"P": 3, "L": 7, "RGB": tuple(RGB[0, 0].tolist())}[mode]
    return image


@pytest.mark.parametrize(
    ("image", "form", "channels"),
    [
        (Image.fromarray(GREY).convert("1"), "png", 1),
        (Image.fromarray(GREY), "jpeg", 1),
        (Image.fromarray(RGB).quantize(16), "png", 3),
        (transparent("P"), "png", 4),
        (transparent("P"), "gif", 4),
        (transparent("L"), "png", 2),
        (transparent("RGB"), "png", 4),
        (Image.fromarray(RGB).convert("CMYK"), "jpeg", 3),
        (Image.fromarray(RGB).convert("CMYK"), "tiff", 3),
        (Image.fromarray(RGB).convert("YCbCr"), "jpeg", 3),
        (Image.fromarray(GREY).convert("LA"), "png", 2),
        (Image.fromarray(np.dstack([RGB, GREY])), "webp", 4),
        (Image.fromarray(np.dstack([RGB, GREY])), "png", 4),
    ],
)
def test_modes_become_grey_or_colour_with_or_without_alpha(image: Image.Image, form: str, channels: int) -> None:
    assert decode(image, form).shape == ((9, 12) if channels == 1 else (9, 12, channels))


def test_first_frame_and_first_page() -> None:
    frames = [Image.fromarray(np.full((8, 8), value, np.uint8)) for value in (10, 20, 30)]
    for form in ("gif", "tiff"):
        assert decode(frames[0], form, save_all=True, append_images=frames[1:]).max() == 10


def test_exif_orientation_is_not_applied() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    assert decode(Image.fromarray(RGB), "jpeg", exif=exif).shape == (9, 12, 3)


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def deep_png(colour_type: int, channels: int) -> bytes:
    """4x4 pixels of 16 bits, which Pillow does not write in every mode."""
    rows = zlib.compress((b"\0" + bytes(4 * 2 * channels)) * 4)
    header = struct.pack(">IIBBBBB", 4, 4, 16, colour_type, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def animated(form: str) -> bytes:
    frames = [Image.fromarray(RGB), Image.fromarray(RGB[::-1].copy())]
    return picture(frames[0], form, save_all=True, append_images=frames[1:])


DEEP = r"16-bit or floating-point pixels; .* mogrify -depth 8 FILE"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (deep_png(0, 1), DEEP),
        (deep_png(2, 3), DEEP),
        (deep_png(4, 2), DEEP),
        (deep_png(6, 4), DEEP),
        (picture(Image.fromarray(np.zeros((4, 4), np.float32)), "tiff"), DEEP),
        (picture(Image.fromarray(np.zeros((4, 4), np.int32)), "tiff"), DEEP),
        (picture(Image.fromarray(np.zeros((4, 4), np.uint16)), "tiff"), DEEP),
        (picture(Image.new("L", (4097, 1)), "png"), "4097x1 pixels, but 4096 is the limit"),
        (picture(Image.new("1", (12000, 10000)), "png"), "12000x10000 pixels, but 4096 is the limit"),
        (animated("png"), "an animation"),
        (animated("webp"), "an animation"),
        (b"no picture", "not a picture, though it is named like one"),
        (b"", "not a picture, though it is named like one"),
        (picture(Image.fromarray(RGB), "ppm"), "not a picture, though it is named like one"),
        (picture(Image.fromarray(RGB), "png")[:-100], "cannot be read as a picture"),
        (picture(Image.fromarray(RGB), "jpeg")[:-100], "cannot be read as a picture"),
    ],
)
def test_pictures_that_are_not_read_are_named(tmp_path: Path, data: bytes, message: str) -> None:
    (tmp_path / "a.png").write_bytes(grey(1))
    (tmp_path / "b.png").write_bytes(data)
    with pytest.raises(InputError, match=rf"b\.png: {message}") as caught:
        open_collection(tmp_path).load()
    assert str(caught.value).startswith(str(tmp_path / "b.png"))


def test_files_far_too_large_for_a_picture(tmp_path: Path) -> None:
    with (tmp_path / "a.png").open("wb") as stream:
        stream.truncate(FILE_BYTES_LIMIT + 1)
    with pytest.raises(InputError, match=r"a\.png: more than 128 MiB"):
        open_collection(tmp_path).load()


@settings(max_examples=300, deadline=None)
@given(form=st.sampled_from(["png", "jpeg", "webp", "bmp", "gif", "tiff"]), harm=damage())
def test_damaged_pictures_give_pixels_or_one_error(form: str, harm: Callable[[bytes], bytes]) -> None:
    data = harm(picture(Image.fromarray(RGB), form))
    try:
        assert decode_picture(data, "a picture").dtype == np.uint8
    except InputError as error:
        assert str(error).startswith("a picture: ")  # noqa: PT017
