"""Codecs on one sample of a collection: what each makes of it, and which is best.

Axes: N images.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from compressnet.adaptive.part import shape_of
from compressnet.adaptive.primer import levels_of, within_error
from compressnet.archive.writing.bounds import Bounds
from compressnet.archive.writing.picked import Goal, Picked, Point
from compressnet.archive.writing.priming import Learning, learned_bits, make_primer
from compressnet.archive.writing.settings import LEARNING_EFFORT
from compressnet.bisection import first_that
from compressnet.codec.codec import BackendName, Codec
from compressnet.codec.loading import load, make_backend
from compressnet.codec.shipped import shipped_codecs
from compressnet.coding.coder import LOSSLESS_QUALITY
from compressnet.coding.lockstep import values_of
from compressnet.container.entries import PRIMER_NAME
from compressnet.images.alpha import has_alpha
from compressnet.images.kinds import Images
from compressnet.images.metrics import psnr_of_mse
from compressnet.images.modes import AS_IS
from compressnet.threads import default_threads

FEWEST_SHARE = 0.05
"""Where fewer of a sample's images cost less with the one or the other, only one is used."""
FARTHEST = 2
"""How many times the mean squared error that is asked for an image that a network codes may have,
where it could be learned."""
ROOM_STEPS = 4
"""Into about so many parts what a larger error may be is divided, to find one that fits."""
QUALITIES = (*range(0, 99, 6), 99)
"""Qualities of a network that are tried beside what is learned."""
DEFAULT_MSE = 10**-3.6
"""Where no quality is asked for, a codec for all images is to give 36 dB."""
ERROR_SHARE = 4
"""At a quality, values are learned with errors of up to this share of what it lacks of 100."""
FAR_OFF = 8
"""A network that is off by so much more than that error is not taken at a quality: it codes
drawings in few bytes, but not so that anybody would know them."""
COMPARED_MSE = 10**-3.2
"""Shipped codecs are compared at 32 dB where no error is asked for."""
ERROR_LIMIT = LOSSLESS_QUALITY - 1
"""Of values, where images are coded by what is learned from them: quality 1."""


def largest_error(is_too_far: Callable[[int], bool]) -> int:
    """The largest error of values that is not too far; 0 where all are."""
    error = first_that(0, ERROR_LIMIT, is_too_far)
    return error - 1 if error and is_too_far(error) else error


@dataclass(frozen=True, slots=True, kw_only=True)
class _Mixed:
    """Some images of a sample learned, the others coded by a network."""

    bits: float
    """Of all of them."""
    quality: int
    """Of the network."""
    error: int
    """The largest of learned values."""
    is_learned_N: NDArray[np.bool_]


class Comparison:
    """Codecs on one sample: arrays uint8 (n,H,W,C)."""

    def __init__(self, sample: Sequence[Images], backend: BackendName | None, threads: int | None) -> None:
        self._sample = sample
        self._values_N = np.concatenate([np.full(len(array), array[0].size) for array in sample])
        self._images = len(self._values_N)
        self._known: dict[tuple[str, int], tuple[NDArray[np.float64], NDArray[np.float64]]] = {}
        self._learned_at: dict[int, NDArray[np.float64]] = {}
        self._learned_mse_at: dict[int, NDArray[np.float64]] = {}
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
        if quality is not None:
            codecs = [codec for codec in codecs if codec.qualities[0] <= quality <= codec.qualities[1]]
        if not codecs:
            return Picked(codec=None, quality=quality)
        if goal.bytes_per_image is not None:
            wanted = goal.bytes_per_image
            error = first_that(0, ERROR_LIMIT, lambda error: self._learned(error).bytes_per_image <= wanted)
            points: list[tuple[Point, Codec | None]] = [(self._learned(error), None)]
            within = [(self._highest_within(codec, 8 * wanted), codec) for codec in codecs]
            networks = [(self._point_of(codec, at), codec) for at, codec in within if at is not None]
            points += [max(networks, key=lambda both: both[0].psnr)] if networks else []
            return self._best(points, quality, lambda point: -point.psnr)
        mse = COMPARED_MSE if goal.mse is None else goal.mse
        codec = min(codecs, key=lambda codec: self._bytes_at(codec, mse)) if len(codecs) > 1 else codecs[0]
        is_own = all(array.shape[1:] in codec.kinds for array in self._sample)
        limit = DEFAULT_MSE if goal.mse is None and quality is None and not is_own else goal.mse
        if limit is not None:
            at = self._first(codec, lambda _, mse_N: self._mean(mse_N) <= limit)
            error = self._error_of(limit)
        else:
            at = codec.default_quality if quality is None else quality
            error = self._error_of(self._mean(self.network(codec, at)[1]))
            error = error if is_own else min(error, (LOSSLESS_QUALITY - at) // ERROR_SHARE)
        points = [(self._point_of(codec, at), codec), (self._learned(error), None)]
        most = self._farthest(at) if limit is None and not is_own else limit
        misses = most is not None and self._mean(self.network(codec, at)[1]) > most
        cost = (lambda point: -point.psnr) if misses else (lambda point: point.bytes_per_image)
        picked = self._best(points, quality if misses else at, cost)
        return picked if is_own else self._by_image(picked, codec, at, error, limit)

    @staticmethod
    def _farthest(quality: int) -> float:
        """The largest mean squared error that somebody who asks for a quality may want."""
        return ((FAR_OFF + (LOSSLESS_QUALITY - quality) / ERROR_SHARE) / 255) ** 2

    def _by_image(self, picked: Picked, codec: Codec, quality: int, error: int, limit: float | None) -> Picked:
        """Both, each for the images that take fewer bits with it, where both together take fewer.

        Images that the network misses a limit by far with, such as drawings, are learned in any
        case. A limit leaves the quality open: it is the one at which the fewest bits are taken.
        """
        most = FARTHEST * (self._mean(self.network(codec, quality)[1]) if limit is None else limit)
        if limit is None:
            most = min(most, self._farthest(quality))
        best = self._mixed(codec, [quality] if limit is None else self._tried(codec), error, most, limit)
        if best is not None and limit is not None:
            # With both, the mean is often below the limit: the rest of it goes to what is learned.
            mixed = best
            room = largest_error(lambda larger: self._mean_of_both(codec, mixed, larger) > limit)
            for larger in range(room, error, -max(1, (room - error) // ROOM_STEPS)):
                if (found := self._mixed(codec, self._tried(codec), larger, most, limit)) is not None:
                    best = found
                    break
        if best is None or not FEWEST_SHARE <= best.is_learned_N.mean() <= 1 - FEWEST_SHARE:
            return picked
        alone = picked.points[0]
        if psnr_of_mse(most) <= alone.psnr and best.bits >= 8 * alone.bytes_per_image * self._images:
            return picked
        bounds = np.cumsum([len(array) for array in self._sample])[:-1]
        drawn = [array[rows] for array, rows in zip(self._sample, np.split(best.is_learned_N, bounds), strict=True)]
        part = make_primer(drawn, AS_IS, Learning(effort=LEARNING_EFFORT, error=best.error), self._backend)
        return replace(picked, codec=codec.with_part(part), quality=best.quality, network_mse=most)

    def _mixed(
        self, codec: Codec, qualities: Sequence[int], error: int, most_mse: float, limit: float | None
    ) -> _Mixed | None:
        """Which images are learned, at the quality of the others that takes the fewest bits.

        None where no quality meets the limit.
        """
        own_N, own_mse_N = self._learned_bits(error), self._learned_mse(error)
        found: list[_Mixed] = []
        for quality in qualities:
            bits_N, mse_N = self.network(codec, quality)
            is_learned_N = (own_N < bits_N) | (mse_N > most_mse)
            if limit is None or self._mean(np.where(is_learned_N, own_mse_N, mse_N)) <= limit:
                bits = float(np.where(is_learned_N, own_N, bits_N).sum())
                found.append(_Mixed(bits=bits, quality=quality, error=error, is_learned_N=is_learned_N))
        return min(found, key=lambda mixed: mixed.bits, default=None)

    def _mean_of_both(self, codec: Codec, mixed: _Mixed, error: int) -> float:
        """The mean squared error with the same images learned within another error."""
        return self._mean(np.where(mixed.is_learned_N, self._learned_mse(error), self.network(codec, mixed.quality)[1]))

    def _tried(self, codec: Codec) -> list[int]:
        """Qualities that are tried beside what is learned."""
        low, high = codec.qualities
        return [quality for quality in QUALITIES if low <= quality <= high]

    def _learned_bits(self, error: int) -> NDArray[np.float64]:
        """What each image takes where they are learned, with a largest error of values, (N,)."""
        if error not in self._learned_at:
            levels = [levels_of(array, error, with_alpha=has_alpha(array.shape[-1])) for array in self._sample]
            images = [(shape_of(array.shape[1:], deep=False), image) for array in levels for image in array]
            learning = Learning(effort=LEARNING_EFFORT, error=error, solid=True)
            self._learned_at[error] = learned_bits(images, learning, self._backend)
        return self._learned_at[error]

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
        quality = self._first(codec, lambda _, mse_N: self._mean(mse_N) <= mse)
        bits_N, mse_N = self.network(codec, quality)
        return float(bits_N.sum()) / 8 if self._mean(mse_N) <= mse else float("inf")

    def network(self, codec: Codec, quality: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Bits and mean squared error of each image, (N,)."""
        if (codec.name, quality) not in self._known:
            bits: list[NDArray[np.float64]] = []
            errors: list[NDArray[np.float64]] = []
            for array in self._sample:
                coder = codec.coder(array.shape[1:], quality)
                values = values_of(coder, array, 1, codec.threads)
                bits.append(coder.bits(values))
                errors.append(Bounds().errors(array, coder.images_of(values)).mse_N)
            self._known[codec.name, quality] = np.concatenate(bits), np.concatenate(errors)
        return self._known[codec.name, quality]

    def _first(self, codec: Codec, fits: Callable[[NDArray[np.float64], NDArray[np.float64]], bool]) -> int:
        """The lowest quality whose bits and errors fit; the highest where none do."""
        low, high = codec.qualities[0], min(codec.qualities[1], LOSSLESS_QUALITY - 1)
        return first_that(low, high, lambda quality: fits(*self.network(codec, quality)))

    def _highest_within(self, codec: Codec, bits: float) -> int | None:
        """The highest quality that takes no more bits an image; None where all take more."""
        first = self._first(codec, lambda bits_N, _: float(bits_N.mean()) > bits)
        if float(self.network(codec, first)[0].mean()) <= bits:
            return first
        return first - 1 if first > codec.qualities[0] else None

    def _mean(self, mse_N: NDArray[np.float64]) -> float:
        """Of all images, by their values."""
        return float(np.average(mse_N, weights=self._values_N))

    def _point_of(self, codec: Codec, quality: int) -> Point:
        bits_N, mse_N = self.network(codec, quality)
        return self._point(codec.name, quality, float(bits_N.sum()) / 8, self._mean(mse_N))

    def _learned(self, error: int) -> Point:
        size = float(self._learned_bits(error).sum()) / 8
        return self._point(PRIMER_NAME, LOSSLESS_QUALITY - error, size, self._mse_of(error))

    def _error_of(self, mse: float) -> int:
        """The largest error of values that has no more than a mean squared error."""
        return largest_error(lambda error: self._mse_of(error) > mse)

    def _mse_of(self, error: int) -> float:
        return self._mean(self._learned_mse(error))

    def _learned_mse(self, error: int) -> NDArray[np.float64]:
        """The mean squared error of each image within a largest error of values, (N,)."""
        if error not in self._learned_mse_at:
            found = [Bounds().errors(array, within_error(array, error)).mse_N for array in self._sample]
            self._learned_mse_at[error] = np.concatenate(found)
        return self._learned_mse_at[error]

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
