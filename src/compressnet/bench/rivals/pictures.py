"""Picture codecs: how one is described, and how a collection is coded with it.

A collection is one mosaic, which spares the headers of the files, or one file for each image.
Files are saved and opened in memory.

Axes: N images, H rows, W columns, C channels.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

import numpy as np
from PIL import Image

from compressnet.bench.rivals.rival import Coded, Encode, Mode, Rival, Setting, can_import
from compressnet.errors import InputError
from compressnet.images.alpha import has_alpha
from compressnet.images.kinds import Images, Pictures

P = TypeVar("P", bound=Pictures)
_SOI, _APP8 = b"\xff\xd8", b"\xff\xe8"


@dataclass(frozen=True, slots=True, kw_only=True)
class Matching:
    """How a picture codec is brought to a PSNR, and what it tries without loss."""

    qualities: tuple[int, int] | None = None
    """The lowest and the highest that are lossy; None where the format is lossless only."""
    variants: Callable[[int], Sequence[Setting]] = lambda _channels: ()
    """Lossy settings besides quality, for images of so many channels; the best of them counts."""
    quick: Setting = field(default_factory=dict[str, Any])
    """Added to a lossy setting in the search."""
    slow: Setting = field(default_factory=dict[str, Any])
    """Added to a lossy setting for the figures that count."""
    lossless_quick: Setting | None = None
    """Tells whether a lossless mosaic may be the smaller one."""
    lossless_slow: Setting | None = None
    """For the lossless figures that count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureCodec:
    """A general picture codec, with all that the benchmark and the advice have to know of it."""

    name: str
    """As `--rivals` takes it, and as it stands in bench.json."""
    title: str
    """As people write it."""
    save: Callable[[Images, Setting], bytes]
    """Codes one picture (H,W,C) of any channels."""
    read: Callable[[bytes, int], Images]
    """Decodes a picture with so many channels."""
    lossy: tuple[Setting, ...] = ()
    """Points of its curve in the benchmark."""
    lossless: tuple[Setting, ...] = ()
    """Settings in the benchmark's lossless table."""
    matching: Matching | None = None
    """How the advice measures it; None where the advice leaves it out."""
    needs: str | None = None
    """A module of the extra `bench` that has to be installed for it."""
    pillow_format: str | None = None
    """Pillow's name for the format; None where Pillow does not code it."""

    def missing(self) -> str | None:
        """Why this installation cannot measure the format; None where it can."""
        if not can_import(self.needs):
            return f"{self.title} is not measured: pip install 'compressnet[bench]'"
        Image.init()
        if self.pillow_format is not None and self.pillow_format not in Image.SAVE:
            return f"{self.title} is not measured: this installation of Pillow lacks it"
        return None

    def encode_mosaic(self, images_NHWC: Images, setting: Setting) -> Coded:
        """Code all images as one picture."""
        data = self.save(mosaic(images_NHWC), setting)
        shape = images_NHWC.shape
        return Coded(total_bytes=len(data), decode=lambda: unmosaic(self.read(data, shape[3]), shape))

    def encode_files(self, images_NHWC: Images, setting: Setting) -> Coded:
        """Code each image as a picture of its own."""
        files = [self.save(image, setting) for image in images_NHWC]
        channels = images_NHWC.shape[3]
        return Coded(
            total_bytes=sum(map(len, files)),
            decode=lambda: np.stack([self.read(file, channels) for file in files]),
        )

    def rivals(self) -> list[Rival]:
        """What the benchmark measures: both modes, lossy and without loss."""
        ways: tuple[tuple[Mode, Encode], ...] = (("mosaic", self.encode_mosaic), ("single", self.encode_files))
        return [
            Rival(name=self.name, mode=mode, lossless=lossless, settings=settings, encode=encode, needs=self.needs)
            for lossless, settings in ((False, self.lossy), (True, self.lossless))
            if settings
            for mode, encode in ways
        ]


def mosaic(images_NHWC: P) -> P:
    """All images as one picture (rows*H,columns*W,C), about square; places left over are black."""
    count, height, width, channels = images_NHWC.shape
    columns = math.ceil(math.sqrt(count * height / width))
    rows = math.ceil(count / columns)
    canvas = np.zeros((rows * columns, height, width, channels), images_NHWC.dtype)
    canvas[:count] = images_NHWC
    placed = canvas.reshape(rows, columns, height, width, channels).transpose(0, 2, 1, 3, 4)
    return cast("P", placed.reshape(rows * height, columns * width, channels))


def unmosaic(picture: P, shape: tuple[int, ...]) -> P:
    """The images (N,H,W,C) of a mosaic."""
    count, height, width, channels = shape
    columns = picture.shape[1] // width
    tiles = picture.reshape(-1, height, columns, width, channels).transpose(0, 2, 1, 3, 4)
    return cast("P", np.ascontiguousarray(tiles.reshape(-1, height, width, channels)[:count]))


def save_picture(picture_HWC: Images, setting: Setting, pillow_format: str) -> bytes:
    """A picture of 1 to 4 channels as a file by Pillow. Raises InputError for JPEG with alpha."""
    if pillow_format == "JPEG" and has_alpha(picture_HWC.shape[2]):
        raise InputError("JPEG has no alpha; leave jpeg out of --rivals for these images")
    stream = io.BytesIO()
    pixels = picture_HWC[..., 0] if picture_HWC.shape[2] == 1 else picture_HWC
    Image.fromarray(pixels).save(stream, pillow_format, **setting)
    return stream.getvalue()


def open_picture(data: bytes, channels: int) -> Images:
    """The pixels (H,W,C) of a file, whatever channels it has chosen to keep."""
    mode = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}[channels]
    with Image.open(io.BytesIO(data)) as picture:
        pixels = np.asarray(picture.convert(mode))
    return pixels.reshape(*pixels.shape[:2], channels)


def save_jpegls(picture_HWC: Images, setting: Setting) -> bytes:
    """A picture of any channels as a lossless JPEG-LS file.

    The channels lie one under another in one grey picture. The standard transforms no colours, so
    that coding 3 or 4 channels together, as it may, would save under a hundredth.
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


def pixels_of(images: Images) -> Images:
    """(N,H,W) or (N,H,W,C) as (N,H,W,C)."""
    return images.reshape(*images.shape[:3], -1)
