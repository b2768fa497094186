"""The stored coder: images as they are, or in steps of a few grey levels, without any network.

packing         1 byte: how the values are packed: 0 not at all, 1 zlib, 2 LZMA2 (raw)
step            1 byte: s, odd; a value x is kept as k = (x + (s - 1) / 2) div s and read as
                min(k * s, 255)
arrangement     1 byte: the predictor (0 none, 1 left, 2 up, 3 the median of JPEG-LS), + 4 where
                channel 1, such as green, was taken from channels 0 and 2, + 8 where channels are
                interleaved
values          the rest: what the predictor left of every k, packed

images uint8 (N,H,W,C) -> levels k -> residuals -> green out of red and blue -> (C,N,H,W) or
(N,H,W,C) -> packed

Axes: N images, H rows, W columns, C channels.
"""

from __future__ import annotations

import lzma
import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from compressnet.coding.coder import LOSSLESS_QUALITY, STORED, Coder, Values
from compressnet.coding.predictors import (
    LEFT,
    MEDIAN,
    NONE,
    PREDICTORS,
    UP,
    give_green,
    levels_of,
    residuals_of,
    take_green,
)
from compressnet.errors import CorruptError
from compressnet.images.kinds import Images, Kind
from compressnet.limits import MEDIAN_VALUES_LIMIT, Cost
from compressnet.wire import Reader

RAW, ZLIB, LZMA2 = 0, 1, 2
GREEN_TAKEN, INTERLEAVED = 4, 8
DICTIONARY_BYTES = 1 << 23
"""Dictionary of LZMA2, for the reader: a writer may use a smaller one."""
HELD, VALUE_WORK = 4, 500
"""How often values are held while they are read, and the work of each."""
TRIED_TO_THE_END = 2
"""Arrangements that are packed with all effort, of those that a quick try found best."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrangement:
    """How values are laid out before they are packed."""

    predictor: int
    green_taken: bool
    interleaved: bool

    @property
    def code(self) -> int:
        """The byte that says so."""
        return self.predictor + GREEN_TAKEN * self.green_taken + INTERLEAVED * self.interleaved


def largest_error(step: int) -> int:
    """By how much a value may differ from what is read."""
    return (step - 1) // 2


def in_steps(images: Images, step: int) -> Images:
    """What images are read as when they were stored in steps of `step`."""
    return of_levels(levels_in(images, step), step)


def levels_in(images: Images, step: int) -> Images:
    """The levels of values in steps of `step`, an odd number."""
    return ((images.astype(np.uint16) + largest_error(step)) // step).astype(np.uint8)


def of_levels(levels: Images, step: int) -> Images:
    """The values that levels stand for."""
    return np.minimum(levels.astype(np.uint16) * step, 255).astype(np.uint8)


def pack_stored(images_NHWC: Images, step: int) -> bytes:
    """A stored block's payload, the smallest of all arrangements and packings.

    Never more than 3 bytes beyond raw.
    """
    levels = levels_in(images_NHWC, step)
    raw = _lay_out(levels, Arrangement(predictor=NONE, green_taken=False, interleaved=False))
    best = bytes([RAW, step, NONE]) + raw
    quick: list[tuple[int, Arrangement, bytes]] = []
    channels = levels.shape[3]
    for predictor in PREDICTORS if levels.size <= MEDIAN_VALUES_LIMIT else (NONE, LEFT, UP):
        residuals = residuals_of(levels, predictor, _level_count(step))
        for green_taken in (False, True) if channels >= 3 else (False,):
            plain = take_green(residuals, _level_count(step)) if green_taken else residuals
            for interleaved in (False, True) if channels > 1 else (False,):
                arrangement = Arrangement(predictor=predictor, green_taken=green_taken, interleaved=interleaved)
                values = _lay_out(plain, arrangement)
                quick.append((len(zlib.compress(values, 1)), arrangement, values))
    quick.sort(key=lambda one: (one[0], one[1].code))
    for _, arrangement, values in quick[:TRIED_TO_THE_END]:
        for packing, packed in ((ZLIB, zlib.compress(values, 9)), (LZMA2, _lzma(values, arrangement, channels))):
            if 3 + len(packed) < len(best):
                best = bytes([packing, step, arrangement.code]) + packed
    return best


def unpack_stored(data: bytes, images: int, kind: Kind, what: str = "the payload") -> tuple[Images, int]:
    """Images uint8 (N,H,W,C) of a stored block, and the step they were stored in.

    Raises CorruptError.
    """
    reader = Reader(data, what)
    packing, step, code = reader.uint(1), reader.uint(1), reader.uint(1)
    if packing > LZMA2 or step % 2 == 0 or code > MEDIAN + GREEN_TAKEN + INTERLEAVED:
        raise CorruptError(
            f"{what} is stored in packing {packing}, step {step}, arrangement {code}, unknown to this version"
        )
    arrangement = Arrangement(
        predictor=code & MEDIAN, green_taken=bool(code & GREEN_TAKEN), interleaved=bool(code & INTERLEAVED)
    )
    if arrangement.green_taken and kind[2] < 3:
        raise CorruptError(f"{what} takes green from images without it")
    if arrangement.predictor == MEDIAN and images * math.prod(kind) > MEDIAN_VALUES_LIMIT:
        raise CorruptError(f"{what} predicts more than {MEDIAN_VALUES_LIMIT} values by their median")
    values = _unpack_values(reader.take(reader.left), packing, images * math.prod(kind), what)
    count = _level_count(step)
    if len(values) and int(values.max()) >= count:
        raise CorruptError(f"{what} holds a value beyond its {count} levels")
    residuals = _read_layout(values, arrangement, images, kind)
    if arrangement.green_taken:
        residuals = give_green(residuals, count)
    levels = levels_of(residuals, arrangement.predictor, count)
    return levels if step == 1 else of_levels(levels, step), step


class StoredCoder(Coder):
    """Pixels without a codec, of one kind: values are pixels uint8 (N,H,W,C) as they are read.

    Two coders of one kind and step are equal.
    """

    method = STORED
    has_symbols = False
    written_values = 1 << 22  # reading one image unpacks the whole block
    quality = LOSSLESS_QUALITY

    def __init__(self, kind: Kind, step: int = 1) -> None:
        """step: which values are kept, an odd number; see `in_steps`."""
        self.kind, self.step = kind, step

    def __eq__(self, other: object) -> bool:
        return isinstance(other, StoredCoder) and (self.kind, self.step) == (other.kind, other.step)

    def __hash__(self) -> int:
        return hash((self.kind, self.step))

    def cost_of(self, images: int) -> Cost:
        """All values of the block."""
        values = images * math.prod(self.kind)
        return Cost(memory=HELD * values, work=VALUE_WORK * values)

    @property
    def exact(self) -> bool:
        """Whether every image comes back as it was: yes, unless values are kept in steps."""
        return self.step == 1

    def values_of(self, images_NHWC: Images, effort: int = 1) -> Images:
        """What the images are read as; there is nothing to search."""
        del effort
        return images_NHWC if self.exact else in_steps(images_NHWC, self.step)

    def write(self, values: Values, counts: Sequence[int], bits_N: NDArray[np.float64] | None = None) -> list[bytes]:
        """The payload of each block, in the coarsest step that keeps all of its values."""
        if bits_N is not None:
            bits_N[:] = self.bits(values)
        blocks = np.split(values, np.cumsum(counts)[:-1])
        return [pack_stored(block, coarsest_step(block)) for block in blocks]

    def read(self, payloads: Sequence[bytes], counts: Sequence[int]) -> Images:
        """Images (N,H,W,C). Raises CorruptError."""
        both = zip(payloads, counts, strict=True)
        return np.concatenate([unpack_stored(payload, count, self.kind)[0] for payload, count in both])

    def images_of(self, values: Values) -> Images:
        """The values, which are the images."""
        return values

    def bits(self, values: Values) -> NDArray[np.float64]:
        """What each image takes as it is, or packed by zlib on its own, whichever is less."""
        raw_bytes = math.prod(self.kind)
        sizes = [min(raw_bytes, len(zlib.compress(image.tobytes()))) for image in values]
        return 8 * np.array(sizes, np.float64)

    def check_probe(self) -> None:
        """There is nothing that a machine could do otherwise."""


def coarsest_step(values: Images) -> int:
    """The largest step in which these very values can be kept."""
    present = np.flatnonzero(np.bincount(values.ravel(), minlength=256)).astype(np.uint8)
    return next(step for step in range(255, 0, -2) if np.array_equal(in_steps(present, step), present))


def _level_count(step: int) -> int:
    return (255 + (step - 1) // 2) // step + 1


def _lay_out(values_NHWC: Images, arrangement: Arrangement) -> bytes:
    return (values_NHWC if arrangement.interleaved else values_NHWC.transpose(3, 0, 1, 2)).tobytes()


def _read_layout(values: Images, arrangement: Arrangement, images: int, kind: tuple[int, int, int]) -> Images:
    height, width, channels = kind
    if arrangement.interleaved:
        return values.reshape(images, height, width, channels)
    return values.reshape(channels, images, height, width).transpose(1, 2, 3, 0)


def _lzma(values: bytes, arrangement: Arrangement, channels: int) -> bytes:
    """LZMA2, told where pixels of several bytes begin.

    Its reader needs to know the dictionary alone.
    """
    aligned = arrangement.interleaved and channels & (channels - 1) == 0 and channels > 1
    bits = channels.bit_length() - 1 if aligned else 0
    dictionary_bytes = min(DICTIONARY_BYTES, max(4096, 1 << len(values).bit_length()))
    settings = {"lc": 0, "lp": bits, "pb": bits} if aligned else {"lc": 3, "lp": 0, "pb": 0}
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": dictionary_bytes, "nice_len": 273, **settings}]
    return lzma.compress(values, lzma.FORMAT_RAW, filters=filters)


def _unpack_values(data: bytes, packing: int, count: int, what: str) -> Images:
    """Exactly `count` bytes; never takes more memory than that. Raises CorruptError."""
    if packing == RAW:
        raw = data
    else:
        filters = [{"id": lzma.FILTER_LZMA2, "dict_size": DICTIONARY_BYTES}]
        unpacker = zlib.decompressobj() if packing == ZLIB else lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=filters)
        try:
            raw = unpacker.decompress(data, count + 1)
        except (zlib.error, lzma.LZMAError) as error:
            raise CorruptError(f"{what} is damaged: {error}") from error
        if not unpacker.eof or unpacker.unused_data:
            raise CorruptError(f"{what} does not end where its values do")
    if len(raw) != count:
        raise CorruptError(f"{what} holds {len(raw)} values and not {count}")
    return np.frombuffer(raw, np.uint8)
