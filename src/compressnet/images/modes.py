"""Modes that say more than their images need: grey saved as RGB, alpha that is opaque throughout.

An image is coded in the fewest channels that hold it, and comes back in those that it had.

Axes: N images, H rows, W columns, C channels.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from compressnet.images.alpha import has_alpha
from compressnet.images.forms import Form
from compressnet.images.kinds import Pictures


@dataclass(frozen=True, slots=True, kw_only=True)
class Tight:
    """What is left out of images that allow it: they are coded without it, and come back with it.

    colour: where red, green and blue are equal throughout. alpha: where all of it is opaque.
    """

    colour: bool = False
    alpha: bool = False


AS_IS = Tight()
TIGHT = Tight(colour=True, alpha=True)


def forms_of(pictures: Pictures, tight: Tight) -> list[tuple[Form, NDArray[np.int64]]]:
    """The forms of pictures (N,H,W[,C]), and which of them (n,) have each."""
    plain = Form(shape=pictures.shape[1:], deep=pictures.dtype == np.uint16)
    grey_N = grey_throughout(pictures) if tight.colour else np.zeros(len(pictures), np.bool_)
    opaque_N = opaque_throughout(pictures) if tight.alpha else np.zeros(len(pictures), np.bool_)
    found: list[tuple[Form, NDArray[np.int64]]] = []
    for grey in (False, True):
        for opaque in (False, True):
            rows = np.flatnonzero((grey_N == grey) & (opaque_N == opaque))
            if len(rows):
                found.append((Form(shape=plain.shape, deep=plain.deep, grey=grey, opaque=opaque), rows))
    return found


def grey_throughout(pictures: Pictures) -> NDArray[np.bool_]:
    """Which pictures (N,H,W[,C]) have red, green and blue that are equal everywhere, (N,)."""
    if pictures.ndim != 4 or pictures.shape[3] < 3:
        return np.zeros(len(pictures), np.bool_)
    return (pictures[..., 1:3] == pictures[..., :1]).all(axis=(1, 2, 3))


def opaque_throughout(pictures: Pictures) -> NDArray[np.bool_]:
    """Which pictures (N,H,W[,C]) have alpha, and all of it opaque, (N,)."""
    if pictures.ndim != 4 or not has_alpha(pictures.shape[3]):
        return np.zeros(len(pictures), np.bool_)
    return (pictures[..., -1] == np.iinfo(pictures.dtype).max).all(axis=(1, 2))


def tightened(batches: Iterable[Pictures], tight: Tight) -> Iterator[Pictures]:
    """Arrays as they are coded, uint8 (n,H,W,C); those of 16 bits as they came."""
    for batch in batches:
        for form, rows in forms_of(batch, tight):
            yield batch[rows] if form.deep else form.coded(batch[rows])


def tightest(batches: Iterable[Pictures]) -> Tight:
    """What every image of a collection allows, if any image has it at all.

    Stops reading where neither is possible any more.
    """
    return tightest_kinds(batches)[0]


def tightest_kinds(batches: Iterable[Pictures]) -> tuple[Tight, list[tuple[int, ...]]]:
    """`tightest`, and the shapes (H,W[,C]) of the images of 8 bits that were read."""
    has_colour = has_opaque = False
    may_colour = may_alpha = True
    shapes: dict[tuple[int, ...], None] = {}
    for batch in batches:
        channels = batch.shape[3] if batch.ndim == 4 else 1
        if batch.dtype == np.uint8:
            shapes[batch.shape[1:]] = None
        if may_colour and channels >= 3 and len(batch):
            has_colour, may_colour = True, bool(grey_throughout(batch).all())
        if may_alpha and has_alpha(channels) and len(batch):
            has_opaque, may_alpha = True, bool(opaque_throughout(batch).all())
        if not (may_colour or may_alpha):
            break
    return Tight(colour=has_colour and may_colour, alpha=has_opaque and may_alpha), list(shapes)
