"""Integer arrays to bytes and back: what makes codecs small where archives embed them.

An array becomes residuals: itself, or differences along its first and last axes. Residuals have
levels (`compressnet.codec.levels`), which are coded first; a level gives the scale of a logistic
distribution (`compressnet.coding.mixture`), by which the range coder codes the residual, and how
many of its low bits are stored as they are. All residuals of one scale are coded together, so
reading takes few calls. docs/FORMAT.md, "Packed codec".

    bytes     scales of the four sequences, payload's length, payload, low bits
    payload   predictors, levels of rows, of columns, of places; residuals, scale by scale

Axes: n elements of all arrays, A alphabet.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compressnet.codec.levels import (
    BYTE_LEVELS,
    HIGH_LIMIT,
    LEVELS,
    OCTAVE,
    Integers,
    Levels,
    fit,
    joined,
    low_bits_of,
    sides_of,
    split,
)
from compressnet.coding.mixture import SCALES, Mixture, Tables, frequency_weights, make_tables
from compressnet.coding.part import Layout
from compressnet.coding.range_coder import PRECISION_BITS, PayloadDecoder, PayloadEncoder
from compressnet.errors import CorruptError
from compressnet.limits import CODEC_BYTES_LIMIT, PACKED_ELEMENTS_LIMIT
from compressnet.wire import Reader, pack_varint

AXES_LIMIT = 4
FIRST_ORDERS, LAST_ORDERS = 3, 2
"""A predictor is the order of differences along the first axis, plus three times the one along the
last."""
SEQUENCES = 4
FREE_ELEMENTS = 1 << 20
ELEMENTS_PER_BYTE = 2048
"""An element costs more than 1/1420 byte, so whatever claims more of them is damaged."""


def pack_arrays(arrays: Sequence[NDArray[np.integer]]) -> bytes:
    """Arrays of integers, of one to four axes, to bytes; `unpack_arrays` needs their layouts."""
    tables = make_tables()
    weights = {scale: _weights(tables, scale) for scale in range(0, SCALES, 2)}
    bits_SA = np.stack([PRECISION_BITS - np.log2(weights[scale] + 1) for scale in weights])

    def bits_of(levels_n: Integers, high_n: Integers) -> NDArray[np.float64]:
        return bits_SA[levels_n, np.clip(high_n, -HIGH_LIMIT, HIGH_LIMIT) + HIGH_LIMIT]

    predictors = [_best_predictor(array) for array in arrays]
    residuals = [_differences(array, predictor) for array, predictor in zip(arrays, predictors, strict=True)]
    layouts = [Layout(shape=array.shape, dtype=array.dtype) for array in arrays]
    levels = [
        fit(residual, sides_of(layout.shape), _levels_of(layout), bits_of) if len(residual) else _no_levels()
        for residual, layout in zip(residuals, layouts, strict=True)
    ]
    encoder = PayloadEncoder()
    sequences = [np.array(predictors, np.int64)]
    sequences += [_concatenated([getattr(level, name) for level in levels]) for name in ("rows", "columns", "places")]
    steps = [np.diff(sequence, prepend=0) for sequence in sequences]
    scales = [2 * int(np.argmin([bits_of(np.full(len(s), i), s).sum() for i in range(len(bits_SA))])) for s in steps]
    for step, scale in zip(steps, scales, strict=True):
        encoder.encode_alike((step + HIGH_LIMIT).astype(np.int32), weights[scale])
    bits_n, scale_n = _bits_and_scales(layouts, levels)
    high_n, low_n = split(_concatenated(residuals), bits_n)
    for scale, weights_A in weights.items():
        encoder.encode_alike((high_n[scale_n == scale] + HIGH_LIMIT).astype(np.int32), weights_A)
    payload = encoder.finish()
    return bytes(scales) + pack_varint(len(payload)) + payload + _pack_bits(low_n, bits_n)


def unpack_arrays(data: bytes, layouts: Sequence[Layout], what: str) -> list[NDArray[Any]]:
    """The arrays of these layouts.

    Raises CorruptError for bytes that `pack_arrays` did not make of such ones.
    """
    if any(not 1 <= len(layout.shape) <= AXES_LIMIT for layout in layouts):
        raise CorruptError(f"{what} has an array without axes, or with more than {AXES_LIMIT}")
    elements = sum(math.prod(layout.shape) for layout in layouts)
    if elements > elements_limit(len(data)):
        raise CorruptError(f"{what} claims {elements} numbers in {len(data)} bytes")
    try:
        return _read_arrays(Reader(data, "it"), layouts)
    except CorruptError as error:
        raise CorruptError(f"{what} is damaged: {error}") from error


def elements_limit(count_bytes: int) -> int:
    """How many numbers there may be in so many bytes."""
    return min(PACKED_ELEMENTS_LIMIT, FREE_ELEMENTS + ELEMENTS_PER_BYTE * count_bytes)


def _read_arrays(reader: Reader, layouts: Sequence[Layout]) -> list[NDArray[Any]]:
    scales = reader.take(SEQUENCES)
    if max(scales) >= SCALES:
        raise CorruptError(f"it has a scale beyond the last, {SCALES - 1}")
    tables = make_tables()
    decoder = PayloadDecoder(reader.take(reader.varint(CODEC_BYTES_LIMIT)))
    counts = np.array([sides_of(layout.shape).counts for layout in layouts], np.int64).reshape(-1, SEQUENCES - 1)
    sequences = [
        np.cumsum(decoder.decode_alike(count, _weights(tables, scale)) - HIGH_LIMIT, dtype=np.int64)
        for count, scale in zip((len(layouts), *counts.sum(axis=0).tolist()), scales, strict=True)
    ]
    predictors = sequences[0].tolist()
    if not all(0 <= predictor < FIRST_ORDERS * LAST_ORDERS for predictor in predictors):
        raise CorruptError("it has an unknown predictor")
    ends = np.cumsum(counts, axis=0)[:-1]
    parts = [np.split(sequence, end) for sequence, end in zip(sequences[1:], ends.T, strict=True)]
    levels = [Levels(rows=rows, columns=columns, places=places) for rows, columns, places in zip(*parts, strict=True)]
    bits_n, scale_n = _bits_and_scales(layouts, levels[: len(layouts)])
    order = np.argsort(scale_n, kind="stable")
    high_n = np.empty(len(order), np.int64)
    start = 0
    for scale, count in enumerate(np.bincount(scale_n).tolist()):
        if count:
            alike = order[start : start + count]
            high_n[alike] = decoder.decode_alike(count, _weights(tables, scale)) - HIGH_LIMIT
            start += count
    split_n = np.flatnonzero(bits_n)  # few: bytes, as weights are, have no low bits
    high_n[split_n] = joined(high_n[split_n], _unpack_bits(reader, bits_n[split_n]), bits_n[split_n])
    ends = np.cumsum([math.prod(layout.shape) for layout in layouts])[:-1]
    residuals = np.split(high_n, ends)[: len(layouts)]
    return [_summed(*parts) for parts in zip(residuals, predictors, layouts, strict=True)]


def _weights(tables: Tables, scale: int) -> NDArray[np.float64]:
    """Frequencies minus 1 of -128 to 128 under a logistic distribution around 0: (A,)."""
    zero, scales = np.zeros(1, np.int32), np.full(1, scale, np.int32)
    return frequency_weights(tables, Mixture(means=(zero, zero), scales=(scales, scales), weight=zero), HIGH_LIMIT)[0]


def _bits_and_scales(layouts: Sequence[Layout], levels: Sequence[Levels]) -> tuple[Integers, NDArray[np.uint8]]:
    """Each element's number of low bits, and the scale of what is above them: (n,) each."""
    bits, scales = [], []
    for layout, level in zip(layouts, levels, strict=True):
        level_n = level.spread(sides_of(layout.shape), _levels_of(layout))
        bits.append(low_bits_of(level_n, _levels_of(layout)))
        scales.append((2 * (level_n - OCTAVE * bits[-1])).astype(np.uint8))
    return _concatenated(bits), np.concatenate([np.zeros(0, np.uint8), *scales])


def _concatenated(parts: Sequence[Integers]) -> Integers:
    return np.concatenate([np.zeros(0, np.int64), *parts])


def _levels_of(layout: Layout) -> int:
    """How many levels an array's residuals may have."""
    return BYTE_LEVELS if layout.dtype.itemsize == 1 else LEVELS


def _no_levels() -> Levels:
    none = np.zeros(0, np.int64)
    return Levels(rows=none, columns=none, places=none)


def _best_predictor(array: NDArray[np.integer]) -> int:
    """The predictor that leaves the smallest residuals, in the mean of their logarithms."""
    orders = range(FIRST_ORDERS * LAST_ORDERS) if array.ndim > 1 else range(FIRST_ORDERS)
    sizes = [np.log2(np.abs(_differences(array, predictor)) + 0.5).sum() for predictor in orders]
    return int(np.argmin(sizes))


def _differences(array: NDArray[np.integer], predictor: int) -> Integers:
    """Residuals (n,), modulo 2^bits of the dtype, as signed integers."""
    residuals = array.astype(np.int64)
    last, first = divmod(predictor, FIRST_ORDERS)
    for axis, order in ((0, first), (-1, last)):
        for _ in range(order):
            residuals = np.diff(residuals, axis=axis, prepend=0)
    half = 1 << (8 * array.dtype.itemsize - 1)
    return ((residuals + half) % (2 * half) - half).ravel()


def _summed(residuals_n: Integers, predictor: int, layout: Layout) -> NDArray[Any]:
    """The array from which `_differences` made the residuals."""
    array = residuals_n.reshape(layout.shape)
    last, first = divmod(predictor, FIRST_ORDERS)
    for axis, order in ((-1, last), (0, first)):
        for _ in range(order):
            array = np.cumsum(array, axis=axis)
    return array.astype(layout.dtype)


def _pack_bits(low_n: Integers, bits_n: Integers) -> bytes:
    """Low parts one after the other, highest bit first, zeros after the last."""
    starts = np.cumsum(bits_n) - bits_n
    packed = np.zeros(int(bits_n.sum()), np.uint8)
    for bit in range(int(bits_n.max(initial=0))):
        chosen = bits_n > bit
        packed[starts[chosen] + bit] = low_n[chosen] >> (bits_n[chosen] - 1 - bit) & 1
    return np.packbits(packed).tobytes()


def _unpack_bits(reader: Reader, bits_n: Integers) -> Integers:
    """What `_pack_bits` put there; it is all that is left. Raises CorruptError where it is not."""
    total = int(bits_n.sum())
    stored = reader.take(-(-total // 8))
    reader.end()
    packed = np.unpackbits(np.frombuffer(stored, np.uint8))
    if packed[total:].any():
        raise CorruptError("something follows its last bit")
    starts = np.cumsum(bits_n) - bits_n
    low_n = np.zeros(len(bits_n), np.int64)
    for bit in range(int(bits_n.max(initial=0))):
        chosen = bits_n > bit
        low_n[chosen] = low_n[chosen] << 1 | packed[starts[chosen] + bit]
    return low_n
