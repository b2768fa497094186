"""From a target (PSNR, bytes an image or mean squared error) to the quality that reaches it.

Bytes and PSNR rise with quality: bisection on some of the images comes close, and steps from there
on all of them settle it.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from compressnet.archive.embedding import CodecEntries
from compressnet.archive.writing.cheaper import Choice, alternative, order_bytes
from compressnet.archive.writing.placing import BlockPlacer
from compressnet.bisection import first_that
from compressnet.codec.codec import Codec
from compressnet.coding.coder import LOSSLESS_QUALITY, Coder
from compressnet.coding.lockstep import values_of, write_values
from compressnet.coding.stored import StoredCoder
from compressnet.container.writer import ContainerWriter
from compressnet.errors import InputError
from compressnet.images import evenly_spread
from compressnet.images.forms import Form
from compressnet.images.kinds import Images, Pictures, eight_bits
from compressnet.images.metrics import mse_per_image, psnr_of_mse
from compressnet.images.modes import AS_IS, Tight, forms_of

Measure = Literal["psnr", "bytes", "mse"]

PSNR_TOLERANCE_DB = 0.1
BYTES_TOLERANCE = 0.02
BLOCK_OVERHEAD_BYTES = 24
"""About what a chunk, a block's record and its line in the index take."""
ARCHIVE_OVERHEAD_BYTES = 140
"""About what an archive takes besides."""


def besides_images(images: int, shapes: int) -> float:
    """About what an archive takes for each of so many images besides what they are coded to.

    There is a block at least for each of their shapes.
    """
    return (ARCHIVE_OVERHEAD_BYTES + BLOCK_OVERHEAD_BYTES * shapes) / images


class OutOfReachError(InputError):
    """A target that the codec's qualities do not reach."""

    def __init__(self, message: str, *, highest: bool) -> None:
        """highest: whether the highest quality comes nearest, else the lowest."""
        super().__init__(message)
        self.highest = highest


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What is wanted: a PSNR, a size or an error.

    `psnr` in dB, `bytes` an image on disk, or `mse` at most, with pixels in [0,1].
    """

    measure: Measure
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """A quality, and what it gives on the images that were measured."""

    quality: int
    bytes_per_image: float
    mse: float

    @property
    def psnr(self) -> float:
        """In dB."""
        return psnr_of_mse(self.mse)

    def of(self, measure: Measure) -> float:
        """What the target is compared with; an mse as its PSNR."""
        return self.bytes_per_image if measure == "bytes" else self.psnr

    def misses(self, target: Target) -> str | None:
        """Why this is not within 2 % of the bytes, or 0.1 dB; None where it is."""
        if target.measure == "bytes":
            missed = abs(self.bytes_per_image / target.value - 1) > BYTES_TOLERANCE
        else:
            missed = abs(self.psnr - _aim(target)) > PSNR_TOLERANCE_DB
        if not missed:
            return None
        return (
            f"{_text(target)} lies between two qualities; quality {self.quality} gives "
            f"{self.bytes_per_image:.2f} bytes an image at {self.psnr:.2f} dB"
        )


def sample_sizes(effort: int) -> tuple[int, int]:
    """How many images the bisection takes, and how many the steps after it.

    Both suit an effort: they are enough, and still quick.
    """
    return (1024, 16384) if effort == 1 else (128, 1024)


def find_quality(
    codec: Codec,
    images: Pictures | Sequence[Pictures],
    target: Target,
    *,
    effort: int = 1,
    block_images: int = 256,
    bisected: int | None = None,
    embed_codec: bool | None = None,
    collection_images: int | None = None,
    tight: Tight = AS_IS,
) -> Reached:
    """The quality at which images come nearest to a target, or with `mse` stay just below it.

    images: (N,H,W) or (N,H,W,C), or several such arrays; those that the codec has no network for
    count as stored.
    bisected: how many of them the bisection takes; by default what suits the effort.
    embed_codec: as for `compress`; what has to be embedded decides on images without loss.
    collection_images: of how many images these are a sample; by default they are all.
    tight: what is not coded of images that can do without it.
    Raises InputError where the codec's qualities do not reach the target.
    """
    if not (math.isfinite(target.value) and target.value > 0):
        raise InputError(f"a target of {target.value:g}: it has to be a positive number")
    low, high = codec.qualities
    if low == LOSSLESS_QUALITY:
        raise InputError(f"{_text(target)}: the codec {codec.name} is lossless, it has quality 100 and no other")
    arrays = [images] if isinstance(images, np.ndarray) else images
    sets = [
        _OneForm(form, form.coded(array[rows]))
        for array in (eight_bits(array, f"{_text(target)} is for 8 bits") for array in arrays)
        for form, rows in forms_of(array, tight)
    ]
    reasons = [codec.why_not(one.form.kind, codec.default_quality) for one in sets]
    if None not in reasons:
        raise InputError(reasons[0])
    total, count = sum(map(len, sets)), bisected or sample_sizes(effort)[0]
    few = [one.some(-(-min(count, total) * len(one) // total)) for one in sets]
    measure, aim = target.measure, _aim(target)

    placer = BlockPlacer(ContainerWriter(io.BytesIO()), CodecEntries(codec, embed_codec))

    def measured(chosen: Sequence[_OneForm]) -> Callable[[int], Reached]:
        known: dict[int, Reached] = {}
        share = min(1.0, sum(map(len, chosen)) / (collection_images or total))
        # A mean squared error has to hold, whichever images the writer codes without loss.
        fixed_bytes = None if measure == "mse" else lambda coder: math.ceil(placer.fixed_bytes(coder) * share)

        def at(quality: int) -> Reached:
            if quality not in known:
                choice = None if fixed_bytes is None else Choice(fixed_bytes)
                known[quality] = _measure(codec, chosen, quality, effort, block_images, choice)
            return known[quality]

        return at

    roughly, at = measured(few), measured(sets)
    start = first_that(low, high, lambda quality: roughly(quality).of(measure) >= aim)
    while start > low and at(start - 1).of(measure) >= aim:
        start -= 1
    while start < high and at(start).of(measure) < aim:
        start += 1
    above = at(start)
    best = above
    if measure != "mse" and start > low:
        below = at(start - 1)
        best = min((above, below), key=lambda reached: abs(reached.of(measure) - aim))
    unreachable = above.of(measure) < aim or start == low
    if unreachable and not (measure == "mse" and start == low) and best.misses(target):
        raise OutOfReachError(_out_of_reach(codec, at(low), at(high), target), highest=above.of(measure) < aim)
    if measure == "mse" and above.of(measure) < aim:
        raise OutOfReachError(_out_of_reach(codec, at(low), at(high), target), highest=above.of(measure) < aim)
    return best


def _aim(target: Target) -> float:
    return psnr_of_mse(target.value) if target.measure == "mse" else target.value


class _OneForm:
    """Images of one form, as they are coded, and what they take without loss.

    No quality changes that.
    """

    def __init__(self, form: Form, images_NHWC: Images) -> None:
        self.form, self.images_NHWC = form, images_NHWC
        self._bits_N: NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return len(self.images_NHWC)

    def some(self, count: int) -> _OneForm:
        """Up to so many of them, evenly spread."""
        return _OneForm(self.form, self.images_NHWC[evenly_spread(len(self), count)])

    def mse(self, decoded_NHWC: Images) -> NDArray[np.float64]:
        """The mean squared error (N,) of decoded images, over all channels that are shown."""
        shown = (eight_bits(self.form.widened(images)) for images in (self.images_NHWC, decoded_NHWC))
        return mse_per_image(*shown)

    def bits_without_loss(self, coder: Coder) -> NDArray[np.float64]:
        """The bits (N,) of the one coder without loss that is asked for."""
        if self._bits_N is None:
            self._bits_N = coder.bits(self.images_NHWC)
        return self._bits_N


def _measure(
    codec: Codec,
    sets: Sequence[_OneForm],
    quality: int,
    effort: int,
    block_images: int,
    choice: Choice | None,
) -> Reached:
    """Bytes and error of images of all forms together.

    choice: which images the writer codes without loss; None to count on none.
    """
    total_bytes, squares = float(ARCHIVE_OVERHEAD_BYTES), 0.0
    images = values = 0
    for one in sets:
        images_NHWC = one.images_NHWC
        kind, count = one.form.kind, len(one)
        shown_values = math.prod(one.form.shape) * count
        images, values = images + count, values + shown_values
        if not codec.knows(kind):
            coder: Coder = StoredCoder(kind)
            kept = coder.values_of(images_NHWC)
        else:
            coder = codec.coder(kind, quality)
            kept = values_of(coder, images_NHWC, effort, codec.threads)
        mse_N = one.mse(coder.images_of(kept))
        other = alternative(codec, coder) if coder.has_symbols else None
        if other is not None and choice is not None:
            other_N = one.bits_without_loss(other)
            moved_N = choice.cheaper(coder.bits(kept), other, other_N)
            total_bytes += other_N[moved_N].sum() / 8 + order_bytes(moved_N)
            kept, mse_N = kept[~moved_N], np.where(moved_N, 0, mse_N)
        if len(kept):
            written = write_values(coder, kept, block_images, codec.threads)
            total_bytes += sum(len(payload) + BLOCK_OVERHEAD_BYTES for _, payload in written.blocks)
        squares += float(mse_N.mean()) * shown_values
    return Reached(quality=quality, bytes_per_image=total_bytes / images, mse=squares / values)


def _text(target: Target) -> str:
    texts = {"psnr": "{:g} dB", "bytes": "{:g} bytes an image", "mse": "a mean squared error of {:g}"}
    return texts[target.measure].format(target.value)


def _out_of_reach(codec: Codec, lowest: Reached, highest: Reached, target: Target) -> str:
    reach = {
        "psnr": f"{lowest.psnr:.2f} to {highest.psnr:.2f} dB",
        "bytes": f"{lowest.bytes_per_image:.2f} to {highest.bytes_per_image:.2f}",
        "mse": f"{highest.mse:.6f} to {lowest.mse:.6f}",
    }[target.measure]
    return (
        f"{_text(target)}: on these images the codec {codec.name} gives {reach} "
        f"(qualities {lowest.quality} to {highest.quality}); train a codec for these images"
    )
