"""Pictures of every format and mode, and one clear line for those that are not read."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from compressnet.errors import InputError, PictureError
from compressnet.images import Reading, open_collection
from compressnet.images.formats.pictures.pictures import TURNED, decode_picture, encode_png, look_at
from compressnet.images.reading import AS_IT_IS
from compressnet.images.untrusted import FILE_BYTES_LIMIT
from picture_files import SHAPES, damage, grey, picture

RGB = np.random.default_rng(0).integers(0, 256, (9, 12, 3), np.uint8)
GREY = RGB[..., 0].copy()


def only(data: bytes, reading: Reading = AS_IT_IS) -> np.ndarray:
    (image,) = decode_picture(data, "", "a picture", reading)
    return image


def decode(image: Image.Image, form: str, **options: object) -> np.ndarray:
    return only(picture(image, form, **options))


@given(shape=SHAPES, seed=st.integers(0, 99))
def test_png_is_lossless_in_every_mode(shape: tuple[int, ...], seed: int) -> None:
    image = np.random.default_rng(seed).integers(0, 256, shape, np.uint8)
    assert np.array_equal(only(encode_png(image)), image)


@given(shape=SHAPES, seed=st.integers(0, 99))
def test_png_keeps_16_bits_in_every_mode(shape: tuple[int, ...], seed: int) -> None:
    image = np.random.default_rng(seed).integers(0, 65536, shape, np.uint16)
    found = only(encode_png(image))
    assert found.dtype == np.uint16
    assert np.array_equal(found, image)


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


def frames_of(form: str) -> list[np.ndarray]:
    pages = [Image.fromarray(np.full((8, 8, 3), value, np.uint8)) for value in (10, 20, 30)]
    data = picture(pages[0], form, save_all=True, append_images=pages[1:], lossless=True)
    assert look_at(data, "", "a picture").frames == 3
    return list(decode_picture(data, "", "a picture"))


@pytest.mark.parametrize("form", ["gif", "png", "webp", "tiff"])
def test_every_frame_and_page_is_an_image(form: str) -> None:
    assert [int(image[0, 0, 0]) for image in frames_of(form)] == [10, 20, 30]


def test_frames_of_an_animation_have_one_mode_even_if_some_hide_nothing() -> None:
    flat = np.zeros((9, 12, 4), np.uint8)
    flat[..., 0], flat[..., 3] = 200, 255
    holed = flat.copy()
    holed[2:5, 3:6] = 0
    pages = [Image.fromarray(image) for image in (holed, flat, holed)]
    data = picture(pages[0], "gif", save_all=True, append_images=pages[1:], disposal=2)
    found = list(decode_picture(data, "", "a picture"))
    assert [image.shape for image in found] == [(9, 12, 4)] * 3
    assert [int((image[..., 3] == 0).sum()) for image in found[:2]] == [9, 0]


def test_every_size_of_an_icon_is_an_image(tmp_path: Path) -> None:
    Image.new("RGBA", (64, 64), (10, 200, 30, 255)).save(tmp_path / "a.ico", sizes=[(16, 16), (64, 64), (32, 32)])
    collection = open_collection(tmp_path)
    assert [image.shape for batch in collection.batches() for image in batch] == [(n, n, 4) for n in (16, 32, 64)]
    assert collection.names == ["a-0.ico", "a-1.ico", "a-2.ico"]


def viewed(orientation: int) -> np.ndarray:
    """What viewers show of RGB with an EXIF orientation: rows and columns by the EXIF standard."""
    return {
        1: RGB,
        2: RGB[:, ::-1],
        3: RGB[::-1, ::-1],
        4: RGB[::-1],
        5: RGB.swapaxes(0, 1),
        6: np.rot90(RGB, -1),
        7: RGB.swapaxes(0, 1)[::-1, ::-1],
        8: np.rot90(RGB, 1),
    }[orientation]


@pytest.mark.parametrize("form", ["png", "webp", "tiff"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_are_turned_as_viewers_show_them(form: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if form == "webp" else {}
    data = picture(Image.fromarray(RGB), form, exif=exif, **options)
    assert np.array_equal(only(data), viewed(orientation))
    assert (TURNED in look_at(data, "", "a picture").changed) == (orientation != 1)


def test_an_orientation_behind_the_pixels_of_a_png_counts() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = picture(Image.fromarray(RGB), "png", exif=exif)
    start = data.index(b"eXIf") - 4
    length = 12 + int.from_bytes(data[start : start + 4], "big")
    moved = data[:start] + data[start + length : -12] + data[start : start + length] + data[-12:]
    assert np.array_equal(only(moved), viewed(6))
    assert TURNED in look_at(moved, "", "a picture").changed


def test_colour_profiles_are_said_to_be_dropped() -> None:
    data = picture(Image.fromarray(RGB), "png", icc_profile=b"some profile")
    assert look_at(data, "", "a picture").dropped == ("colour profile (ICC)",)


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_the_transparent_grey_of_few_bits(bits: int) -> None:
    largest = (1 << bits) - 1
    byte = {1: 0b10_11_00_11, 2: 0b11_10_01_00, 4: 0x0F, 8: 255}[bits]
    row = zlib.compress(b"\0" + bytes([byte]))
    width = 8 // bits
    header = struct.pack(">IIBBBBB", width, 1, bits, 0, 0, 0, 0)
    key = chunk(b"tRNS", struct.pack(">H", largest))
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + key + chunk(b"IDAT", row) + chunk(b"IEND", b"")
    levels = [(byte >> (8 - bits * (i + 1))) & largest for i in range(width)]
    assert only(data)[0].tolist() == [[level * 255 // largest, 0 if level == largest else 255] for level in levels]


def test_bitmaps_of_16_bits_a_pixel_have_8_bits_a_channel(tmp_path: Path) -> None:
    masks = struct.pack("<III", 0xF800, 0x07E0, 0x001F)
    pixels = struct.pack("<HH", 0xF800, 0x001F)
    info = struct.pack("<IiiHHIIiiII", 40, 2, 1, 1, 16, 3, len(pixels), 0, 0, 0, 0)
    start = 14 + len(info) + len(masks)
    head = b"BM" + struct.pack("<IHHI", start + len(pixels), 0, 0, start)
    (tmp_path / "a.bmp").write_bytes(head + info + masks + pixels)
    assert open_collection(tmp_path).load().tolist() == [[[[255, 0, 0], [0, 0, 255]]]]


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def deep_png(colour_type: int, channels: int) -> bytes:
    """4x4 pixels of 16 bits, which Pillow does not write in every mode."""
    rows = zlib.compress((b"\0" + bytes(4 * 2 * channels)) * 4)
    header = struct.pack(">IIBBBBB", 4, 4, 16, colour_type, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


DEEP = r"16-bit pixels; --quality 100 keeps them without loss, --convert makes 8 of them"
ONE = r" \(1 of 2 pictures is so; --skip-bad leaves them out\)"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (deep_png(0, 1), DEEP),
        (deep_png(2, 3), DEEP),
        (deep_png(4, 2), DEEP),
        (deep_png(6, 4), DEEP),
        (picture(Image.fromarray(np.zeros((4, 4), np.float32)), "tiff"), "pixels of floating point; --convert"),
        (picture(Image.fromarray(np.zeros((4, 4), np.int32)), "tiff"), "pixels of integers beyond 16 bits; --convert"),
        (picture(Image.fromarray(np.zeros((4, 4), np.uint16)), "tiff"), DEEP),
        (picture(Image.new("L", (4097, 1)), "png"), "4097x1 pixels, but 4096 is the limit"),
        (picture(Image.new("1", (12000, 10000)), "png"), "12000x10000 pixels, but 4096 is the limit"),
        (picture(Image.new("1", (30000, 30000)), "png"), "far more pixels than 4096 a side"),
        (b"no picture", "not a picture, though it is named like one"),
        (b"", "empty; move it away"),
        (picture(Image.fromarray(RGB), "png")[:-100], "cannot be read as a picture"),
        (picture(Image.fromarray(RGB), "jpeg")[:-100], "cannot be read as a picture"),
    ],
)
def test_pictures_that_are_not_read_are_named(tmp_path: Path, data: bytes, message: str) -> None:
    (tmp_path / "a.png").write_bytes(grey(1))
    (tmp_path / "b.png").write_bytes(data)
    with pytest.raises(PictureError, match=rf"b\.png: {message}.*{ONE}") as caught:
        for _ in open_collection(tmp_path, Reading(deep=False)).batches():
            pass
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
        frames = look_at(data, "", "a picture").frames
        found = list(decode_picture(data, "", "a picture"))
        assert len(found) == frames
        assert all(image.dtype in (np.uint8, np.uint16) for image in found)
    except InputError as error:
        assert str(error).startswith("a picture: ")  # noqa: PT017


def test_sixteen_bits_come_as_they_are_or_as_eight(tmp_path: Path) -> None:
    deep = np.random.default_rng(0).integers(0, 65536, (5, 6, 3), np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", deep, photometric="rgb")
    tifffile.imwrite(tmp_path / "b.tif", np.moveaxis(deep, 2, 0).copy(), photometric="rgb", planarconfig="separate")
    (tmp_path / "c.png").write_bytes(encode_png(deep))
    (tmp_path / "d.ppm").write_bytes(b"P6 6 5 65535\n" + deep.astype(">u2").tobytes())
    assert np.array_equal(open_collection(tmp_path).load(), np.stack([deep] * 4))
    converted = open_collection(tmp_path, Reading(convert=True))
    assert np.array_equal(converted.load(), np.stack([np.rint(deep / 257).astype(np.uint8)] * 4))
    assert (
        converted.account.lines()[0] == "4 changed, 16 bits made 8 (2 .tif, 1 .png, 1 .ppm): a.tif, b.tif, c.png, ..."
    )


def test_grey_tiff_of_16_bits_where_white_is_zero(tmp_path: Path) -> None:
    deep = np.arange(12, dtype=np.uint16).reshape(3, 4) * 5000
    for order, name in (("<", "a.tif"), (">", "b.tif")):
        tifffile.imwrite(tmp_path / name, 65535 - deep, photometric="miniswhite", byteorder=order)
    tifffile.imwrite(tmp_path / "c.tif", deep, photometric="minisblack")
    assert np.array_equal(open_collection(tmp_path).load(), np.stack([deep] * 3))


def test_extra_channels_of_tiff(tmp_path: Path) -> None:
    for dtype, largest in ((np.uint8, 255), (np.uint16, 65535)):
        pixels = np.array([[[largest // 2, 0, largest // 4, largest // 2]]], dtype)
        path = tmp_path / f"{largest}.tif"
        tifffile.imwrite(path, pixels, photometric="rgb", extrasamples=["assocalpha"])
        found = open_collection(path)
        assert found.load()[0, 0, 0].tolist() == pytest.approx([largest, 0, largest // 2, largest // 2], abs=1)
        assert [note.what for note in found.account.changed] == ["premultiplied alpha read as plain alpha"]
        tifffile.imwrite(path, pixels, photometric="rgb", extrasamples=["unspecified"])
        found = open_collection(path)
        assert found.load()[0, 0, 0].tolist() == pixels[0, 0, :3].tolist()
        assert [note.what for note in found.account.dropped] == ["channel of which the TIFF says nothing"]


def test_grey_of_12_bits(tmp_path: Path) -> None:
    values = np.array([[0, 2048, 4095]], ">u2")
    (tmp_path / "a.pgm").write_bytes(b"P5\n3 1\n4095\n" + values.tobytes())
    assert open_collection(tmp_path).load().tolist() == [[[0, 32776, 65535]]]
    assert open_collection(tmp_path, Reading(convert=True)).load().tolist() == [[[0, 128, 255]]]
    imagecodecs = pytest.importorskip("imagecodecs")
    assert imagecodecs is not None
    tifffile.imwrite(tmp_path / "a.tif", values.astype(np.uint16), photometric="minisblack", bitspersample=12)
    (tmp_path / "a.pgm").unlink()
    with pytest.raises(PictureError, match=r"a\.tif: pixels of 9 to 15 bits; --convert makes 8 bits of them"):
        open_collection(tmp_path)
    assert open_collection(tmp_path, Reading(convert=True)).load().tolist() == [[[0, 128, 255]]]


@pytest.mark.parametrize("one", [b"P4 9 1\n\xaa\x80", b"P5 2 1 255\nPP", b"P5 1 1 65535\nPP", b"P6 1 1 255\nPPP"])
def test_the_second_picture_of_a_pnm_is_said_to_be_dropped(tmp_path: Path, one: bytes) -> None:
    for data, expected in ((one, []), (one + b"\n", []), (one + one, ["further pictures in the file (PNM)"])):
        (tmp_path / "a.pnm").write_bytes(data)
        collection = open_collection(tmp_path)
        assert collection.load().shape[0] == 1
        assert [note.what for note in collection.account.dropped] == expected


def test_damaged_exif_leaves_the_pixels(tmp_path: Path) -> None:
    data = picture(Image.fromarray(RGB), "png", exif=b"garbage, and more of it")
    (tmp_path / "a.png").write_bytes(data)
    collection = open_collection(tmp_path)
    assert np.array_equal(collection.load(), RGB[None])
    assert [note.what for note in collection.account.dropped] == ["EXIF data that cannot be read"]


def test_floats_and_large_integers_are_converted_where_their_range_says_how(tmp_path: Path) -> None:
    values = {"a": np.array([[0, 0.5, 1]], np.float32), "b": np.array([[0, 128, 255]], np.float32)}
    values |= {"c": np.array([[0, 257, 65535]], np.int32), "d": np.array([[0, 1, 255]], np.int32)}
    for name, array in values.items():
        Image.fromarray(array).save(tmp_path / f"{name}.tif")
    found = open_collection(tmp_path, Reading(convert=True)).load()
    assert found[:, 0].tolist() == [[0, 128, 255], [0, 128, 255], [0, 1, 255], [0, 1, 255]]
    Image.fromarray(np.array([[-1.0, 7]], np.float32)).save(tmp_path / "e.tif")
    with pytest.raises(PictureError, match=r"e\.tif: values from -1 to 7; scale them to 0\.\.1, 0\.\.255 or"):
        open_collection(tmp_path, Reading(convert=True))


def test_pictures_are_told_by_content_whatever_their_ending(tmp_path: Path) -> None:
    forms = {"a": "png", "b.dat": "jpeg", "c.jfif": "jpeg", "d.dib": "bmp", "e.pgm": "ppm", "f.tga": "tga"}
    forms |= {"g.jp2": "jpeg2000", "h.avif": "avif", "i.pcx": "pcx", "j.qoi": "qoi", "k.txt": "gif"}
    for name, form in forms.items():
        (tmp_path / name).write_bytes(picture(Image.fromarray(RGB), form))
    (tmp_path / "notes.txt").write_text("P4 is how a bitmap begins; BM, too")
    (tmp_path / "z").write_text("P6 and this is none")
    collection = open_collection(tmp_path)
    assert collection.names == sorted(forms)
    assert [note.names for note in collection.account.left_out] == [("notes.txt", "z")]
    assert sum(len(batch) for batch in collection.batches()) == len(forms)


def test_bad_pictures_are_counted_or_skipped(tmp_path: Path) -> None:
    for i in range(5):
        (tmp_path / f"{i}.png").write_bytes(grey(i))
    (tmp_path / "1.png").write_bytes(grey(1)[:-30])
    (tmp_path / "3.png").write_bytes(b"text")
    (tmp_path / "4.png").write_bytes(b"text")
    with pytest.raises(PictureError, match=r"3\.png: not a picture.* \(2 of 5 pictures are so; --skip-bad leaves them"):
        open_collection(tmp_path)
    collection = open_collection(tmp_path, Reading(skip_bad=True))
    assert collection.names == ["0.png", "2.png"]
    assert {note.what: note.names for note in collection.account.skipped} == {
        "damaged or cut off": ("1.png",),
        "no pictures": ("3.png", "4.png"),
    }
    assert collection.load().max() == 2


def test_damage_within_pixels_is_counted(tmp_path: Path) -> None:
    for i in range(4):
        (tmp_path / f"{i}.png").write_bytes(picture(Image.fromarray(RGB), "png")[: None if i % 2 else -100])
    collection = open_collection(tmp_path)
    with pytest.raises(PictureError, match=r"0\.png: cannot be read.* \(2 of 4 pictures are so;"):
        collection.load()
