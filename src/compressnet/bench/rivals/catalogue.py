"""General codecs to compare with, at their slow settings: image codecs by Pillow and its plugins, JPEG-LS, byte codecs.

Each codes the collection in the way that suits it best: one file per image, or all images as one mosaic picture, which
spares the headers. Byte codecs code each image with a dictionary, or all pixels as one stream (`streams`).
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from functools import partial
from typing import Any

from compressnet.bench.rivals.klt import encode_klt
from compressnet.bench.rivals.pictures import (
    open_jpegls,
    open_picture,
    picture_rival,
    save_jpegls,
    save_picture,
)
from compressnet.bench.rivals.rival import Coded, Mode, Rival, Setting
from compressnet.bench.rivals.streams import BZ2, XZ, ZSTD, ZSTD_DICTIONARY
from compressnet.errors import InputError, MissingExtraError
from compressnet.images.kinds import Images


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
                picture_rival(name, save, open_picture, mode, settings, lossless=lossless) for mode in both
            )
    rivals["jpegls"] = [
        picture_rival("jpegls", save_jpegls, open_jpegls, mode, [{"level": 0}], lossless=True) for mode in both
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
