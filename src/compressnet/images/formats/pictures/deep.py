"""Pictures of 16 bits, which Pillow cuts to 8 but for plain grey; and how they become 8 bits.

Axes: H rows, W columns, C channels.
"""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from compressnet.errors import PictureError

if TYPE_CHECKING:
    from PIL import Image

DeepImage = NDArray[np.uint16]
"""(H,W) grey, or (H,W,C): grey and alpha, RGB, RGBA."""
EIGHT, FEWER, SIXTEEN, SIGNED, FLOAT, CUT = (
    "8 bits",
    "9 to 15 bits",
    "16 bits",
    "integers beyond 16 bits",
    "floating point",
    "more than 8 bits",
)
"""Depths of values. CUT is one that can be read as 8 bits alone."""
_BITS_PER_SAMPLE, _SAMPLE_FORMAT, _PHOTOMETRIC = 258, 339, 262
_EXTRA_SAMPLES = 338
UNSPECIFIED, PREMULTIPLIED = 0, 1
"""Of a TIFF's extra channel: nothing is said of it; alpha that colour was multiplied by."""
_UNSIGNED, _FLOATING = 1, 3
_MIN_IS_WHITE = 0
_DEEP_RAW_MODE = re.compile(r"(?<![A-Za-z])(?!BGR;)[A-Za-z]+;16")
"""Of Pillow's decoders. BGR;16 packs a whole pixel into 16 bits."""


def depth_of(picture: Image.Image, data: bytes) -> str:
    """What kind of values a picture's file holds; data: the whole file."""
    if picture.mode.startswith("F"):
        return FLOAT
    if picture.format == "TIFF":
        return _depth_of_tiff(picture)
    if picture.format == "PNG":
        return SIXTEEN if data[24] == 16 else EIGHT
    if picture.format == "PPM":
        return _depth_of_pnm(picture)
    if picture.format == "JPEG2000":
        bits = _bits_of_jpeg2000(data)
        grey = picture.mode.startswith("I")
        return EIGHT if bits <= 8 else SIXTEEN if bits == 16 and grey else CUT
    if picture.format == "AVIF":
        place = data.find(b"av1C")
        return CUT if place >= 0 and data[place + 6] & 0x40 else EIGHT
    if picture.mode.startswith("I"):
        return SIXTEEN if picture.mode.startswith("I;16") else SIGNED
    raw_modes = [str(tile[3]) for tile in tiles_of(picture)]
    deep = (picture.format == "SGI" and data[3] == 2) or any(map(_DEEP_RAW_MODE.search, raw_modes))
    return CUT if deep else EIGHT


def tiles_of(picture: Image.Image) -> Sequence[tuple[str, Any, int, Any]]:
    """How Pillow will decode a file: decoder, place, offset, mode. It forgets it when it has."""
    return getattr(picture, "tile", ())


def _depth_of_tiff(picture: Image.Image) -> str:
    tags: Any = getattr(picture, "tag_v2", {})
    bits = max(tags.get(_BITS_PER_SAMPLE, (1,)))
    if bits <= 8:
        return EIGHT
    kind = max(tags.get(_SAMPLE_FORMAT, (_UNSIGNED,)))
    if kind == _FLOATING:
        return FLOAT
    if kind == _UNSIGNED and bits <= 16:
        return SIXTEEN if bits == 16 else FEWER
    return SIGNED


def _depth_of_pnm(picture: Image.Image) -> str:
    largest = pnm_maximum(picture)
    if largest <= 255:
        return EIGHT
    if picture.mode.startswith("I"):  # grey, which Pillow scales to 16 bits
        return SIXTEEN
    return SIXTEEN if largest == 65535 and tiles_of(picture)[0][0] in ("raw", "ppm") else CUT


def pnm_maximum(picture: Image.Image) -> int:
    """The value that stands for white in a PBM, PGM or PPM file."""
    arguments: Any = tiles_of(picture)[0][3]
    if isinstance(arguments, tuple) and len(cast("tuple[Any, ...]", arguments)) > 1:
        return int(cast("tuple[Any, ...]", arguments)[1])
    return 65535 if "16" in str(arguments) else 255


def has_more_pnm(picture: Image.Image, data: bytes) -> bool:
    """Whether another picture follows in a PBM, PGM or PPM file, which may hold several."""
    bits = {b"P4": 1, b"P5": 8, b"P6": 24}.get(data[:2])
    if bits is None:
        return False
    bits *= 2 if pnm_maximum(picture) > 255 else 1
    end = tiles_of(picture)[0][2] + -(-picture.width * bits // 8) * picture.height
    return data[end:].lstrip()[:1] == b"P"


def _bits_of_jpeg2000(data: bytes) -> int:
    """The most bits of any component, from the codestream's SIZ segment (ITU-T T.800, A.5.1)."""
    start = data.find(b"\xff\x4f\xff\x51")
    if start < 0 or len(data) < start + 43:
        return 8
    (components,) = struct.unpack_from(">H", data, start + 40)
    bits = [1 + (value & 0x7F) for value in data[start + 42 : start + 42 + 3 * components : 3]]
    return max(bits, default=8)


def read_deep(picture: Image.Image, data: bytes, where: str, *, page: int, pixels_at: int) -> DeepImage:
    """The pixels of a picture of 16 bits.

    page: of a TIFF with several. pixels_at: where the pixels of a PPM begin. Raises PictureError.
    """
    if picture.format == "PNG":
        return _read_png(data)
    if picture.format == "TIFF":
        return read_tiff(data, page, where).astype(np.uint16)
    if picture.mode.startswith("I"):
        return np.asarray(picture).astype(np.uint16)
    if picture.format == "PPM":
        values = np.frombuffer(data, ">u2", picture.width * picture.height * 3, pixels_at)
        return values.reshape(picture.height, picture.width, 3).astype(np.uint16)
    raise PictureError(f"{where}: 16 bits as {picture.format}; --convert makes 8 bits of them", "16 bits not read")


def widened_tiff(picture: Image.Image) -> DeepImage:
    """The grey of a TIFF of 9 to 15 bits, scaled to 16."""
    tags: Any = getattr(picture, "tag_v2", {})
    largest = (1 << max(tags[_BITS_PER_SAMPLE])) - 1
    return ((np.asarray(picture).astype(np.uint32) * 65535 + largest // 2) // largest).astype(np.uint16)


def _read_png(data: bytes) -> DeepImage:
    import png

    width, height, rows, info = png.Reader(bytes=data).read()
    values = np.vstack([np.asarray(row, np.uint16) for row in rows]).reshape(height, width, info["planes"])
    transparent = info.get("transparent")
    if transparent is not None:
        colour = np.asarray(transparent, np.uint16).reshape(-1)
        alpha = np.where((values == colour).all(axis=2), 0, 65535).astype(np.uint16)
        values = np.dstack([values, alpha])
    return values[..., 0] if values.shape[2] == 1 else values


def read_tiff(data: bytes, page: int, where: str) -> NDArray[Any]:
    """One page of a TIFF file (H,W) or (H,W,C), of whatever type. Raises PictureError."""
    import tifffile

    with tifffile.TiffFile(io.BytesIO(data)) as file:
        found: Any = file.pages[page]
        try:
            values = np.asarray(found.asarray())
        except ValueError as error:
            if "imagecodecs" not in str(error):
                raise
            raise PictureError(
                f"{where}: a TIFF packed by {found.compression.name}; pip install imagecodecs, or pack it by Deflate",
                "TIFF packed in a way that is not read",
            ) from error
        photometric = found.tags[_PHOTOMETRIC].value if _PHOTOMETRIC in found.tags else 1
        if found.planarconfig == 2 and values.ndim == 3:
            values = np.moveaxis(values, 0, -1)
        orientation = found.tags[274].value if 274 in found.tags else 1
        extra = found.tags[_EXTRA_SAMPLES].value if _EXTRA_SAMPLES in found.tags else ()
    if photometric not in (0, 1, 2) or values.ndim not in (2, 3) or (values.ndim == 3 and values.shape[2] > 4):
        raise PictureError(
            f"{where}: a TIFF of shape {values.shape} that is neither grey nor RGB; save it as one of them",
            "TIFF that is neither grey nor RGB",
        )
    if photometric == _MIN_IS_WHITE and values.dtype.kind == "u":
        values = np.iinfo(values.dtype).max - values
    if len(extra) == 1 and values.ndim == 3 and values.shape[2] in (2, 4):
        values = _with_plain_alpha(values, int(extra[0]))
    return turned(values, int(orientation))


def _with_plain_alpha(values: NDArray[Any], extra: int) -> NDArray[Any]:
    """Values (H,W,C) whose last channel is what a TIFF calls an extra sample."""
    if extra == UNSPECIFIED:
        return values[..., 0] if values.shape[2] == 2 else values[..., :-1]
    if extra != PREMULTIPLIED or values.dtype.kind != "u":
        return values
    alpha, largest = values[..., -1:].astype(np.uint64), np.iinfo(values.dtype).max
    plain = (values[..., :-1].astype(np.uint64) * largest + alpha // 2) // np.maximum(alpha, 1)
    return np.concatenate([np.minimum(plain, largest).astype(values.dtype), values[..., -1:]], axis=2)


def extra_sample(picture: Image.Image) -> int | None:
    """What a TIFF's tag says of a channel beyond grey or RGB; None without one."""
    tags: Any = getattr(picture, "tag_v2", {})
    found = tags.get(_EXTRA_SAMPLES, ())
    return found[0] if found else None


def turned(image_HWC: NDArray[Any], orientation: int) -> NDArray[Any]:
    """An image as viewers show it; orientation: EXIF's, 1 to 8, where 1 leaves it as it is."""
    if orientation in (5, 6, 7, 8):
        image_HWC = image_HWC.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        image_HWC = image_HWC[:, ::-1]
    if orientation in (3, 4, 7, 8):
        image_HWC = image_HWC[::-1]
    return np.ascontiguousarray(image_HWC)


def to_8_bits(values: NDArray[Any], where: str) -> tuple[NDArray[np.uint8], str]:
    """Values of another type as 8 bits, and how, in words.

    uint16: 0 to 65535 become 0 to 255, rounded. Integers from 0 to 255 stay; up to 65535 they are
    taken as 16 bits. Floats from 0 to 1 are multiplied by 255. Raises PictureError for any other.
    """
    low, high = (float(values.min()), float(values.max())) if values.size else (0.0, 0.0)
    whole = values.dtype.kind in "iu" or (high > 1 and bool((values == np.floor(values)).all()))
    if values.dtype != np.uint16 and low >= 0 and high <= 255 and whole:
        return values.astype(np.uint8), "values of 0 to 255 of another type, read as 8 bits"
    if values.dtype.kind in "iu" and low >= 0 and high <= 65535:
        return ((values.astype(np.uint32) + 128) // 257).astype(np.uint8), "16 bits made 8"
    if values.dtype.kind == "f" and low >= 0 and high <= 1:
        return np.floor(values * 255 + 0.5).astype(np.uint8), "floating point from 0 to 1 made 8 bits"
    raise PictureError(
        f"{where}: values from {low:g} to {high:g}; scale them to 0..1, 0..255 or 0..65535 first",
        "values that are not 0..1, 0..255 or 0..65535",
    )


def encode_deep_png(image: NDArray[Any]) -> bytes:
    """An image (H,W) or (H,W,C) of 16 bits and 1 to 4 channels as a PNG file."""
    import png

    height, width = image.shape[:2]
    channels = image.shape[2] if image.ndim == 3 else 1
    stream = io.BytesIO()
    grey: Any = channels < 3
    writer = png.Writer(width, height, greyscale=grey, alpha=channels in (2, 4), bitdepth=16, compression=9)
    writer.write(stream, image.reshape(height, width * channels))
    return stream.getvalue()
