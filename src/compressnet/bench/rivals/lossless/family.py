"""Every lossless rival of a collection of any sizes: each format and codec in each layout."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from compressnet.bench.rivals.lossless.formats import OXIPNG, PICTURE_FORMATS, PNG
from compressnet.bench.rivals.lossless.layouts import (
    PngTar,
    encode_files,
    encode_mosaics,
    encode_pixels,
    encode_raw_tar,
)
from compressnet.bench.rivals.lossless.rival import CodedStacks, Layout, LosslessRival
from compressnet.bench.rivals.lossless.stacks import Stacks
from compressnet.bench.rivals.lossless.streams import BYTE_CODECS
from compressnet.errors import InputError

KEYS = tuple(dict.fromkeys(codec.key for codec in (*PICTURE_FORMATS, *BYTE_CODECS)))
"""What `--rivals` takes."""
UNPACKAGED = ("FLIF is not measured: neither Debian nor PyPI has a package of it",)
"""Codecs that would be rivals, and why they are none."""


def lossless_rivals(keys: Sequence[str] | None = None) -> list[LosslessRival]:
    """The rivals of these keys, or all, whether or not this installation has what they need.

    Raises InputError for an unknown key.
    """
    unknown = [key for key in keys or () if key not in KEYS]
    if unknown:
        raise InputError(f"--rivals {unknown[0]}: with --lossless there are {', '.join(KEYS)}")
    rivals = [*_picture_rivals(), *_byte_rivals()]
    return [rival for rival in rivals if keys is None or rival.key in keys]


def _picture_rivals() -> list[LosslessRival]:
    ways: tuple[tuple[Layout, Callable[..., CodedStacks]], ...] = (
        ("files", encode_files),
        ("mosaics", encode_mosaics),
    )
    return [
        LosslessRival(
            key=picture.key,
            name=picture.name,
            layout=layout,
            encode=partial(encode, picture_format=picture),
            missing=picture.missing(),
            deep=picture.deep,
            side_px=picture.side_px,
        )
        for layout, encode in ways
        for picture in PICTURE_FORMATS
    ]


def _byte_rivals() -> list[LosslessRival]:
    png = PNG if OXIPNG.missing() else OXIPNG
    tar = PngTar(png)
    rivals: list[LosslessRival] = []
    for codec in BYTE_CODECS:
        missing = codec.missing()
        ways: tuple[tuple[Layout, Callable[[Stacks], CodedStacks], str | None], ...] = (
            ("pixels", partial(encode_pixels, codec=codec), missing),
            ("raw tar", partial(encode_raw_tar, codec=codec), missing),
            ("PNG tar", partial(tar.encode, codec=codec), missing or png.missing()),
        )
        rivals += [
            LosslessRival(key=codec.key, name=codec.name, layout=layout, encode=encode, missing=why)
            for layout, encode, why in ways
        ]
    return rivals
