"""One picture's file, by Pillow: its images, and what is to be said of it."""

from __future__ import annotations

import io
import warnings
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from compressnet.errors import InputError, PictureError
from compressnet.images.formats.pictures.deep import (
    CUT,
    EIGHT,
    FEWER,
    FLOAT,
    PREMULTIPLIED,
    SIXTEEN,
    UNSPECIFIED,
    depth_of,
    encode_deep_png,
    extra_sample,
    has_more_pnm,
    pnm_maximum,
    read_deep,
    read_tiff,
    tiles_of,
    to_8_bits,
    turned,
    widened_tiff,
)
from compressnet.images.formats.pictures.sniffing import formats_to_try
from compressnet.images.kinds import Pictures
from compressnet.images.reading import AS_IT_IS, Reading
from compressnet.limits import SIDE_LIMIT_PX

if TYPE_CHECKING:
    from PIL import Image

FRAMES = "each frame or page an image"
TURNED = "turned as the EXIF orientation says"
PROFILE = "colour profile (ICC)"
TOO_LARGE = f"more than {SIDE_LIMIT_PX} pixels a side"
_ORIENTATION = 0x0112
_TIFF_MAGICS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_FIRST_ONLY = {"MPO": "further pictures in the file (MPO)", "PSD": "layers (PSD)"}
"""Formats of which the first picture is the one that viewers show, and what else they hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a picture's file holds."""

    frames: int
    changed: tuple[str, ...] = ()
    """In what the images differ from the file."""
    dropped: tuple[str, ...] = ()
    """What is not kept of it."""


def look_at(data: bytes, name: str, where: str, reading: Reading = AS_IT_IS) -> Look:
    """What a file holds, by its header alone. Raises PictureError for what cannot be taken.

    name: its ending helps to tell the format. where: what errors call it.
    """
    with _opened(data, name, where) as picture:
        if picture is None:
            kind = read_tiff(data, 0, where).dtype
            depth = {np.dtype(np.uint8): EIGHT, np.dtype(np.uint16): SIXTEEN}.get(kind, FLOAT)
            return Look(frames=1, changed=_checked_depth(depth, data, where, reading))
        width, height = picture.size
        if max(picture.size) > SIDE_LIMIT_PX:
            raise PictureError(
                f"{where}: {width}x{height} pixels, but {SIDE_LIMIT_PX} is the limit; scale it down or cut it",
                TOO_LARGE,
            )
        changed = [*_checked_depth(depth_of(picture, data), data, where, reading), *_mode_changes(picture)]
        dropped = [PROFILE] if picture.info.get("icc_profile") else []
        if picture.format == "TIFF" and extra_sample(picture) == UNSPECIFIED:
            dropped.append("channel of which the TIFF says nothing")
        if picture.format == "PPM" and has_more_pnm(picture, data):
            dropped.append("further pictures in the file (PNM)")
        frames, more = _frames_of(picture)
        dropped += more
        if frames > 1:
            changed.append(FRAMES)
        orientation = _orientation_of(picture, data)
        if orientation is None:
            dropped.append("EXIF data that cannot be read")
        elif orientation != 1:
            changed.append(TURNED)
    return Look(frames=frames, changed=tuple(changed), dropped=tuple(dropped))


def decode_picture(data: bytes, name: str, where: str, reading: Reading = AS_IT_IS) -> Iterator[Pictures]:
    """The images of a picture's file, (H,W) grey, or (H,W,C) with grey and alpha, RGB or RGBA.

    Palettes and other colour spaces become RGB, or RGBA where something is transparent; one bit
    becomes grey. They are uint8, or uint16 where the file has 16 bits. They are turned as EXIF
    says. Raises PictureError.
    """
    with _opened(data, name, where) as picture:
        if picture is None:
            yield _as_read(read_tiff(data, 0, where), where, reading)
            return
        frames, _ = _frames_of(picture)
        alike = _common_mode(picture, frames) if picture.format == "GIF" and frames > 1 else None
        depth = depth_of(picture, data)
        pixels_at = next((tile[2] for tile in tiles_of(picture)), 0)
        for frame in _each(picture, frames):
            if picture.format == "TIFF":  # its pages may differ
                depth = depth_of(picture, data)
            if depth in (EIGHT, CUT):
                image: NDArray[Any] = np.asarray(_in_plain_mode(picture, data, alike))
            elif depth == FEWER:
                image = widened_tiff(picture)
            elif depth == SIXTEEN:
                image = read_deep(picture, data, where, page=frame, pixels_at=pixels_at)
            else:
                image = np.asarray(picture)
            # Pillow turns TIFF by itself, and then forgets the tag.
            orientation = 1 if picture.format == "TIFF" else _orientation_of(picture, data)
            yield _as_read(turned(image, orientation or 1), where, reading)


@contextmanager
def _opened(data: bytes, name: str, where: str) -> Generator[Image.Image | None]:
    """The file as Pillow opens it; None for a TIFF that tifffile alone reads.

    Any error within the block becomes a PictureError.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        # Pillow warns of what is an error here, or is nothing to us.
        with warnings.catch_warnings(action="ignore"):
            try:
                picture = Image.open(io.BytesIO(data), formats=formats_to_try(name))
            except UnidentifiedImageError:
                if not data.startswith(_TIFF_MAGICS):
                    raise
                yield None
                return
            with picture:
                yield picture
    except InputError:
        raise
    except UnidentifiedImageError as error:
        what = "empty" if not data else "not a picture, though it is named like one"
        raise PictureError(f"{where}: {what}; move it away", "empty" if not data else "no pictures") from error
    except Image.DecompressionBombError as error:
        raise PictureError(
            f"{where}: far more pixels than {SIDE_LIMIT_PX} a side, which is the limit; scale it down or cut it",
            TOO_LARGE,
        ) from error
    except Exception as error:  # Pillow's readers raise nearly anything on damaged files
        raise PictureError(
            f"{where}: cannot be read as a picture ({error}); is the file damaged or cut off?", "damaged or cut off"
        ) from error


def _checked_depth(depth: str, data: bytes, where: str, reading: Reading) -> tuple[str, ...]:
    """What converting to 8 bits will change. Raises PictureError for what is not taken."""
    if depth == EIGHT or (depth == SIXTEEN and reading.deep and not reading.convert):
        return ()
    if reading.convert:
        if depth == SIXTEEN:
            return ("16 bits made 8",)
        if depth in (CUT, FEWER):
            return (f"{depth} made 8",)
        # What floats and large integers become depends on their values.
        return (to_8_bits(_any_values(data, where), where)[1],)
    keeps = "; --quality 100 keeps them without loss, --convert makes 8 of them" if depth == SIXTEEN else ""
    what = {SIXTEEN: "16-bit pixels", CUT: "pixels of more than 8 bits"}.get(depth, f"pixels of {depth}")
    raise PictureError(f"{where}: {what}{keeps or '; --convert makes 8 bits of them'}", what)


def _any_values(data: bytes, where: str) -> NDArray[Any]:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(data)) as picture:
            return np.asarray(picture)
    except UnidentifiedImageError:
        return read_tiff(data, 0, where)


def _as_read(image: NDArray[Any], where: str, reading: Reading) -> Pictures:
    """The image of 8 or 16 bits that these values are."""
    if image.dtype == np.uint8:
        return image
    if image.dtype == np.uint16 and reading.deep and not reading.convert:
        return image
    return to_8_bits(image, where)[0]


def _frames_of(picture: Image.Image) -> tuple[int, list[str]]:
    """How many images are taken of a file, and what is not."""
    sizes = _sizes_of(picture)
    if sizes is not None:
        return len(sizes), []
    frames = int(getattr(picture, "n_frames", 1))
    if picture.format == "ICNS":
        return 1, ["smaller sizes in the file (ICNS)"] if len(picture.info.get("sizes", ())) > 1 else []
    further = _FIRST_ONLY.get(picture.format or "")
    if further is not None:
        return 1, [further] if frames > 1 else []
    return max(1, frames), []


def _sizes_of(picture: Image.Image) -> list[tuple[int, ...]] | None:
    """The sizes that an icon file holds, the smallest first; None for any other format."""
    if picture.format != "ICO":
        return None
    return sorted(cast("list[tuple[int, ...]]", list(picture.info.get("sizes", ())))) or None


def _each(picture: Image.Image, frames: int) -> Iterator[int]:
    """Go through the frames of a file: with each number given, the picture shows that frame."""
    sizes = _sizes_of(picture)
    for frame in range(frames):
        if sizes is not None:
            picture.size = sizes[frame]  # pyright: ignore[reportAttributeAccessIssue]
        elif frames > 1:
            picture.seek(frame)
        picture.load()
        yield frame


def _common_mode(picture: Image.Image, frames: int) -> str:
    """The mode that holds all frames of an animation."""
    modes: set[str] = set()
    for _ in _each(picture, frames):
        modes.add(_plain_mode(picture))
    alpha = "A" if any(mode.endswith("A") for mode in modes) else ""
    return ("L" if all(mode.startswith("L") for mode in modes) else "RGB") + alpha


def _mode_changes(picture: Image.Image) -> list[str]:
    """In what the images will differ from the file's mode."""
    mode, changes = picture.mode, list[str]()
    if mode in ("P", "PA") and picture.format != "GIF":
        changes.append("palette read as RGB or RGBA")
    elif mode in ("CMYK", "YCbCr", "LAB", "HSV"):
        changes.append(f"{mode} read as RGB")
    elif mode in ("La", "RGBa") or (picture.format == "TIFF" and extra_sample(picture) == PREMULTIPLIED):
        changes.append("premultiplied alpha read as plain alpha")
    if picture.format == "PPM" and mode != "1" and pnm_maximum(picture) not in (255, 65535):
        changes.append("values scaled to the range of 8 or 16 bits")
    return changes


def _orientation_of(picture: Image.Image, data: bytes) -> int | None:
    """EXIF's, 1 to 8; 1 where nothing is to be turned, None where it is damaged."""
    told = b"eXIf" in data or any("exif" in str(key).lower() or key == "xmp" for key in picture.info)
    if picture.format == "PNG" and not told:
        return 1  # without this, Pillow would decode the whole file to look for it behind the pixels
    try:
        value = picture.getexif().get(_ORIENTATION, 1)
    except Exception:  # Pillow raises nearly anything, and the pixels are sound nevertheless
        return None
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _plain_mode(picture: Image.Image) -> str:
    """Which of L, LA, RGB and RGBA holds the picture."""
    transparent = picture.has_transparency_data
    if picture.mode in ("1", "L", "LA", "La"):
        return "LA" if transparent else "L"
    return "RGBA" if transparent else "RGB"


def _in_plain_mode(picture: Image.Image, data: bytes, mode: str | None) -> Image.Image:
    """The picture in a mode, or else in the one that holds it. data: its file."""
    mode = mode or _plain_mode(picture)
    if picture.mode == mode:
        return picture
    if picture.mode == "L" and picture.format == "PNG" and data[24] < 8 and "transparency" in picture.info:
        # Pillow scales grey of 2 and 4 bits to 8, but not the value that is transparent.
        picture = picture.copy()
        picture.info["transparency"] *= 255 // ((1 << data[24]) - 1)
    return picture.convert(mode)


def encode_png(image: Pictures) -> bytes:
    """An image (H,W) or (H,W,C) of 1 to 4 channels, of 8 or 16 bits, as a PNG file."""
    from PIL import Image

    if image.dtype == np.uint16:
        return encode_deep_png(image)
    plain = image[..., 0] if image.ndim == 3 and image.shape[2] == 1 else image
    stream = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(plain)).save(stream, format="png")
    return stream.getvalue()
