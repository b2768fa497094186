"""Entropy models run by the compiled core, with its range coder.

Axes: N images, D symbols of an image.
"""

from __future__ import annotations

import ctypes
import hashlib
from collections.abc import Sequence
from ctypes import c_int32

import numpy as np
from numpy.typing import NDArray

from compressnet.errors import InputError
from compressnet.lossy.context import ContextPrior, ContextSlice
from compressnet.lossy.entropy import AnySymbols, EntropyCoder
from compressnet.lossy.masked import MaskedPrior
from compressnet.lossy.prior import Prior
from compressnet.native.library import ARGUMENT, BIT, Core, check_status
from compressnet.native.models import Memory, Model, make_model
from compressnet.native.structures import Arrays, CnDense, CnPriorModel, CnSlice
from compressnet.threads import spread

_TOGETHER_IMAGES = 1024
"""Images whose bits are counted in one call, as each needs some memory."""


def prior_structure(prior: Prior, arrays: Arrays) -> CnPriorModel:
    """A proved entropy model."""
    first, tables = prior.dequantize, prior.tables
    structure = CnPriorModel(
        symbols=len(prior.order),
        groups=len(prior.group_symbols),
        segments=len(first.arrays["repeats"]),
        **arrays.pointers(prior, np.int32, "order", "group_symbols"),
        repeats=arrays.pointer(first.arrays["repeats"], np.int32),
        table=arrays.pointer(first.arrays["table"], np.int16),
        shift=int(first.arrays["shift"][0]),
        low=first.low,
        high=first.high,
        **arrays.pointers(prior, np.int16, "inverse_gain", "scale_offset", "bound"),
        cdf=arrays.pointer(tables.cdf, np.uint16),
        reciprocal=arrays.pointer(tables.reciprocal, np.int32),
        weight=arrays.pointer(tables.weight, np.uint8),
    )
    if isinstance(prior, MaskedPrior):
        structure.group_units = arrays.pointer(prior.group_units, np.int32)
        layers = (prior.hidden1, prior.hidden2, prior.output)
        structure.masked = (CnDense * 3)(*[arrays.dense(layer) for layer in layers])
    elif isinstance(prior, ContextPrior):
        channels = prior.slice_channels.tolist()
        slices = [_slice(part, size, arrays) for part, size in zip(prior.slices, channels, strict=True)]
        structure.grid = (c_int32 * 3)(*prior.grid.tolist())
        structure.slices = len(slices)
        structure.slice = arrays.structures(CnSlice, slices)
        if prior.pyramid is not None:
            structure.pyramid = arrays.structures(CnSlice, [_slice(prior.pyramid, channels[0], arrays)])
    return structure


def _slice(part: ContextSlice, channels: int, arrays: Arrays) -> CnSlice:
    return CnSlice(
        channels=channels,
        units=len(part.shift),
        **arrays.pointers(part, np.int8, "weight", "shift"),
        **arrays.pointers(part, np.int32, "bias", "phase", "row", "column"),
        hidden=arrays.dense(part.hidden),
        output=arrays.dense(part.output),
    )


class NativeEntropyCoder(EntropyCoder):
    """An entropy model made ready to run."""

    def __init__(self, model: Model, prior: Prior, threads: int) -> None:
        self.model, self._functions, self._prior = model, model.functions, prior
        self._threads = threads
        self._symbols = len(prior.order)

    def write(
        self, symbols_ND: AnySymbols, counts: Sequence[int], quality: int, bits_N: NDArray[np.float64] | None = None
    ) -> list[bytes]:
        """Symbols of several blocks, `counts` images each, to one payload per block.

        bits_N: is filled with what `bits` gives.
        """
        symbols_ND = _int16(symbols_ND)
        counted_N = None if bits_N is None else np.empty(len(symbols_ND), np.uint64)

        def write(rows: slice) -> bytes:
            return self._write(symbols_ND[rows], quality, None if counted_N is None else counted_N[rows])

        payloads = spread(write, _rows_of(counts), self._threads)
        if bits_N is not None and counted_N is not None:
            np.divide(counted_N, BIT, out=bits_N)
        return payloads

    def _write(self, symbols_ND: NDArray[np.int16], quality: int, counted_N: NDArray[np.uint64] | None) -> bytes:
        """The payload of one block."""
        payload, written = np.empty(2 * symbols_ND.size + 16, np.uint8), ctypes.c_size_t()
        scratch = self._scratch(len(symbols_ND))
        status = self._functions.cn_prior_write(
            *(self.model.address, quality, symbols_ND.ctypes.data, len(symbols_ND)),
            *(payload.ctypes.data, len(payload), ctypes.addressof(written)),
            *(None if counted_N is None else counted_N.ctypes.data, scratch.address),
        )
        self._check(status, quality)
        return payload[: written.value].tobytes()

    def read(self, payloads: Sequence[bytes], counts: Sequence[int], quality: int) -> NDArray[np.int16]:
        """Payloads of several blocks to the symbols of all their images (N,D).

        Raises CorruptError.
        """
        symbols_ND = np.empty((sum(counts), self._symbols), np.int16)

        def read(block: tuple[bytes, slice]) -> None:
            payload, rows = block
            symbols = symbols_ND[rows]
            scratch = self._scratch(len(symbols))
            status = self._functions.cn_prior_read(
                *(self.model.address, quality, payload, len(payload)),
                *(symbols.ctypes.data, len(symbols), scratch.address),
            )
            check_status(status, "read symbols")

        spread(read, list(zip(payloads, _rows_of(counts), strict=True)), self._threads)
        return symbols_ND

    def bits(self, symbols_ND: AnySymbols, quality: int) -> NDArray[np.float64]:
        """-log2 of the frequencies of each image's symbols, (N,)."""
        symbols_ND = _int16(symbols_ND)
        counted_N = np.empty(len(symbols_ND), np.uint64)
        scratch = self._scratch(min(len(symbols_ND), _TOGETHER_IMAGES))
        for start in range(0, len(symbols_ND), _TOGETHER_IMAGES):
            part = symbols_ND[start : start + _TOGETHER_IMAGES]
            status = self._functions.cn_prior_bits(
                *(self.model.address, quality, part.ctypes.data, len(part)),
                *(counted_N[start:].ctypes.data, scratch.address),
            )
            self._check(status, quality)
        return counted_N / BIT

    def frequencies_sha256(self, symbols_ND: AnySymbols, quality: int) -> bytes:
        """SHA-256 of the frequencies of these symbols, int32 little-endian, group by group."""
        symbols_ND = _int16(symbols_ND)
        bound_D = self._prior.symbol_bounds(quality)
        frequencies = np.empty(len(symbols_ND) * int((2 * bound_D + 1)[bound_D > 0].sum()), np.int32)
        scratch, listed = self._scratch(len(symbols_ND)), ctypes.c_size_t()
        status = self._functions.cn_prior_frequencies(
            *(self.model.address, quality, symbols_ND.ctypes.data, len(symbols_ND)),
            *(frequencies.ctypes.data, len(frequencies), ctypes.addressof(listed), scratch.address),
        )
        self._check(status, quality)
        return hashlib.sha256(frequencies[: listed.value].astype("<i4", copy=False).data).digest()

    def _scratch(self, images: int) -> Memory:
        return Memory.of(self._functions.cn_prior_scratch(self.model.address, images))

    @staticmethod
    def _check(status: int, quality: int) -> None:
        if status == ARGUMENT:
            raise InputError(f"symbols lie outside of their alphabets at quality {quality}")
        check_status(status, "went through symbols")


def _rows_of(counts: Sequence[int]) -> list[slice]:
    """Those of each block."""
    ends = np.cumsum(counts).tolist()
    return [slice(end - count, end) for end, count in zip(ends, counts, strict=True)]


def _int16(symbols_ND: AnySymbols) -> NDArray[np.int16]:
    """Symbols as the core reads them; what is beyond int16 stays outside of all alphabets."""
    if symbols_ND.dtype == np.int16:
        return np.ascontiguousarray(symbols_ND, np.int16)
    limits = np.iinfo(np.int16)
    return np.clip(symbols_ND, limits.min, limits.max).astype(np.int16, order="C")


def make_entropy_coder(
    core: Core, prior: Prior, threads: int = 1, like: NativeEntropyCoder | None = None
) -> NativeEntropyCoder | None:
    """A proved entropy model made ready to run; None where the core cannot run it.

    like: one of the same layers for another grid, to share its weights.
    """
    arrays, model = Arrays(), None
    structure = prior_structure(prior, arrays)
    if like is not None:
        structure.like = like.model.address
        model = make_model(core, "prior", structure, like.model)
        structure.like = None
    if model is None:
        model = make_model(core, "prior", structure)
    return None if model is None else NativeEntropyCoder(model, prior, threads)
