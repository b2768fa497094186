"""Images as Pillow's pictures, and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from compressnet.errors import InputError
from compressnet.images.kinds import Pictures

_MODES = ("L", "LA", "RGB", "RGBA")
_PLAIN = (*_MODES, "I;16")


def mode_of(shape: Sequence[int], dtype: np.dtype[Any]) -> str:
    """The mode of images (H,W) or (H,W,C): L, LA, RGB or RGBA; of 16 bits, I;16.

    Raises InputError for colour or alpha of 16 bits, as Pillow has no mode for them.
    """
    channels = shape[2] if len(shape) == 3 else 1
    if dtype == np.uint16:
        if channels > 1:
            raise InputError("16 bits in several channels: Pillow has no mode for them; take the array as it is")
        return "I;16"
    return _MODES[channels - 1]


def as_picture(image: Pictures) -> Image.Image:
    """An image (H,W) or (H,W,C) as a picture, of the mode that `mode_of` says.

    Raises InputError as that does.
    """
    mode_of(image.shape, image.dtype)
    plain = image[..., 0] if image.ndim == 3 and image.shape[2] == 1 else image
    return Image.fromarray(np.ascontiguousarray(plain))


def as_image(picture: Image.Image) -> Pictures:
    """A picture as an image (H,W) or (H,W,C), with the same colours.

    Palettes become RGB, or RGBA where something is transparent; one bit becomes grey. Raises
    InputError for other modes, which would have to be rounded or converted.
    """
    if picture.mode in ("1", "P", "PA"):
        grey = picture.mode == "1" and not picture.has_transparency_data
        picture = picture.convert("L" if grey else "RGBA" if picture.has_transparency_data else "RGB")
    elif picture.mode in ("L", "RGB") and picture.has_transparency_data:
        picture = picture.convert("LA" if picture.mode == "L" else "RGBA")
    if picture.mode in ("I;16L", "I;16B"):
        picture = picture.convert("I;16")
    if picture.mode not in _PLAIN or (picture.mode == "I;16" and picture.has_transparency_data):
        raise InputError(f"pictures of mode {picture.mode}: none of {', '.join(_PLAIN)}; convert them to one of these")
    return np.asarray(picture)
