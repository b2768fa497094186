"""The rivals: every general codec that compressnet is compared with, described once.

The benchmark (curves and lossless table) measures the settings that stand here, the slow ones of
each codec. The advice brings those picture codecs that have a `matching` to a PSNR.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from compressnet.bench.rivals.klt import KLT
from compressnet.bench.rivals.pictures import (
    Matching,
    PictureCodec,
    open_jpegls,
    open_picture,
    save_jpegls,
    save_picture,
)
from compressnet.bench.rivals.rival import Rival, Setting, can_import
from compressnet.bench.rivals.streams import BZ2, XZ, ZSTD, ZSTD_DICTIONARY
from compressnet.errors import InputError, MissingExtraError
from compressnet.images.alpha import has_alpha

_DRAWING_MODULES = ("matplotlib", "bjontegaard")
"""What the benchmark needs besides its rivals: to draw curves, and to compare them."""


def _pillow(pillow_format: str, name: str, title: str, **others: Any) -> PictureCodec:
    save = partial(save_picture, pillow_format=pillow_format)
    return PictureCodec(name=name, title=title, save=save, read=open_picture, pillow_format=pillow_format, **others)


def _qualities(*values: int, **others: Any) -> tuple[Setting, ...]:
    return tuple({"quality": value, **others} for value in values)


def _avif_variants(channels: int) -> Sequence[Setting]:
    """Tunings of AVIF's encoder.

    By default it tunes for the eye, which PSNR does not reward, and rarely takes images for
    drawings.
    """
    subsampling = "4:0:0" if channels <= 2 else "4:4:4"
    tunes = ({}, {"tune": "psnr"}, {"tune-content": "screen"}, {"tune": "psnr", "tune-content": "screen"})
    # Tiles of a picture are coded independently of one another, so autotiling would cost bytes.
    variants: list[Setting] = [
        {"subsampling": subsampling, "autotiling": False, **({"advanced": tune} if tune else {})} for tune in tunes
    ]
    return variants if channels <= 2 else [*variants, {"subsampling": "4:2:0", "autotiling": False}]


def _webp_variants(channels: int) -> Sequence[Setting]:
    return [{"alpha_quality": quality} for quality in (30, 60, 90)] if has_alpha(channels) else [{}]


JPEG = _pillow("JPEG", "jpeg", "JPEG", lossy=_qualities(2, 5, 10, 20, 35, 50, 65, 80, 90, optimize=True))
WEBP = _pillow(
    "WEBP",
    "webp",
    "WebP",
    lossy=_qualities(0, 3, 6, 10, 20, 35, 50, 70, 85, method=6),
    lossless=({"lossless": True, "quality": 100, "method": 6},),
    matching=Matching(
        qualities=(0, 100),
        variants=_webp_variants,
        quick={"method": 6},
        slow={"method": 6},
        # Quality 100 takes twenty times as long for a hundredth of the bytes.
        lossless_quick={"lossless": True, "quality": 90, "method": 6},
        lossless_slow={"lossless": True, "quality": 90, "method": 6},
    ),
)
AVIF = _pillow(
    "AVIF",
    "avif",
    "AVIF",
    lossy=_qualities(2, 5, 10, 15, 20, 25, 30, 40, 55, speed=4, subsampling="4:4:4"),
    matching=Matching(qualities=(0, 100), variants=_avif_variants, quick={"speed": 6}, slow={"speed": 4}),
)
JPEG_XL = _pillow(
    "JXL",
    "jxl",
    "JPEG XL",
    lossy=_qualities(5, 15, 25, 30, 40, 50, 60, 75, 90, effort=7, lossless=False),
    lossless=tuple({"lossless": True, "effort": effort} for effort in (9, 10)),
    matching=Matching(
        qualities=(1, 99),
        variants=lambda _channels: [{"lossless": False}],
        quick={"effort": 7},
        slow={"effort": 7},
        lossless_quick={"lossless": True, "effort": 7},
        lossless_slow={"lossless": True, "effort": 10},
    ),
    needs="pillow_jxl",
)
JPEG_2000 = _pillow(
    "JPEG2000",
    "jpeg2000",
    "JPEG 2000",
    lossy=tuple(
        {"quality_mode": "dB", "quality_layers": [psnr], "irreversible": True, "no_jp2": True}
        for psnr in range(20, 39, 3)
    ),
    lossless=({"irreversible": False, "no_jp2": True},),
)
PNG = _pillow(
    "PNG",
    "png",
    "PNG",
    lossless=({"optimize": True},),
    matching=Matching(lossless_quick={"optimize": True}, lossless_slow={"optimize": True}),
)
JPEG_LS = PictureCodec(
    name="jpegls",
    title="JPEG-LS",
    save=save_jpegls,
    read=open_jpegls,
    lossless=({"level": 0},),
    needs="imagecodecs",
)

PICTURE_CODECS = (JPEG, WEBP, AVIF, JPEG_XL, JPEG_2000, PNG, JPEG_LS)
MATCHED_CODECS = (AVIF, WEBP, JPEG_XL, PNG)
"""What the advice measures, in the order in which it tells of them."""
RIVALS: dict[str, list[Rival]] = {
    **{codec.name: codec.rivals() for codec in PICTURE_CODECS},
    "zstd": [ZSTD_DICTIONARY, ZSTD],
    "xz": [XZ],
    "bz2": [BZ2],
    "klt": [KLT],
}
"""What the benchmark measures, by the names that `--rivals` takes."""


def find_rivals(names: Sequence[str] | None) -> list[Rival]:
    """The rivals of these names, or all. Raises InputError, MissingExtraError."""
    unknown = [name for name in names or () if name not in RIVALS]
    if unknown:
        raise InputError(f"--rivals {unknown[0]}: there are {', '.join(RIVALS)}")
    for module in _needed_modules():
        if not can_import(module):
            raise MissingExtraError(f"bench needs {module}; pip install 'compressnet[bench]'")
    return [rival for name in (RIVALS if names is None else names) for rival in RIVALS[name]]


def _needed_modules() -> Iterator[str]:
    for rivals in RIVALS.values():
        yield from {rival.needs for rival in rivals if rival.needs is not None}
    yield from _DRAWING_MODULES


def find_lossless_rivals(names: Sequence[str] | None) -> list[Rival]:
    """The lossless ones among the rivals of these names, or among all.

    Raises InputError for a name without any, MissingExtraError.
    """
    lossless = [rival for rival in find_rivals(names) if rival.lossless]
    lossy = [name for name in names or () if all(rival.name != name for rival in lossless)]
    if lossy:
        known = (name for name, rivals in RIVALS.items() if any(rival.lossless for rival in rivals))
        raise InputError(f"--rivals {lossy[0]}: it always loses something; lossless are {', '.join(known)}")
    return lossless
