"""Images as a rival's picture, and back: one mosaic of all, or a picture each; saved and opened in memory."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from compressnet.bench.rivals.rival import Coded, Mode, Rival, Setting
from compressnet.errors import InputError
from compressnet.images.alpha import has_alpha
from compressnet.images.kinds import Images

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


def picture_rival(
    name: str,
    save: Callable[[Images, Setting], bytes],
    read: Callable[[bytes, int], Images],
    mode: Mode,
    settings: Sequence[Setting],
    *,
    lossless: bool,
) -> Rival:
    """A picture codec as a rival: `save` and `read` one picture of any channels."""

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


def pixels_of(images: NDArray[np.uint8]) -> Images:
    """(N,H,W[,C]) as (N,H,W,C)."""
    return images.reshape(*images.shape[:3], -1)
