"""Picture formats that lose nothing: how one picture of any mode and depth is saved and read.

Axes: H rows, W columns, C channels.
"""

from __future__ import annotations

import importlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from PIL import Image, features

from compressnet.bench.rivals.lossless.rival import NOTHING, Needed
from compressnet.bench.rivals.pictures import open_picture
from compressnet.images.kinds import Pictures

Save = Callable[[Pictures], bytes]
"""Codes a picture (H,W,C)."""
Read = Callable[[bytes, int, np.dtype[Any]], Pictures]
"""Decodes a picture (H,W,C) with so many channels, whose values have this type."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureFormat:
    """A picture format at its lossless setting."""

    key: str
    name: str
    save: Save
    read: Read
    needed: Needed = NOTHING
    deep: bool = True
    """Whether it holds 16 bits."""
    side_px: int | None = None
    """The longest side that it holds; None: longer than any mosaic."""
    pillow_feature: str | None = None
    """What Pillow has to be built with."""

    def missing(self) -> str | None:
        """Why this installation cannot measure the format; None where it can."""
        if self.pillow_feature is not None and not features.check(self.pillow_feature):
            return f"{self.name} is not measured: this installation of Pillow lacks it"
        return self.needed.missing(self.name)


def _flat(picture_HWC: Pictures) -> Pictures:
    """(H,W) of grey, which codecs take for grey; others as they are."""
    return np.ascontiguousarray(picture_HWC[..., 0] if picture_HWC.shape[2] == 1 else picture_HWC)


def _save_by_pillow(picture_HWC: Pictures, *, pillow_format: str, **setting: Any) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(_flat(picture_HWC)).save(stream, pillow_format, **setting)
    return stream.getvalue()


def _read_by_pillow(data: bytes, channels: int, _dtype: np.dtype[Any]) -> Pictures:
    return open_picture(data, channels)


def _encode(picture_HWC: Pictures, *, codec: str, **setting: Any) -> bytes:
    """By a function of imagecodecs."""
    function = getattr(importlib.import_module("imagecodecs"), f"{codec}_encode")
    return bytes(function(_flat(picture_HWC), **setting))


def _decode(data: bytes, channels: int, dtype: np.dtype[Any], *, codec: str, **setting: Any) -> Pictures:
    """By a function of imagecodecs; what it made grey or opaque, or 8 bits, is undone."""
    pixels = getattr(importlib.import_module("imagecodecs"), f"{codec}_decode")(data, **setting)
    pixels = pixels[..., None] if pixels.ndim == 2 else pixels
    if pixels.dtype == np.uint8 and dtype == np.uint16:
        pixels = pixels.astype(np.uint16) * 257
    if pixels.shape[2] in (1, 2) and channels in (3, 4):
        pixels = np.concatenate([pixels[..., :1]] * 3 + [pixels[..., 1:]], axis=2)
    if pixels.shape[2] == channels - 1:
        opaque = np.full((*pixels.shape[:2], 1), np.iinfo(dtype).max, dtype)
        pixels = np.concatenate([pixels, opaque], axis=2)
    return pixels


def _save_png(picture_HWC: Pictures) -> bytes:
    """By Pillow, or of 16 bits, where it knows no colour, by libpng with all its filters."""
    if picture_HWC.dtype == np.uint8:
        return _save_by_pillow(picture_HWC, pillow_format="PNG", optimize=True)
    return _encode(picture_HWC, codec="png", level=9, filter=_ALL_PNG_FILTERS)


def _read_png(data: bytes, channels: int, dtype: np.dtype[Any]) -> Pictures:
    if dtype == np.uint8:
        return open_picture(data, channels)
    return _decode(data, channels, dtype, codec="png")


def _save_oxipng(picture_HWC: Pictures) -> bytes:
    oxipng = importlib.import_module("oxipng")
    return oxipng.optimize_from_memory(_save_png(picture_HWC), level=6)


_ALL_PNG_FILTERS = 0xF8
"""libpng's PNG_ALL_FILTERS: it chooses one for each row."""
PNG = PictureFormat(key="png", name="PNG", save=_save_png, read=_read_png, needed=Needed(module="imagecodecs"))
OXIPNG = PictureFormat(
    key="oxipng",
    name="PNG, oxipng -o 6",
    save=_save_oxipng,
    read=_read_png,
    needed=Needed(module="oxipng", extra="rivals"),
)
WEBP = PictureFormat(
    key="webp",
    name="WebP",
    save=partial(_save_by_pillow, pillow_format="WEBP", lossless=True, quality=100, method=6, exact=True),
    read=_read_by_pillow,
    deep=False,
    side_px=16383,
    pillow_feature="webp",
)
AVIF = PictureFormat(
    key="avif",
    name="AVIF, speed 0",
    save=partial(_encode, codec="avif", level=100, speed=0, numthreads=1),
    read=partial(_decode, codec="avif", numthreads=1),
    needed=Needed(module="imagecodecs"),
    deep=False,
    side_px=16384,
)
JPEG_XL = tuple(
    PictureFormat(
        key="jxl",
        name=f"JPEG XL, effort {effort}",
        save=partial(_encode, codec="jpegxl", lossless=True, effort=effort, numthreads=1),
        read=partial(_decode, codec="jpegxl", numthreads=1),
        needed=Needed(module="imagecodecs"),
    )
    for effort in (7, 9, 10)
)
PICTURE_FORMATS = (PNG, OXIPNG, WEBP, AVIF, *JPEG_XL)
