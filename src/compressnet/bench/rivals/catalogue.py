"""General codecs to compare with, at their slow settings: image codecs by Pillow and its plugins, JPEG-LS, byte codecs.

Each codes the collection in the way that suits it best: one file per image, or all images as one mosaic picture, which
spares the headers. Byte codecs code each image with a dictionary, or all pixels as one stream (`streams`).
"""

from __future__ import annotations

import importlib
import io
import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from compressnet.bench.rivals.klt import encode_klt
from compressnet.bench.rivals.rival import Coded, Mode, Rival, Setting
from compressnet.bench.rivals.streams import BZ2, XZ, ZSTD, ZSTD_DICTIONARY
from compressnet.errors import InputError, MissingExtraError
from compressnet.images.alpha import has_alpha
from compressnet.lossy.coder import Images

_SOI, _APP8 = b"\xff\xd8", b"\xff\xe8"


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


def save_picture(picture_HWC: Images, setting: Setting, file_format: str) -> bytes:
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


def save_jpegls(picture_HWC: Images, setting: Setting) -> bytes:
    """A picture of any channels as a JPEG-LS file, lossless: the channels one under another as one grey picture.

    The standard transforms no colours, so that coding 3 or 4 channels together, as it may, saves under a hundredth.
    """
    import imagecodecs

    height, width, channels = picture_HWC.shape
    planes = np.ascontiguousarray(picture_HWC.transpose(2, 0, 1)).reshape(channels * height, width)
    # The library's own guess at the room for a file is too small for noise.
    data = imagecodecs.jpegls_encode(planes, out=2 * planes.nbytes + 1024, **setting)
    return _without_spiff(bytes(data))


def _without_spiff(data: bytes) -> bytes:
    """A JPEG-LS file without the SPIFF header, 44 bytes that decoders do not need."""
    end = len(_SOI)
    while data[end : end + 2] == _APP8:
        end += 2 + int.from_bytes(data[end + 2 : end + 4], "big")
    return data[: len(_SOI)] + data[end:]


def open_jpegls(data: bytes, channels: int) -> Images:
    """The pixels (H,W,C) of what `save_jpegls` gave."""
    import imagecodecs

    planes = imagecodecs.jpegls_decode(data)
    return planes.reshape(channels, -1, planes.shape[1]).transpose(1, 2, 0)


def _picture_rival(
    name: str,
    save: Callable[[Images, Setting], bytes],
    read: Callable[[bytes, int], Images],
    mode: Mode,
    settings: Sequence[Setting],
    *,
    lossless: bool,
) -> Rival:
    def encode(images_NHWC: Images, setting: Setting) -> Coded:
        channels = images_NHWC.shape[3]
        if mode == "mosaic":
            data = save(mosaic(images_NHWC), setting)
            return Coded(total_bytes=len(data), decode=lambda: unmosaic(read(data, channels), images_NHWC.shape))
        files = [save(image, setting) for image in images_NHWC]
        return Coded(
            total_bytes=sum(map(len, files)), decode=lambda: np.stack([read(file, channels) for file in files])
        )

    return Rival(name=name, mode=mode, lossless=lossless, settings=tuple(settings), encode=encode)


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


_LOSSLESS: dict[str, tuple[str, list[Setting]]] = {
    "png": ("PNG", [{"optimize": True}]),
    "webp": ("WEBP", [{"lossless": True, "quality": 100, "method": 6}]),
    "jxl": ("JXL", [{"lossless": True, "effort": effort} for effort in (9, 10)]),
    "jpeg2000": ("JPEG2000", [{"irreversible": False, "no_jp2": True}]),
}
_LOSSY: dict[str, tuple[str, list[Setting]]] = {
    "jpeg": ("JPEG", _JPEG),
    "webp": ("WEBP", _WEBP),
    "avif": ("AVIF", _AVIF),
    "jxl": ("JXL", _JXL),
    "jpeg2000": ("JPEG2000", _JPEG2000),
}


def _all() -> dict[str, list[Rival]]:
    both: tuple[Mode, Mode] = ("mosaic", "single")
    rivals: dict[str, list[Rival]] = {}
    for formats, lossless in ((_LOSSY, False), (_LOSSLESS, True)):
        for name, (file_format, settings) in formats.items():
            save = partial(save_picture, file_format=file_format)
            rivals.setdefault(name, []).extend(
                _picture_rival(name, save, open_picture, mode, settings, lossless=lossless) for mode in both
            )
    rivals["jpegls"] = [
        _picture_rival("jpegls", save_jpegls, open_jpegls, mode, [{"level": 0}], lossless=True) for mode in both
    ]
    rivals["zstd"] = [ZSTD_DICTIONARY, ZSTD]
    rivals["xz"] = [XZ]
    rivals["bz2"] = [BZ2]
    rivals["klt"] = [Rival(name="klt", mode="mosaic", lossless=False, settings=tuple(_STEPS), encode=_encode_klt)]
    return rivals


RIVALS = _all()
"""Rivals by name, as `--rivals` takes them."""


def find_rivals(names: Sequence[str] | None) -> list[Rival]:
    """The rivals of these names, or all. Raises InputError, MissingExtraError."""
    unknown = [name for name in names or () if name not in RIVALS]
    if unknown:
        raise InputError(f"--rivals {unknown[0]}: there are {', '.join(RIVALS)}")
    for module in ("pillow_jxl", "imagecodecs", "zstandard", "matplotlib", "bjontegaard"):
        try:
            importlib.import_module(module)
        except ModuleNotFoundError as error:
            raise MissingExtraError(f"bench needs {module}; pip install 'compressnet[bench]'") from error
    return [rival for name in (RIVALS if names is None else names) for rival in RIVALS[name]]


def find_lossless_rivals(names: Sequence[str] | None) -> list[Rival]:
    """The rivals of these names, or all, as far as they lose nothing. Raises InputError, MissingExtraError."""
    lossless = [rival for rival in find_rivals(names) if rival.lossless]
    lossy = [name for name in names or () if all(rival.name != name for rival in lossless)]
    if lossy:
        known = (name for name, rivals in RIVALS.items() if any(rival.lossless for rival in rivals))
        raise InputError(f"--rivals {lossy[0]}: it always loses something; lossless are {', '.join(known)}")
    return lossless


def pixels_of(images: NDArray[np.uint8]) -> Images:
    """(N,H,W[,C]) as (N,H,W,C)."""
    return images.reshape(*images.shape[:3], -1)
