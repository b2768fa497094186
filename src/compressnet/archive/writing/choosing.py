"""Which codec images are coded with where none is named.

    a sample -> every shipped codec that is for such images, at one PSNR -> the smallest
             -> beside what is learned from the images, at the same error -> the smaller

Axes: N images.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from compressnet.adaptive.part import shape_of
from compressnet.adaptive.primer import levels_of, values_of_levels
from compressnet.archive.writing.bounds import Bounds
from compressnet.archive.writing.cheaper import costs
from compressnet.archive.writing.priming import Learning, learned_bits, make_primer
from compressnet.archive.writing.settings import LEARNING_EFFORT
from compressnet.bisection import first_that
from compressnet.codec.codec import BackendName, Codec
from compressnet.codec.loading import load, make_backend
from compressnet.codec.shipped import shipped_codecs
from compressnet.coding.coder import LOSSLESS_QUALITY
from compressnet.coding.lockstep import values_of
from compressnet.container.entries import PRIMER_NAME
from compressnet.images import evenly_spread
from compressnet.images.alpha import has_alpha
from compressnet.images.kinds import Images, Pictures, count_text, eight_bits, picture_kind
from compressnet.images.metrics import psnr_of_mse
from compressnet.images.modes import AS_IS
from compressnet.threads import default_threads

SAMPLE_IMAGES, SAMPLE_VALUES = 256, 1 << 20
"""Images, and about the values of them, that codecs are compared on."""
FEWEST_SHARE = 0.05
"""Where fewer of a sample's images cost less with the one or the other, only one is used."""
COMPARED_MSE = 10**-3.2
"""Shipped codecs are compared at 32 dB where no error is asked for."""
ERRORS = (*range(17), 20, 24, 28, 32, 40, 48, 56, 64, 80, 99)
"""Largest errors of values that are tried where images are coded by what is learned from them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """What a codec makes of a sample."""

    codec: str
    quality: int
    """Of what is learned: 100 less the largest error."""
    bytes_per_image: float
    psnr: float
    """In dB, over all values; infinite without loss."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picked:
    """What images are coded with."""

    codec: Codec | None
    """None: what is learned from the images themselves."""
    quality: int | None
    """None: the codec's own, or what bounds leave."""
    points: tuple[Point, ...] = ()
    """What was compared, the best first; nothing where there was no choice."""
    images: int = 0
    """Of the sample."""

    by_image: bool = False
    """Whether both are used, each for the images that cost less with it."""

    @property
    def remark(self) -> str | None:
        """What was picked, and why, in a line."""
        if not self.points:
            return None
        best, *others = (
            f"{point.bytes_per_image:.1f} bytes an image at {point.psnr:.1f} dB {_by(point)}" for point in self.points
        )
        both = "; each image as it costs less" if self.by_image else ""
        return f"picked on a sample of {count_text(self.images)}: {best}; {', '.join(others)}{both}"

    def as_json(self) -> dict[str, Any] | None:
        """For `--json`; None where there was no choice."""
        if not self.points:
            return None
        compared = [asdict(point) for point in self.points]
        return {"images": self.images, "compared": compared, "by_image": self.by_image}


def _by(point: Point) -> str:
    return "learned from the images themselves" if point.codec == PRIMER_NAME else f"with {point.codec}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """What is asked for of the error: one of these, or neither where a quality is."""

    mse: float | None = None
    """Pixels in [0,1]."""
    bytes_per_image: float | None = None


def few_of(arrays: Sequence[Pictures]) -> list[Images]:
    """Some images of arrays (n,H,W[,C]) of 8 bits, evenly spread: an array (n,H,W,C) for each."""
    shallow = [array for array in arrays if array.dtype == np.uint8 and array.ndim in (3, 4)]
    total, values = sum(map(len, shallow)), sum(array.size for array in shallow)
    count = min(SAMPLE_IMAGES, max(1, total * SAMPLE_VALUES // max(values, 1)))
    chosen = evenly_spread(total, min(count, total)) if total else np.zeros(0, np.int64)
    found: dict[tuple[int, ...], list[Images]] = {}
    start = 0
    for array in shallow:
        rows = chosen[(chosen >= start) & (chosen < start + len(array))] - start
        if len(rows):
            images = eight_bits(array[rows]).reshape(len(rows), *picture_kind(array))
            found.setdefault(images.shape[1:], []).append(images)
        start += len(array)
    return [np.concatenate(images) for images in found.values()]


def pick(
    arrays: Sequence[Pictures],
    quality: int | None,
    bounds: Bounds,
    goal: Goal | None = None,
    *,
    backend: BackendName | None = None,
    threads: int | None = None,
) -> Picked:
    """What images like these arrays (n,H,W[,C]) are coded with, as a sample of them says.

    Without loss, and at a quality, an error or a number of bytes, what takes the fewest bytes, or
    has the smallest error. Within a largest error it is always what is learned from the images.
    """
    sample = few_of(arrays)
    if not sample or (bounds.max_error is not None and bounds.max_error > 0):
        return Picked(codec=None, quality=quality)
    comparison = _Comparison(sample, backend, threads)
    if quality == LOSSLESS_QUALITY or bounds.max_error == 0:
        return comparison.without_loss(quality)
    if goal is None:
        goal = Goal(mse=None if bounds.min_psnr is None else 10 ** (-bounds.min_psnr / 10))
    picked = comparison.lossy(quality, goal)
    # Where bounds or a goal say how good each image has to be, they lead to the quality.
    is_open = goal.mse is None and goal.bytes_per_image is None
    return (
        picked if is_open else Picked(codec=picked.codec, quality=quality, points=picked.points, images=picked.images)
    )


class _Comparison:
    """Codecs on one sample: arrays uint8 (n,H,W,C)."""

    def __init__(self, sample: Sequence[Images], backend: BackendName | None, threads: int | None) -> None:
        self._sample = sample
        self._images, self._values = sum(map(len, sample)), sum(array.size for array in sample)
        names = {path: name for name, path in shipped_codecs().items()}.values()
        self._codecs = [load(name, backend, threads) for name in names]
        self._backend = make_backend(backend, default_threads() if threads is None else threads)

    def without_loss(self, quality: int | None) -> Picked:
        """A codec with a pixel model for all of the sample, or what is learned."""
        points: list[tuple[Point, Codec | None]] = []
        for codec in self._for_all(LOSSLESS_QUALITY):
            coders = [codec.coder(array.shape[1:], LOSSLESS_QUALITY) for array in self._sample]
            bits = sum(float(coder.bits(array).sum()) for coder, array in zip(coders, self._sample, strict=True))
            points.append((self._point(codec.name, LOSSLESS_QUALITY, bits / 8, 0.0), codec))
        if points:
            points.append((self._learned(0), None))
        return self._best(points, quality, lambda point: point.bytes_per_image)

    def lossy(self, quality: int | None, goal: Goal) -> Picked:
        """A codec with networks for all of the sample, or what is learned."""
        codecs = self._for_all(None)
        if not codecs:
            return Picked(codec=None, quality=quality)
        mse = COMPARED_MSE if goal.mse is None else goal.mse
        codec = min(codecs, key=lambda codec: self._bytes_at(codec, mse)) if len(codecs) > 1 else codecs[0]
        low, high = codec.qualities[0], min(codec.qualities[1], LOSSLESS_QUALITY - 1)
        if goal.bytes_per_image is not None:
            wanted = goal.bytes_per_image
            at = first_that(low, high, lambda q: self._network(codec, q)[0] > wanted * self._images)
            number = first_that(0, len(ERRORS) - 1, lambda i: self._learned(ERRORS[i]).bytes_per_image <= wanted)
            learned = self._learned(ERRORS[number])
            points = [(self._point(codec.name, at, *self._network(codec, at)), codec), (learned, None)]
            return self._best(points, quality, lambda point: -point.psnr)
        if goal.mse is not None:
            at = first_that(low, high, lambda q: self._network(codec, q)[1] <= mse)
        else:
            at = codec.default_quality if quality is None else quality
        size, found = self._network(codec, at)
        error = self._error_of(found if goal.mse is None else mse)
        points = [(self._point(codec.name, at, size, found), codec), (self._learned(error), None)]
        picked = self._best(points, at if quality is None else quality, lambda point: point.bytes_per_image)
        drawn = self._drawn(codec, at, error)
        if not FEWEST_SHARE <= sum(map(len, drawn)) / self._images <= 1 - FEWEST_SHARE:
            return picked
        part = make_primer(drawn, AS_IS, Learning(effort=LEARNING_EFFORT, error=error), self._backend)
        return replace(picked, codec=codec.with_part(part), quality=at, by_image=True)

    def _drawn(self, codec: Codec, quality: int, error: int) -> list[Images]:
        """The images that cost less where they are learned, with a largest error of values."""
        levels = [levels_of(array, error, with_alpha=has_alpha(array.shape[-1])) for array in self._sample]
        images = [(shape_of(array.shape[1:], deep=False), image) for array in levels for image in array]
        learning = Learning(effort=LEARNING_EFFORT, error=error, solid=True)
        bits_N = learned_bits(images, learning, self._backend)
        drawn: list[Images] = []
        for array, level, start in zip(self._sample, levels, np.cumsum([0, *map(len, levels)]), strict=False):
            coder = codec.coder(array.shape[1:], quality)
            weight = coder.error_weight
            if weight is None:
                return []
            values = values_of(coder, array, 1, codec.threads)
            theirs_N = costs(array, coder.images_of(values), coder.bits(values), weight)
            decoded = values_of_levels(level, error, with_alpha=has_alpha(array.shape[-1]))
            own_N = costs(array, decoded, bits_N[start : start + len(array)], weight)
            drawn.append(array[own_N < theirs_N])
        return [array for array in drawn if len(array)]

    def _for_all(self, quality: int | None) -> list[Codec]:
        """Codecs that code all of the sample at a quality; None: at their own, with loss."""
        found: list[Codec] = []
        for codec in self._codecs:
            own = codec.default_quality if quality is None else quality
            if quality is None and own == LOSSLESS_QUALITY:
                continue
            if all(codec.why_not(array.shape[1:], own) is None for array in self._sample):
                found.append(codec)
        return found

    def _bytes_at(self, codec: Codec, mse: float) -> float:
        """What the sample takes at a mean squared error; infinite where that is out of reach."""
        low, high = codec.qualities[0], min(codec.qualities[1], LOSSLESS_QUALITY - 1)
        size, found = self._network(codec, first_that(low, high, lambda q: self._network(codec, q)[1] <= mse))
        return size if found <= mse else float("inf")

    def _network(self, codec: Codec, quality: int) -> tuple[float, float]:
        """Bytes of the sample, and its mean squared error."""
        size = squares = 0.0
        for array in self._sample:
            coder = codec.coder(array.shape[1:], quality)
            values = values_of(coder, array, 1, codec.threads)
            size += float(coder.bits(values).sum()) / 8
            squares += float(Bounds().errors(array, coder.images_of(values)).mse_N.mean()) * array.size
        return size, squares / self._values

    def _learned(self, error: int) -> Point:
        learning = Learning(effort=LEARNING_EFFORT, error=error, solid=True)
        part = make_primer(self._sample, AS_IS, learning, self._backend)
        return self._point(PRIMER_NAME, LOSSLESS_QUALITY - error, len(part.data), self._mse_of(error))

    def _error_of(self, mse: float) -> int:
        """The largest error of values that has no more than a mean squared error."""
        number = first_that(0, len(ERRORS) - 1, lambda i: self._mse_of(ERRORS[i]) > mse)
        return ERRORS[number - 1 if number and self._mse_of(ERRORS[number]) > mse else number]

    def _mse_of(self, error: int) -> float:
        squares = 0.0
        for array in self._sample:
            with_alpha = has_alpha(array.shape[-1])
            levels = levels_of(array, error, with_alpha=with_alpha)
            decoded = values_of_levels(levels, error, with_alpha=with_alpha)
            squares += float(Bounds().errors(array, decoded).mse_N.mean()) * array.size
        return squares / self._values

    def _point(self, name: str, quality: int, size: float, mse: float) -> Point:
        return Point(codec=name, quality=quality, bytes_per_image=size / self._images, psnr=psnr_of_mse(mse))

    def _best(
        self, points: Sequence[tuple[Point, Codec | None]], quality: int | None, cost: Callable[[Point], float]
    ) -> Picked:
        ranked = sorted(points, key=lambda both: cost(both[0]))
        if not ranked:
            return Picked(codec=None, quality=quality)
        point, codec = ranked[0]
        own = point.quality if codec is None and quality != LOSSLESS_QUALITY else quality
        return Picked(codec=codec, quality=own, points=tuple(point for point, _ in ranked), images=self._images)
