"""How the axes of an array are images: (N,H,W) or (N,H,W,C), or what can be taken as that.

Axes: N images, H rows, W columns, C channels; A and B those of a table.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from compressnet.errors import InputError
from compressnet.images.kinds import size_text
from compressnet.limits import CHANNELS_LIMIT, IMAGES_LIMIT, SIDE_LIMIT_PX

_MNIST_VALUES = 28 * 28
_SQUARE_SIDE_PX = 8
"""The least side of a square image that a row of values may be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The axes in which an array's values are to be read."""

    stored: tuple[int, ...]
    """(N,H,W), (N,H,W,C) or, with `channels_first`, (N,C,H,W): the same values in order."""
    channels_first: bool = False
    note: str = ""
    """What is to be said of it, where the array has other axes than images."""

    @property
    def count(self) -> int:
        """The number of images."""
        return self.stored[0]

    def images(self, stored: NDArray[Any]) -> NDArray[Any]:
        """Some of the images (n,...) as they are stored, with channels last."""
        return stored.transpose(0, 2, 3, 1) if self.channels_first else stored


def layout_of(name: str, shape: tuple[int, ...]) -> Layout:
    """How an array of this shape is read.

    Raises InputError, which says how to reshape it, for what is no array of images beyond doubt,
    for no images, and for those beyond the limits.
    """
    layout = _layout(name, shape)
    count, (height, width) = layout.count, layout.stored[2:4] if layout.channels_first else layout.stored[1:3]
    if count == 0:
        raise InputError(f"{name}: holds no images")
    if 0 in shape or max(height, width) > SIDE_LIMIT_PX or count > IMAGES_LIMIT:
        raise InputError(
            f"{name}: {count} images of {height}x{width} pixels are beyond the limits; "
            f"sides are 1 to {SIDE_LIMIT_PX} pixels"
        )
    return layout


def may_be_images(shape: tuple[int, ...]) -> bool:
    """Whether an array of this shape can be read as images."""
    try:
        layout_of("", shape)
    except InputError:
        return False
    return True


def _layout(name: str, shape: tuple[int, ...]) -> Layout:
    if len(shape) == 2:
        return _layout_of_table(name, *shape)
    if len(shape) == 3:
        return Layout(stored=shape)
    if len(shape) == 4 and 1 <= shape[3] <= CHANNELS_LIMIT:
        return Layout(stored=shape)
    if len(shape) == 4 and 1 <= shape[1] <= CHANNELS_LIMIT:
        return Layout(stored=shape, channels_first=True, note="channels first, (N,C,H,W), taken as channels last")
    said = f"{name}: an array of shape {shape} is no collection of images (N,H,W) or (N,H,W,C)"
    if len(shape) == 4:
        raise InputError(f"{said} with 1 to {CHANNELS_LIMIT} channels; choose channels, as in a[..., :3]")
    if len(shape) > 4:
        raise InputError(f"{said}; put the first axes together: np.reshape(a, (-1, *a.shape[-3:]))")
    raise InputError(f"{said}; give it their sizes, as in np.reshape(a, (-1, 28, 28)), or labels by --labels")


def _layout_of_table(name: str, A: int, B: int) -> Layout:
    """One image (H,W), or images as rows."""
    if 0 in (A, B):
        raise InputError(f"{name}: holds no images")
    side = math.isqrt(B)
    is_square = side * side == B
    colour_side = math.isqrt(B // 3)
    is_colour_square = 3 * colour_side * colour_side == B
    if (B == _MNIST_VALUES and A != _MNIST_VALUES) or (A > SIDE_LIMIT_PX and is_square and side >= _SQUARE_SIDE_PX):
        return Layout(stored=(A, side, side), note=f"rows of {B} values taken as {size_text((side, side))}")
    if not is_square and not is_colour_square and max(A, B) <= SIDE_LIMIT_PX:
        return Layout(stored=(1, A, B), note="array (H,W) taken as one image")
    ways = [f"np.reshape(a, ({A}, {side}, {side})) for rows that are images"] if is_square else []
    if is_colour_square:
        size = f"{colour_side}, {colour_side}"
        ways.append(f"np.reshape(a, ({A}, 3, {size})) for rows that are images, colour after colour")
        ways.append(f"np.reshape(a, ({A}, {size}, 3)) for rows that are images, pixel after pixel")
    if not ways:
        ways.append(f"np.reshape(a, ({A}, H, W)) for rows that are images of H x W = {B} values")
    if max(A, B) <= SIDE_LIMIT_PX:
        ways.append("a[None] for one image")
    raise InputError(f"{name}: an array of shape {(A, B)} may be rows or one image; save {', or '.join(ways)}")
