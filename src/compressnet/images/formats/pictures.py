"""Pictures, single files of PNG, JPEG, WebP, BMP, GIF or TIFF, and collections of them."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from compressnet.errors import InputError
from compressnet.images.collection import Collection, in_batches
from compressnet.images.kinds import Images
from compressnet.images.labels import LABELS_FILE, csv_of_labels
from compressnet.images.untrusted import input_errors
from compressnet.limits import SIDE_LIMIT_PX

if TYPE_CHECKING:
    from PIL import Image

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF")


def decode_picture(data: bytes, name: str) -> Images:
    """The pixels of a picture's file, (H,W) grey, or (H,W,C) with grey and alpha, RGB or RGBA.

    Palettes and other colour spaces become RGB, or RGBA where something is transparent; one bit
    becomes grey. Of a GIF it is the first frame, of a TIFF the first page. The orientation in a
    JPEG's EXIF is not applied: pixels stay as they are stored. Raises InputError, also for more
    than 8 bits, an animation, or a size beyond the limit.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        # Pillow warns of what is an error here, or is nothing to us.
        with warnings.catch_warnings(action="ignore"), Image.open(io.BytesIO(data), formats=FORMATS) as picture:
            _require_readable(picture, name)
            return np.asarray(_in_plain_mode(picture))
    except InputError:
        raise
    except UnidentifiedImageError as error:
        raise InputError(f"{name}: not a picture, though it is named like one; move it away") from error
    except Exception as error:  # Pillow's readers raise nearly anything on damaged files
        raise InputError(f"{name}: cannot be read as a picture ({error}); is the file damaged or cut off?") from error


def _require_readable(picture: Image.Image, name: str) -> None:
    """Raises InputError if the file's header says that it cannot be read as it is."""
    width, height = picture.size
    # Pillow quietly drops the lower 8 bits of colour with 16; only its decoder's raw mode tells.
    deep = any(";16" in str(tile[3]) for tile in getattr(picture, "tile", ()))
    if deep or picture.mode.startswith(("I", "F")):
        raise InputError(
            f"{name}: 16-bit or floating-point pixels; convert it to 8 bits first, "
            "for example with ImageMagick: mogrify -depth 8 FILE"
        )
    if max(picture.size) > SIDE_LIMIT_PX:
        raise InputError(f"{name}: {width}x{height} pixels, but {SIDE_LIMIT_PX} is the limit; scale it down or cut it")
    if picture.format in ("PNG", "WEBP") and getattr(picture, "is_animated", False):
        raise InputError(f"{name}: an animation; save its frames as pictures of their own first")


def _in_plain_mode(picture: Image.Image) -> Image.Image:
    """The picture in one of the modes L, LA, RGB and RGBA."""
    transparent = picture.has_transparency_data
    if picture.mode in ("1", "L", "LA", "La"):
        mode = "LA" if transparent else "L"
    else:
        mode = "RGBA" if transparent else "RGB"
    return picture if picture.mode == mode else picture.convert(mode)


def encode_png(image: Images) -> bytes:
    """An image (H,W) or (H,W,C) of 1 to 4 channels as a PNG file."""
    from PIL import Image

    plain = image[..., 0] if image.ndim == 3 and image.shape[2] == 1 else image
    stream = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(plain)).save(stream, format="png")
    return stream.getvalue()


def picture_collection(
    source: str,
    names: Sequence[str] | None,
    count: int,
    labels: NDArray[Any] | None,
    read_files: Callable[[], Iterable[tuple[str, bytes]]],
) -> Collection:
    """A collection of picture files.

    `read_files` gives what errors call each of them, and its bytes, in order.
    """

    def pictures() -> Iterator[Images]:
        found = 0
        with input_errors(source):
            for where, data in read_files():
                found += 1
                yield decode_picture(data, where)
        if found != count:
            raise InputError(f"{source}: has {found} pictures now, {count} before; let nothing change it meanwhile")

    return Collection(name=source, count=count, batches=lambda: in_batches(pictures()), names=names, labels=labels)


def pictures_and_labels(
    batches: Iterable[Images], names: Sequence[str], labels: NDArray[Any] | None
) -> Iterator[tuple[str, bytes]]:
    """The files of a written collection, name and bytes.

    There is a PNG for each image, and after these `labels.csv`, where there are labels.

    names: one for each image, as `names.written_names` gives them.
    """
    for name, image in zip(names, (image for batch in batches for image in batch), strict=True):
        yield name, encode_png(image)
    if labels is not None:
        yield LABELS_FILE, csv_of_labels(names, labels)
