"""Images of any sizes and modes as figures are taken of them: those of one shape together.

    arrays in the collection's order  ->  ImageSets  ->  decoded, set by set  ->  figures over all

Squared errors are averaged over all values, as targets count them; SSIM and what stands for each
image are averaged over images.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from compressnet.images.kinds import Images, Kind, Pictures, eight_bits, kind_of, picture_kind
from compressnet.images.metrics import Quality, compare, mse_per_image, psnr_of_mse


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageSets:
    """A collection's images, or some of them; a set holds those of one shape."""

    sets: tuple[Images, ...]
    """(n,H,W) or (n,H,W,C), in order of first appearance."""
    positions: tuple[NDArray[np.int64], ...]
    """Each image's number in the collection (n,), rising."""

    @classmethod
    def of(cls, arrays: Iterable[Pictures]) -> ImageSets:
        """Those of arrays (n,H,W) or (n,H,W,C), in order. Raises InputError unless of 8 bits."""
        parts: dict[tuple[int, ...], list[Images]] = {}
        numbers: dict[tuple[int, ...], list[NDArray[np.int64]]] = {}
        start = 0
        for array in arrays:
            picture_kind(array)
            parts.setdefault(array.shape[1:], []).append(eight_bits(array))
            numbers.setdefault(array.shape[1:], []).append(np.arange(start, start + len(array)))
            start += len(array)
        return cls(
            sets=tuple(found[0] if len(found) == 1 else np.concatenate(found) for found in parts.values()),
            positions=tuple(map(np.concatenate, numbers.values())),
        )

    @property
    def images(self) -> int:
        """How many there are."""
        return sum(map(len, self.sets))

    @property
    def kinds(self) -> list[Kind]:
        """(H,W,C) of each set; arrays with and without an axis for one channel are two sets."""
        return [kind_of(images) for images in self.sets]

    def changed(self, change: Callable[[Images], Images]) -> ImageSets:
        """The same, but for what becomes of each set."""
        return ImageSets(sets=tuple(map(change, self.sets)), positions=self.positions)

    def only(self, chosen: Sequence[int]) -> ImageSets:
        """Some of the sets, by their numbers."""
        return ImageSets(sets=tuple(self.sets[i] for i in chosen), positions=tuple(self.positions[i] for i in chosen))

    def in_order(self, decoded: Sequence[Images] | None = None) -> Iterator[Images]:
        """Arrays of neighbours of one shape, in the collection's order.

        decoded: what to give of each set instead of its images.
        """
        arrays = self.sets if decoded is None else decoded
        set_N = np.repeat(np.arange(len(self.sets)), [len(images) for images in self.sets])
        row_N = np.concatenate([np.arange(len(images)) for images in self.sets])
        order = np.argsort(np.concatenate(self.positions), kind="stable")
        set_N, row_N = set_N[order], row_N[order]
        starts = [0, *(np.flatnonzero(np.diff(set_N)) + 1).tolist()]
        for start, stop in zip(starts, [*starts[1:], len(order)], strict=True):
            first = int(row_N[start])
            yield arrays[set_N[start]][first : first + stop - start]

    def pixels_sha256(self, decoded: Sequence[Images]) -> str:
        """SHA-256 of all pixels of what became of each set, image by image in order."""
        digest = hashlib.sha256()
        for images in self.in_order(decoded):
            digest.update(np.ascontiguousarray(images).data)
        return digest.hexdigest()

    def quality(self, decoded: Sequence[Images]) -> Quality:
        """The figures over all images of what became of each set."""
        found = [compare(*pair) for pair in zip(self.sets, decoded, strict=True)]
        if len(found) == 1:
            return found[0]
        counts = list(map(len, self.sets))
        mse = float(np.average([each.mse for each in found], weights=[images.size for images in self.sets]))
        perfect = [each.perfect_images for each in found]
        return Quality(
            mse=mse,
            psnr=psnr_of_mse(mse) if mse > 0 else None,
            psnr_mean=_mean(
                [each.psnr_mean for each in found],
                [count - exact for count, exact in zip(counts, perfect, strict=True)],
            ),
            perfect_images=sum(perfect),
            ssim=_mean([each.ssim for each in found], counts),
        )

    def place_of(self, number: int) -> tuple[int, int]:
        """The set of an image of the collection, and its row there."""
        return next(
            (i, int(np.searchsorted(positions, number)))
            for i, positions in enumerate(self.positions)
            if number in positions
        )

    def errors(self, decoded: Sequence[Images]) -> NDArray[np.float64]:
        """The mean squared error of each image (N,), in order."""
        order = np.argsort(np.concatenate(self.positions), kind="stable")
        found = [mse_per_image(*pair) for pair in zip(self.sets, decoded, strict=True)]
        return np.concatenate(found)[order]


def _mean(figures: Sequence[float | None], counts: Sequence[int]) -> float | None:
    """Over the images of the sets that have a figure."""
    known = [(figure, count) for figure, count in zip(figures, counts, strict=True) if figure is not None]
    if not known:
        return None
    return float(np.average([figure for figure, _ in known], weights=[count for _, count in known]))
