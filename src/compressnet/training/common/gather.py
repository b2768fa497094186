"""From a collection to what is trained on: distinct images, by kind, in an order set by a seed.

Lossy trainings take all images of 8 bits, whatever their sizes: large ones, and those of rare
sizes, in pieces (`compressnet.training.common.frames`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from compressnet.errors import InputError
from compressnet.images.alpha import fill_hidden
from compressnet.images.kinds import Images, Kind, Pictures, eight_bits, picture_kind
from compressnet.limits import SIDE_LIMIT_PX
from compressnet.training.common.frames import LARGEST_SIDE_PX, cut, in_frames

FEWEST_IMAGES = 400
"""With fewer distinct images in all, nothing is trained: the codec would outweigh what it
saves."""
HOLDOUT_IMAGES = 1000
TRAINED_BYTES = 1 << 27
"""Pixels times channels that are kept in memory. Of a larger collection, only an evenly spread
part is trained on."""
KINDS_LIMIT, FEWEST_OF_KIND = 64, 4
"""Kinds that are trained on without loss, and images that each of them has at least."""
DEEP = "they have 16 bits, and codecs are trained on 8"
_TOO_LARGE = f"sides up to {SIDE_LIMIT_PX:,} pixels are trained on"
_SIDES = f"of 1 to {LARGEST_SIDE_PX} pixels a side"


class TooFewImagesError(InputError):
    """A collection that is too small to train a codec on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """What a codec is trained on."""

    sets: list[Images]
    """Distinct images (N,H,W,C), or pieces of images, of each kind, the most pixels first, in an
    order that the seed sets."""
    several_kinds: bool
    """Whether images differ in size or mode, or are trained on in pieces."""
    left_out: list[tuple[Kind, int, str]]
    """Kinds that are not trained on: (H,W,C), images, why."""
    images: int
    """Of the collection, duplicates included."""

    @property
    def deep(self) -> int:
        """Images that are left out as they have 16 bits."""
        return sum(count for _, count, why in self.left_out if why == DEEP)

    def left_out_by_reason(self) -> list[str]:
        """For each reason why images are not trained on, a sentence with their number."""
        kinds_of: dict[str, list[tuple[Kind, int]]] = {}
        for kind, count, why in self.left_out:
            kinds_of.setdefault(why, []).append((kind, count))
        lines: list[str] = []
        for why, kinds in kinds_of.items():
            images, sizes = sum(count for _, count in kinds), len({kind[:2] for kind, _ in kinds})
            is_one = images == 1
            lines.append(
                f"{images:,} {'image' if is_one else 'images'} of {sizes:,} {'size' if sizes == 1 else 'sizes'} "
                f"{'is' if is_one else 'are'} left out: {why}"
            )
        return lines

    @property
    def distinct(self) -> int:
        """Images, or pieces of them, to train on and to hold out."""
        return sum(map(len, self.sets))

    @property
    def pixels(self) -> int:
        """Of all these images."""
        return sum(images.shape[0] * images.shape[1] * images.shape[2] for images in self.sets)

    def held_out(self, holdout: int) -> list[Images]:
        """The images of each kind that are held out, if `holdout` are held out in all.

        Without any, some of those that are trained on.
        """
        counts = [holdout * len(images) // self.distinct for images in self.sets]
        chosen = [images[len(images) - count :] for images, count in zip(self.sets, counts, strict=True) if count]
        return chosen or [images[:HOLDOUT_IMAGES] for images in self.sets]


def gather(batches: Iterable[Pictures], seed: int, *, lossless: bool = False) -> Gathered:
    """Take the distinct images of arrays (n,H,W) or (n,H,W,C); those of 16 bits are left out.

    With `lossless`, sides have to be 1 to 64 pixels, and colour under alpha 0 is not filled in, as
    it is coded as well. Raises TooFewImagesError if fewer than FEWEST_IMAGES can be trained on.
    """
    generator = np.random.default_rng(seed)
    kept: dict[Kind, list[tuple[Images, NDArray[np.uint32]]]] = {}
    counts: dict[Kind, int] = {}
    deep: dict[Kind, int] = {}
    seen: set[bytes] = set()
    total = held_bytes = halvings = 0
    for array in batches:
        total += len(array)
        if array.dtype != np.uint8:
            kind = picture_kind(array)
            deep[kind] = deep.get(kind, 0) + len(array)
            continue
        images = eight_bits(array).reshape(*array.shape[:3], -1)
        shape = (images.shape[1], images.shape[2], images.shape[3])
        counts[shape] = counts.get(shape, 0) + len(images)
        if max(shape[:2]) > LARGEST_SIDE_PX:
            if lossless or max(shape[:2]) > SIDE_LIMIT_PX:
                continue
            images = cut(images, min(shape[0], LARGEST_SIDE_PX), min(shape[1], LARGEST_SIDE_PX), generator)
            shape = (images.shape[1], images.shape[2], images.shape[3])
        new, marks_N = _unseen(images, shape, seen)
        few = _thinned(images[new], marks_N, halvings)
        if not len(few[0]):
            continue
        kept.setdefault(shape, []).append(few)
        held_bytes += few[0].nbytes
        while held_bytes > TRAINED_BYTES:
            halvings += 1
            kept = {key: [_thinned(*part, halvings) for part in parts] for key, parts in kept.items()}
            held_bytes = sum(part[0].nbytes for parts in kept.values() for part in parts)
    sets = {shape: np.concatenate([part[0] for part in parts]) for shape, parts in kept.items()}
    several_kinds = len(counts) > 1 or any(shape not in sets for shape in counts)
    left_out = [(shape, count, _TOO_LARGE) for shape, count in sorted(counts.items()) if max(shape[:2]) > SIDE_LIMIT_PX]
    if lossless:
        chosen = _common_kinds(sets)
        left_out = [
            (shape, count, _why_not(shape, sets, thinned=halvings > 0))
            for shape, count in sorted(counts.items())
            if shape not in chosen
        ]
        sets = chosen
    elif several_kinds:
        sets = in_frames(sets, generator)
    left_out += [(kind, count, DEEP) for kind, count in sorted(deep.items())]
    ranked = sorted(sets, key=lambda shape: (-sets[shape].size, shape))
    shuffled = [sets[shape][generator.permutation(len(sets[shape]))] for shape in ranked]
    if not lossless:
        shuffled = [fill_hidden(images) for images in shuffled]
    gathered = Gathered(sets=shuffled, several_kinds=several_kinds, left_out=left_out, images=total)
    if gathered.distinct < FEWEST_IMAGES:
        raise TooFewImagesError(
            f"{gathered.distinct} distinct images {_SIDES if lossless else 'of 8 bits'} are too few "
            f"to train on{' besides those of 16 bits' if deep else ''}: at least {FEWEST_IMAGES} are needed; "
            "'compressnet pack' stores fewer without a codec"
        )
    return gathered


def _unseen(images_NHWC: Images, shape: Kind, seen: set[bytes]) -> tuple[list[int], NDArray[np.uint32]]:
    """Find the images that are not in `seen`, and add them.

    Returns their indices, and a number for each that follows from its pixels.
    """
    new: list[int] = []
    marks: list[int] = []
    for i, image in enumerate(images_NHWC):
        digest = hashlib.blake2b(image.tobytes(), digest_size=16, salt=str(shape).encode()).digest()
        if digest not in seen:
            seen.add(digest)
            new.append(i)
            marks.append(int.from_bytes(digest[:4], "little"))
    return new, np.array(marks, np.uint32)


def _thinned(images_NHWC: Images, marks_N: NDArray[np.uint32], halvings: int) -> tuple[Images, NDArray[np.uint32]]:
    """About a half, a quarter, .. of images and their numbers, by the numbers' lowest bits."""
    chosen_N = marks_N & np.uint32((1 << halvings) - 1) == 0
    return (images_NHWC, marks_N) if chosen_N.all() else (images_NHWC[chosen_N], marks_N[chosen_N])


def holdout_of(gathered: Gathered) -> int:
    """How many images are held out unless the user says otherwise."""
    return min(HOLDOUT_IMAGES, gathered.distinct // 10)


def _common_kinds(sets: dict[Kind, Images]) -> dict[Kind, Images]:
    """The kinds with the most pixels that have some images."""
    ranked = sorted(sets, key=lambda shape: (-sets[shape].size, shape))
    chosen = [shape for shape in ranked if len(sets[shape]) >= FEWEST_OF_KIND][:KINDS_LIMIT]
    return {shape: sets[shape] for shape in chosen}


def _why_not(shape: Kind, sets: dict[Kind, Images], *, thinned: bool) -> str:
    """Why images of a size are not trained on without loss.

    thinned: whether `sets` are a part of the collection.
    """
    if max(shape[:2]) > LARGEST_SIDE_PX:
        return f"sides from 1 to {LARGEST_SIDE_PX} pixels are trained on"
    if shape in sets and len(sets[shape]) >= FEWEST_OF_KIND:
        return f"the {KINDS_LIMIT} kinds with the most pixels are trained on"
    too_few = f"fewer than {FEWEST_OF_KIND} distinct images of their kind"
    return f"{too_few} are in the part of the collection that is trained on" if thinned else too_few
