"""Images of many sizes as pieces of few sizes, so that all of them are trained on in batches.

A network without a size sees neighbourhoods, so a piece teaches it what an image would. Pieces of
an image do not overlap; sides that are too short are extended by their last rows and columns, as
the encoder does.

Axes: N images or pieces, H rows, W columns, C channels.
"""

from __future__ import annotations

import numpy as np

from compressnet.images.kinds import Images, Kind

LARGEST_SIDE_PX = 64
"""Of a piece; larger images are cut."""
SIDES_PX = (8, 16, 24, 32, 48, LARGEST_SIDE_PX)
"""Of pieces that images of rare sizes become."""
WHOLE_OF_KIND = 32
"""A kind that has so many images, and its share of the pixels, is trained on as it is."""
FEWEST_PIECES, FEWEST_PX = 8, 1 << 13
"""Pieces that are fewer, or have fewer pixels in all, are cut down to join others."""
SHARE = 1 / 24
"""Of a collection's pixels, that kinds and pieces of one size have at least: each size costs time
of its own."""


def cut(images_NHWC: Images, height: int, width: int, generator: np.random.Generator) -> Images:
    """Pieces (N',height,width,C) of images, side by side, from a random corner on; all that fit.

    Images that are smaller are extended.
    """
    rows, columns = (max(0, piece - side) for piece, side in zip((height, width), images_NHWC.shape[1:3], strict=True))
    whole = images_NHWC
    if rows or columns:
        whole = np.pad(images_NHWC, ((0, 0), (0, rows), (0, columns), (0, 0)), mode="edge")
    count, whole_height, whole_width, channels = whole.shape
    down, across = whole_height // height, whole_width // width
    top = int(generator.integers(whole_height - down * height + 1))
    left = int(generator.integers(whole_width - across * width + 1))
    used = whole[:, top : top + down * height, left : left + across * width]
    pieces = used.reshape(count, down, height, across, width, channels).swapaxes(2, 3)
    return np.ascontiguousarray(pieces.reshape(-1, height, width, channels))


def in_frames(sets: dict[Kind, Images], generator: np.random.Generator) -> dict[Kind, Images]:
    """The same images (N,H,W,C), of sides up to 64 pixels, with those of rare kinds in pieces."""
    pixels = {kind: len(images) * kind[0] * kind[1] for kind, images in sets.items()}
    fewest_px = max(FEWEST_PX, SHARE * sum(pixels.values()))
    whole = [kind for kind, images in sets.items() if len(images) >= WHOLE_OF_KIND and pixels[kind] >= fewest_px]
    framed: dict[Kind, list[Images]] = {}
    for kind in sorted(set(sets) - set(whole)):
        framed.setdefault((_side(kind[0]), _side(kind[1]), kind[2]), []).append(sets[kind])
    found = {kind: sets[kind] for kind in whole}
    while framed:
        frame = max(framed, key=lambda frame: (frame[0] * frame[1], frame))
        sources = framed.pop(frame)
        pieces = np.concatenate([cut(images, frame[0], frame[1], generator) for images in sources])
        are_few = len(pieces) < FEWEST_PIECES or len(pieces) * frame[0] * frame[1] < fewest_px
        if frame in found:
            found[frame] = np.concatenate([found[frame], pieces])
        elif are_few and max(frame[:2]) > SIDES_PX[0]:
            inside = [other for other in {*framed, *found} if _lies_in(other, frame)]
            joined = max(inside, key=lambda other: (other[0] * other[1], other), default=_smaller(frame))
            framed.setdefault(joined, []).extend(sources)
        else:
            found[frame] = pieces
    return found


def _side(side_px: int) -> int:
    """The side of the pieces of images of a side: extended if it is short, else cut."""
    if side_px < SIDES_PX[1]:
        return SIDES_PX[0] if side_px <= SIDES_PX[0] else SIDES_PX[1]
    return max(side for side in SIDES_PX if side <= side_px)


def _lies_in(frame: Kind, other: Kind) -> bool:
    """Whether pieces can be cut to a frame that were cut to another one."""
    return frame[0] <= other[0] and frame[1] <= other[1] and frame[2] == other[2]


def _smaller(frame: Kind) -> Kind:
    """A frame with its longer side cut down to the next."""
    height, width, channels = frame
    smaller = max(side for side in SIDES_PX if side < max(height, width))
    return (smaller, width, channels) if height >= width else (height, smaller, channels)
