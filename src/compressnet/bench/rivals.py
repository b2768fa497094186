"""General codecs to compare with, at their slow settings: image codecs by Pillow and its plugins, and byte codecs.

Each codes the collection in the way that suits it best: one file per image, or all images as one mosaic picture, which
spares the headers. Byte codecs code each image with a dictionary, or all pixels as one stream.
"""

from __future__ import annotations

import importlib
import io
import lzma
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from compressnet.alpha import has_alpha
from compressnet.bench.klt import encode_klt
from compressnet.errors import InputError, MissingExtraError
from compressnet.network import Images

Mode = Literal["single", "mosaic"]
Setting = dict[str, Any]

DICTIONARY_BYTES = 16 << 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Coded:
    """A collection that a rival has coded: its bytes in all, and how to get the images (N,H,W,C) back."""

    total_bytes: int
    decode: Callable[[], Images]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rival:
    """A codec at several settings; `encode` codes images (N,H,W,C)."""

    name: str
    mode: Mode
    lossless: bool
    settings: tuple[Setting, ...]
    encode: Callable[[Images, Setting], Coded]


def mosaic(images_NHWC: Images) -> Images:
    """All images as one picture (rows*H,columns*W,C), about square; places left over are black."""
    count, height, width, channels = images_NHWC.shape
    columns = math.ceil(math.sqrt(count * height / width))
    rows = math.ceil(count / columns)
    canvas = np.zeros((rows * columns, height, width, channels), np.uint8)
    canvas[:count] = images_NHWC
    placed = canvas.reshape(rows, columns, height, width, channels).transpose(0, 2, 1, 3, 4)
    return placed.reshape(rows * height, columns * width, channels)


def unmosaic(picture: Images, shape: tuple[int, ...]) -> Images:
    """The images (N,H,W,C) of a mosaic."""
    count, height, width, channels = shape
    columns = picture.shape[1] // width
    tiles = picture.reshape(-1, height, columns, width, channels).transpose(0, 2, 1, 3, 4)
    return np.ascontiguousarray(tiles.reshape(-1, height, width, channels)[:count])


def save_picture(picture_HWC: Images, file_format: str, setting: Setting) -> bytes:
    """A picture of 1 to 4 channels as a file of Pillow's format of that name. Raises InputError for JPEG with alpha."""
    if file_format == "JPEG" and has_alpha(picture_HWC.shape[2]):
        raise InputError("JPEG has no alpha; leave jpeg out of --rivals for these images")
    stream = io.BytesIO()
    pixels = picture_HWC[..., 0] if picture_HWC.shape[2] == 1 else picture_HWC
    Image.fromarray(pixels).save(stream, file_format, **setting)
    return stream.getvalue()


def open_picture(data: bytes, channels: int) -> Images:
    """The pixels (H,W,C) of a file, whatever channels it has chosen to keep."""
    mode = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}[channels]
    with Image.open(io.BytesIO(data)) as picture:
        pixels = np.asarray(picture.convert(mode))
    return pixels.reshape(*pixels.shape[:2], channels)


def _picture_rival(name: str, file_format: str, mode: Mode, settings: Sequence[Setting], *, lossless: bool) -> Rival:
    def encode(images_NHWC: Images, setting: Setting) -> Coded:
        channels = images_NHWC.shape[3]
        if mode == "mosaic":
            data = save_picture(mosaic(images_NHWC), file_format, setting)
            return Coded(
                total_bytes=len(data), decode=lambda: unmosaic(open_picture(data, channels), images_NHWC.shape)
            )
        files = [save_picture(image, file_format, setting) for image in images_NHWC]
        return Coded(
            total_bytes=sum(map(len, files)),
            decode=lambda: np.stack([open_picture(file, channels) for file in files]),
        )

    return Rival(name=name, mode=mode, lossless=lossless, settings=tuple(settings), encode=encode)


def _from_bytes(data: bytes, shape: tuple[int, ...]) -> Images:
    return np.frombuffer(data, np.uint8).reshape(shape)


def _encode_xz(images_NHWC: Images, setting: Setting) -> Coded:
    data = lzma.compress(images_NHWC.tobytes(), **setting)
    return Coded(total_bytes=len(data), decode=lambda: _from_bytes(lzma.decompress(data), images_NHWC.shape))


def _encode_zstd_stream(images_NHWC: Images, setting: Setting) -> Coded:
    import zstandard

    data = zstandard.ZstdCompressor(**setting).compress(images_NHWC.tobytes())
    return Coded(
        total_bytes=len(data),
        decode=lambda: _from_bytes(zstandard.ZstdDecompressor().decompress(data), images_NHWC.shape),
    )


def _encode_zstd_dictionary(images_NHWC: Images, setting: Setting) -> Coded:
    """Each image with a dictionary that was trained on the images themselves and counts."""
    import zstandard

    samples = [image.tobytes() for image in images_NHWC]
    dictionary = zstandard.train_dictionary(DICTIONARY_BYTES, samples)
    compressor = zstandard.ZstdCompressor(
        dict_data=dictionary, write_content_size=False, write_dict_id=False, **setting
    )
    files = [compressor.compress(sample) for sample in samples]

    def decode() -> Images:
        decompressor = zstandard.ZstdDecompressor(dict_data=dictionary)
        image_bytes = len(samples[0])
        parts = [decompressor.decompress(file, max_output_size=image_bytes) for file in files]
        return _from_bytes(b"".join(parts), images_NHWC.shape)

    return Coded(total_bytes=sum(map(len, files)) + len(dictionary.as_bytes()), decode=decode)


def _encode_klt(images_NHWC: Images, setting: Setting) -> Coded:
    coded = encode_klt(images_NHWC, setting["step"])
    return Coded(total_bytes=coded.total_bytes, decode=coded.decode)


def _qualities(*values: int, **others: Any) -> list[Setting]:
    return [{"quality": value, **others} for value in values]


_JPEG = _qualities(2, 5, 10, 20, 35, 50, 65, 80, 90, optimize=True)
_WEBP = _qualities(0, 3, 6, 10, 20, 35, 50, 70, 85, method=6)
_AVIF = _qualities(2, 5, 10, 15, 20, 25, 30, 40, 55, speed=4, subsampling="4:4:4")
_JXL = _qualities(5, 15, 25, 30, 40, 50, 60, 75, 90, effort=7, lossless=False)
_JPEG2000: list[Setting] = [
    {"quality_mode": "dB", "quality_layers": [psnr], "irreversible": True, "no_jp2": True} for psnr in range(20, 39, 3)
]
_STEPS = [{"step": step} for step in (12, 18, 26, 36, 50, 70, 100, 140, 200, 280)]


def _all() -> dict[str, list[Rival]]:
    both: tuple[Mode, Mode] = ("mosaic", "single")
    lossy = (
        ("jpeg", "JPEG", _JPEG),
        ("webp", "WEBP", _WEBP),
        ("avif", "AVIF", _AVIF),
        ("jxl", "JXL", _JXL),
        ("jpeg2000", "JPEG2000", _JPEG2000),
    )
    lossless: tuple[tuple[str, str, Setting], ...] = (
        ("png", "PNG", {"optimize": True}),
        ("webp", "WEBP", {"lossless": True, "quality": 100, "method": 6}),
        ("jxl", "JXL", {"lossless": True, "effort": 9}),
        ("jpeg2000", "JPEG2000", {"irreversible": False, "no_jp2": True}),
    )
    rivals: dict[str, list[Rival]] = {}
    for name, file_format, settings in lossy:
        for mode in both:
            rivals.setdefault(name, []).append(_picture_rival(name, file_format, mode, settings, lossless=False))
    for name, file_format, setting in lossless:
        for mode in both:
            rivals.setdefault(name, []).append(_picture_rival(name, file_format, mode, [setting], lossless=True))
    level: Setting = {"level": 19}
    rivals["zstd"] = [
        Rival(name="zstd", mode="single", lossless=True, settings=(level,), encode=_encode_zstd_dictionary),
        Rival(name="zstd", mode="mosaic", lossless=True, settings=(level,), encode=_encode_zstd_stream),
    ]
    xz: Setting = {"preset": 9 | lzma.PRESET_EXTREME}
    rivals["xz"] = [Rival(name="xz", mode="mosaic", lossless=True, settings=(xz,), encode=_encode_xz)]
    rivals["klt"] = [Rival(name="klt", mode="mosaic", lossless=False, settings=tuple(_STEPS), encode=_encode_klt)]
    return rivals


RIVALS = _all()
"""Rivals by name, as `--rivals` takes them."""


def find_rivals(names: Sequence[str] | None) -> list[Rival]:
    """The rivals of these names, or all. Raises InputError, MissingExtraError."""
    unknown = [name for name in names or () if name not in RIVALS]
    if unknown:
        raise InputError(f"--rivals {unknown[0]}: there are {', '.join(RIVALS)}")
    for module in ("pillow_jxl", "zstandard", "matplotlib", "bjontegaard"):
        try:
            importlib.import_module(module)
        except ModuleNotFoundError as error:
            raise MissingExtraError(f"bench needs {module}; pip install 'compressnet[bench]'") from error
    return [rival for name in (RIVALS if names is None else names) for rival in RIVALS[name]]


def pixels_of(images: NDArray[np.uint8]) -> Images:
    """(N,H,W[,C]) as (N,H,W,C)."""
    return images.reshape(*images.shape[:3], -1)
