"""The structures of compressnet.h, and the arrays that they point to."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from ctypes import c_int32, c_uint32, c_void_p

import numpy as np
from numpy.typing import DTypeLike, NDArray

from compressnet.networks.dense import DenseLayer


class CnNode(ctypes.Structure):
    """A node; cn_op numbers ops as OPS has them."""

    _fields_ = (
        ("op", c_int32),
        ("inputs", c_int32),
        ("input", c_void_p),
        ("attributes", c_int32 * 3),
        ("shape", c_int32 * 3),
        ("low", c_int32),
        ("high", c_int32),
        ("leaky", c_int32),
        ("kernel", c_int32 * 2),
        ("bias_rows", c_int32),
        ("segments", c_int32),
        ("weight", c_void_p),
        ("bias", c_void_p),
        ("shift", c_void_p),
        ("table", c_void_p),
        ("bound", c_void_p),
        ("repeats", c_void_p),
        ("like", c_int32),
    )


class CnProgram(ctypes.Structure):
    """A program."""

    _fields_ = (
        ("nodes", c_void_p),
        ("count", c_int32),
        ("shape", c_int32 * 3),
        ("low", c_int32),
        ("high", c_int32),
        ("like", c_void_p),
    )


class CnDense(ctypes.Structure):
    """A dense layer."""

    _fields_ = (
        ("outputs", c_int32),
        ("inputs", c_int32),
        ("bias_rows", c_int32),
        ("weight", c_void_p),
        ("bias", c_void_p),
        ("shift", c_void_p),
    )


class CnSlice(ctypes.Structure):
    """A slice of a convolutional entropy model."""

    _fields_ = (
        ("channels", c_int32),
        ("units", c_int32),
        ("weight", c_void_p),
        ("bias", c_void_p),
        ("phase", c_void_p),
        ("row", c_void_p),
        ("column", c_void_p),
        ("shift", c_void_p),
        ("hidden", CnDense),
        ("output", CnDense),
    )


class CnPriorModel(ctypes.Structure):
    """An entropy model."""

    _fields_ = (
        ("symbols", c_int32),
        ("groups", c_int32),
        ("segments", c_int32),
        ("order", c_void_p),
        ("group_symbols", c_void_p),
        ("repeats", c_void_p),
        ("table", c_void_p),
        ("shift", c_int32),
        ("low", c_int32),
        ("high", c_int32),
        ("inverse_gain", c_void_p),
        ("scale_offset", c_void_p),
        ("bound", c_void_p),
        ("cdf", c_void_p),
        ("reciprocal", c_void_p),
        ("weight", c_void_p),
        ("group_units", c_void_p),
        ("masked", CnDense * 3),
        ("grid", c_int32 * 3),
        ("slices", c_int32),
        ("slice", c_void_p),
        ("pyramid", c_void_p),
        ("like", c_void_p),
    )


class CnPlane(ctypes.Structure):
    """A plane of a pixel model."""

    _fields_ = (
        ("background", c_int32),
        ("near_rows", c_int32),
        ("far_rows", c_int32),
        ("across_rows", c_int32),
        ("near", c_void_p),
        ("far", c_void_p),
        ("across", c_void_p),
        ("near_columns", c_int32),
        ("far_columns", c_int32),
        ("across_columns", c_int32),
        ("seen_columns", c_int32),
        ("near_table", c_void_p),
        ("far_table", c_void_p),
        ("across_table", c_void_p),
        ("seen_table", c_void_p),
        ("seen_bias", c_void_p),
        ("seen_shift", c_void_p),
        ("row", c_void_p),
        ("column", c_void_p),
        ("quiet", c_void_p),
        ("layers", c_int32),
        ("layer", c_void_p),
        ("flag", CnDense),
        ("high", CnDense),
        ("low1", CnDense),
        ("low2", CnDense),
    )


class CnPixelModel(ctypes.Structure):
    """A pixel model."""

    _fields_ = (
        ("channels", c_int32),
        ("height", c_int32),
        ("width", c_int32),
        ("planes", c_void_p),
    )


class CnAdaptiveSettings(ctypes.Structure):
    """Settings of an adaptive model."""

    _fields_ = (
        ("table_bits", c_int32),
        ("flags", c_uint32),
        ("bytes", c_uint32),
        ("histograms", c_uint32),
        ("squash", c_void_p),
        ("stretch", c_void_p),
        ("logarithm", c_void_p),
    )


class CnPicture(ctypes.Structure):
    """A picture that an adaptive model codes."""

    _fields_ = (
        ("height", c_int32),
        ("width", c_int32),
        ("channels", c_int32),
        ("deep", c_int32),
        ("values", c_void_p),
    )


class Arrays:
    """What structures point to; it has to live for as long as C reads them.

    C reads arrays where they lie, while it makes a model of them.
    """

    def __init__(self) -> None:
        self._kept: list[object] = []

    def pointer(self, array: NDArray[np.integer] | Sequence[int], dtype: DTypeLike) -> int:
        """The address of an array's elements, one after the other and of a type."""
        kept = np.ascontiguousarray(array, dtype)
        self._kept.append(kept)
        return kept.ctypes.data

    def pointers(self, owner: object, dtype: DTypeLike, *names: str) -> dict[str, int]:
        """The addresses of arrays that `owner` has, by their names."""
        return {name: self.pointer(getattr(owner, name), dtype) for name in names}

    def structures(self, kind: type[ctypes.Structure], structures: Sequence[ctypes.Structure]) -> int:
        """The address of some structures, one after the other."""
        kept = (kind * len(structures))(*structures)
        self._kept.append(kept)
        return ctypes.addressof(kept)

    def dense(self, layer: DenseLayer) -> CnDense:
        """A dense layer; its weights are flat in a masked entropy model."""
        return CnDense(
            outputs=len(layer.shift),
            inputs=layer.weight.shape[1] if layer.weight.ndim == 2 else 0,
            bias_rows=len(layer.bias),
            bias=self.pointer(layer.bias, np.int32),
            **self.pointers(layer, np.int8, "weight", "shift"),
        )
