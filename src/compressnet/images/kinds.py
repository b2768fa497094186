"""What an array of images is: the types that all packages share, and an image's kind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from compressnet.errors import InputError

Images = NDArray[np.uint8]
"""(N,H,W) or (N,H,W,C); what codes images wants (N,H,W,C)."""
Pictures = NDArray[np.uint8 | np.uint16]
"""(N,H,W) or (N,H,W,C) as collections and archives give them: of 8 bits, or of 16, which are kept
without loss alone."""
Symbols = NDArray[np.int32]
"""(N,D): what a lossy codec makes of images."""
Kind = tuple[int, int, int]
"""Height, width and channels of an image, in pixels."""


def picture_kind(pictures: NDArray[Any]) -> Kind:
    """(H,W,C) of a batch (N,H,W) or (N,H,W,C), of 8 or 16 bits.

    Raises InputError for anything else.
    """
    if pictures.dtype.name not in ("uint8", "uint16") or pictures.ndim not in (3, 4):
        raise InputError(
            f"images have to be uint8 or uint16 arrays (N,H,W) or (N,H,W,C), not {pictures.dtype} of shape "
            f"{pictures.shape}"
        )
    return (pictures.shape[1], pictures.shape[2], pictures.shape[3] if pictures.ndim == 4 else 1)


def eight_bits(pictures: Pictures, why: str = "8 are needed here") -> Images:
    """The same pictures, which have 8 bits. Raises `sixteen_bits_error` for those of 16."""
    if pictures.dtype != np.uint8:
        raise sixteen_bits_error(why)
    return cast("Images", pictures)


def sixteen_bits_error(why: str) -> InputError:
    """What is raised for images of 16 bits, with the ways out; why: what they do not go with."""
    return InputError(
        f"images of 16 bits: {why}; --quality 100 (quality=100 in Python) keeps all 16, --convert makes them 8"
    )


def kind_of(images: NDArray[Any]) -> Kind:
    """(H,W,C) of a batch (N,H,W) or (N,H,W,C).

    Raises InputError for anything that is no batch of uint8 images.
    """
    if images.dtype != np.uint8 or images.ndim not in (3, 4):
        raise InputError(
            f"images have to be uint8 arrays (N,H,W) or (N,H,W,C), not {images.dtype} of shape {images.shape}"
        )
    return (images.shape[1], images.shape[2], images.shape[3] if images.ndim == 4 else 1)


def size_text(shape: Sequence[int]) -> str:
    """A kind, shape or size as messages show it: `28x28x1`, height first."""
    return "x".join(map(str, shape))


def count_text(images: int) -> str:
    """So many images in words: `1 image`, `7 images`."""
    return f"{images} image{'s' * (images != 1)}"
