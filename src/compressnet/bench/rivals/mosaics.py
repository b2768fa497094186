"""Picture codecs in their best light: the collection as one mosaic for each shape, with settings to choose among.

Colour under alpha 0 is black. The mosaic holds all images, as they are: that a picture codec finds few of the equal
ones is part of what is measured. Large collections may be measured on a sample, whose bytes are scaled.

Axes: N images, H rows, W columns, C channels.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image

from compressnet.bench.rivals.pictures import mosaic, open_picture, save_picture, unmosaic
from compressnet.bench.rivals.rival import Setting
from compressnet.errors import InputError
from compressnet.images.alpha import clear_hidden, has_alpha
from compressnet.images.kinds import Images
from compressnet.images.metrics import mse_per_image, psnr_of_mse

SAMPLE_PX = 1 << 22
"""Collections are measured on about so many pixels: 4096 images of 32x32."""
RUN_IMAGES = 32
"""Neighbours that are taken together into a sample."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureCodec:
    """A format of Pillow's, with its integer qualities and the ways to set it otherwise."""

    name: str
    file_format: str
    qualities: tuple[int, int] | None
    """The lowest and the highest that are lossy; None where the format is lossless only."""
    variants: Callable[[int], Sequence[Setting]] = lambda _channels: ()
    """Lossy settings besides quality, for images of so many channels; the best of them counts."""
    quick: Setting = field(default_factory=dict[str, Any])
    """Added to a lossy setting in the search."""
    slow: Setting = field(default_factory=dict[str, Any])
    """Added to a lossy setting for the figures that count."""
    lossless_quick: Setting | None = None
    lossless_slow: Setting | None = None
    plugin: str | None = None
    """A module of the extra `bench` that Pillow needs for it."""

    def missing(self) -> str | None:
        """Why this installation cannot measure the format; None where it can."""
        if self.plugin is not None:
            try:
                importlib.import_module(self.plugin)
            except ModuleNotFoundError:
                return f"{self.name} is not measured: pip install 'compressnet[bench]'"
        Image.init()
        if self.file_format not in Image.SAVE:
            return f"{self.name} is not measured: this installation of Pillow lacks it"
        return None


def _avif_variants(channels: int) -> Sequence[Setting]:
    """AVIF's encoder tunes for the eye by default, which PSNR does not reward, and takes few images for drawings."""
    subsampling = "4:0:0" if channels <= 2 else "4:4:4"
    tunes = ({}, {"tune": "psnr"}, {"tune-content": "screen"}, {"tune": "psnr", "tune-content": "screen"})
    # Tiles of a picture are coded independently of one another, so autotiling would cost bytes.
    variants: list[Setting] = [
        {"subsampling": subsampling, "autotiling": False, **({"advanced": tune} if tune else {})} for tune in tunes
    ]
    return variants if channels <= 2 else [*variants, {"subsampling": "4:2:0", "autotiling": False}]


def _webp_variants(channels: int) -> Sequence[Setting]:
    return [{"alpha_quality": quality} for quality in (30, 60, 90)] if has_alpha(channels) else [{}]


_AVIF = PictureCodec(
    name="AVIF",
    file_format="AVIF",
    qualities=(0, 100),
    variants=_avif_variants,
    quick={"speed": 6},
    slow={"speed": 4},
)
_WEBP = PictureCodec(
    name="WebP",
    file_format="WEBP",
    qualities=(0, 100),
    variants=_webp_variants,
    quick={"method": 6},
    slow={"method": 6},
    # Quality 100 takes twenty times as long for a hundredth of the bytes.
    lossless_quick={"lossless": True, "quality": 90, "method": 6},
    lossless_slow={"lossless": True, "quality": 90, "method": 6},
)
_JXL = PictureCodec(
    name="JPEG XL",
    file_format="JXL",
    qualities=(1, 99),
    variants=lambda _channels: [{"lossless": False}],
    quick={"effort": 7},
    slow={"effort": 7},
    lossless_quick={"lossless": True, "effort": 7},
    lossless_slow={"lossless": True, "effort": 10},
    plugin="pillow_jxl",
)
_PNG = PictureCodec(
    name="PNG",
    file_format="PNG",
    qualities=None,
    lossless_quick={"optimize": True},
    lossless_slow={"optimize": True},
)

PICTURE_CODECS = (_AVIF, _WEBP, _JXL, _PNG)
"""What collections are compared with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Images of one shape, as rivals get them."""

    images_NHWC: Images
    """Without hidden colour; of a large collection, some."""
    scale: float
    """Images of this shape in the collection for one of these."""
    values: int
    """Values of all images of this shape in the collection."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What a collection takes in a format at a setting."""

    total_bytes: float
    mse: float

    @property
    def psnr(self) -> float:
        """In dB; infinite where nothing was lost."""
        return psnr_of_mse(self.mse)


def make_groups(images_by_shape: Sequence[Images], scale: float = 1.0) -> list[Group]:
    """Arrays (N,H,W) or (N,H,W,C), each of one shape, for each of whose images the collection has `scale`.

    Raises InputError if empty.
    """
    groups = [_make_group(images, scale) for images in images_by_shape if len(images)]
    if not groups:
        raise InputError("there are no images to measure; give one array (N,H,W) or (N,H,W,C) for each shape")
    return groups


def _make_group(images: Images, scale: float) -> Group:
    if images.ndim not in (3, 4) or images.dtype != np.uint8:
        raise InputError(f"images are {images.dtype} {images.shape}; they have to be uint8 (N,H,W) or (N,H,W,C)")
    images_NHWC = images[..., None] if images.ndim == 3 else images
    cleaned_NHWC = np.ascontiguousarray(clear_hidden(images_NHWC))
    return Group(images_NHWC=cleaned_NHWC, scale=scale, values=round(images.size * scale))


def sampled(groups: Sequence[Group], sample_px: int) -> list[Group]:
    """The same groups with images of about `sample_px` pixels in all, one of each shape at least.

    Taken are evenly spread runs of neighbours, which often resemble one another.
    """
    pixels = sum(group.images_NHWC[..., 0].size for group in groups)
    if pixels <= sample_px:
        return list(groups)
    parts: list[Group] = []
    for group in groups:
        total = len(group.images_NHWC)
        count = max(1, round(total * sample_px / pixels))
        runs = max(1, count // RUN_IMAGES)
        starts = np.linspace(0, total - count // runs, runs).astype(np.int64)
        kept = np.unique((starts[:, None] + np.arange(count // runs)).ravel())
        parts.append(
            Group(images_NHWC=group.images_NHWC[kept], scale=group.scale * total / len(kept), values=group.values)
        )
    return parts


def measure(groups: Sequence[Group], codec: PictureCodec, setting: Setting) -> Measured:
    """Bytes of the mosaics, one for each group, and the error over all values; raises what Pillow raises."""
    total_bytes = squares = 0.0
    for group in groups:
        shape = group.images_NHWC.shape
        data = save_picture(mosaic(group.images_NHWC), setting, codec.file_format)
        decoded_NHWC = unmosaic(open_picture(data, shape[3]), shape)
        mse_N = mse_per_image(group.images_NHWC, decoded_NHWC)
        total_bytes += len(data) * group.scale
        squares += float(np.mean(mse_N)) * group.values
    return Measured(total_bytes=total_bytes, mse=squares / sum(group.values for group in groups))
