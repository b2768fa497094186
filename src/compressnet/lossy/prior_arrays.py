"""Entropy models as named tensors, and back; and the dtypes of all tensors of networks."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compressnet.coding.mixture import Tables
from compressnet.coding.part import Tensors
from compressnet.errors import CorruptError
from compressnet.limits import SYMBOLS_LIMIT
from compressnet.lossy.context import ContextPrior, ContextSlice, context_order
from compressnet.lossy.masked import MaskedPrior
from compressnet.lossy.prior import Prior
from compressnet.networks.dense import DenseLayer
from compressnet.networks.program import Node

DEQUANTIZED = "dequantized"
"""The decoder's register that the entropy model reads as well."""
_LAYERS = ("hidden1", "hidden2", "output")
_LAYER_ARRAYS = ("weight", "bias", "shift")
_PRIOR_ARRAYS = ("inverse_gain", "scale_offset", "bound")
_MASKED_ARRAYS = ("order", "group_symbols", "group_units")
_CONTEXT_ARRAYS = ("grid", "slice_channels")
_SLICE_ARRAYS = ("weight", "bias", "phase", "shift")
_PYRAMID = "pyramid"
"""Stands in for the slice's number."""
_POSITION_ARRAYS = ("row", "column")
"""Of a slice of a network for one size."""
TABLE_ARRAYS = ("cdf", "reciprocal", "weight")
NODE_DTYPES = {
    "weight": "int8",
    "bias": "int32",
    "shift": "int8",
    "table": "int16",
    "bound": "int16",
    "repeats": "int32",
}
_LAYER_DTYPES = {"weight": "int8", "shift": "int8"}
"""Of the entropy model's layers; all their biases are int32."""
_DTYPES = {
    "prior.order": "int32",
    "prior.group_symbols": "int32",
    "prior.group_units": "int32",
    "prior.grid": "int32",
    "prior.slice_channels": "int32",
    "prior.inverse_gain": "int16",
    "prior.scale_offset": "int16",
    "prior.bound": "int16",
    "tables.cdf": "uint16",
    "tables.reciprocal": "int32",
    "tables.weight": "uint8",
    "probe.images": "uint8",
    "probe.symbols": "int16",
    "probe.frequencies": "uint8",
    "probe.pixels": "uint8",
    "encoder.lambda": "float32",
    "encoder.probe": "uint8",
}


def prior_arrays(prior: Prior, *, positions: bool = True) -> Tensors:
    """The entropy model's arrays, by name.

    positions: whether rows and columns have biases.
    """
    arrays: Tensors = {name: getattr(prior, name) for name in _PRIOR_ARRAYS}
    layers: dict[str, DenseLayer] = {}
    if isinstance(prior, MaskedPrior):
        arrays |= {name: getattr(prior, name) for name in _MASKED_ARRAYS}
        layers = {name: getattr(prior, name) for name in _LAYERS}
    else:
        assert isinstance(prior, ContextPrior)
        arrays |= {name: getattr(prior, name) for name in _CONTEXT_ARRAYS}
        for number, part in enumerate(prior.slices):
            names = _SLICE_ARRAYS + _POSITION_ARRAYS if positions else _SLICE_ARRAYS
            arrays |= {f"{number}.{name}": getattr(part, name) for name in names}
            layers |= {f"{number}.hidden": part.hidden, f"{number}.output": part.output}
        if prior.pyramid is not None:
            arrays |= {f"{_PYRAMID}.{name}": getattr(prior.pyramid, name) for name in _SLICE_ARRAYS}
            layers |= {f"{_PYRAMID}.{name}": getattr(prior.pyramid, name) for name in ("hidden", "output")}
    for layer, dense in layers.items():
        arrays |= {f"{layer}.{name}": getattr(dense, name) for name in _LAYER_ARRAYS}
    return arrays


def tensor_dtype(name: str) -> np.dtype[Any]:
    """The dtype of a tensor by its name without the network's number.

    Raises KeyError where no tensor is called so.
    """
    array = name.rpartition(".")[2]
    if name.startswith("prior.") and name.count(".") > 1:
        return np.dtype(_LAYER_DTYPES.get(array, "int32"))
    return np.dtype(_DTYPES[name] if name in _DTYPES else NODE_DTYPES[array])


def tensor_of(i: int, name: str, tensors: Tensors) -> NDArray[Any]:
    """A network's tensor, of its dtype. Raises KeyError, CorruptError for another dtype."""
    array = tensors[f"{i}.{name}"]
    if array.dtype != _DTYPES[name]:
        raise CorruptError(f"tensor {i}.{name} has dtype {array.dtype}, not {_DTYPES[name]}")
    return array


def prior_from(i: int, decoder_nodes: tuple[Node, ...], tensors: Tensors) -> Prior:
    """The entropy model of a network for one size. Raises CorruptError, KeyError."""
    common = _common(i, decoder_nodes, tensors)
    if f"{i}.prior.grid" not in tensors:
        common |= {name: tensor_of(i, f"prior.{name}", tensors) for name in _MASKED_ARRAYS}
        common |= {name: _dense(i, name, tensors) for name in _LAYERS}
        return MaskedPrior(**common)
    grid, slice_channels = (tensor_of(i, f"prior.{name}", tensors) for name in _CONTEXT_ARRAYS)
    if max(grid.tolist(), default=0) > SYMBOLS_LIMIT or math.prod(grid.tolist()) > SYMBOLS_LIMIT:
        raise CorruptError(f"a network has more symbols an image than the limit of {SYMBOLS_LIMIT}")
    order, group_symbols = context_order(grid, slice_channels)
    slices = tuple(
        _slice(i, number, tensors, {name: _layer_array(i, number, name, tensors) for name in _POSITION_ARRAYS})
        for number in map(str, range(len(slice_channels)))
    )
    return ContextPrior(
        **common, order=order, group_symbols=group_symbols, grid=grid, slice_channels=slice_channels, slices=slices
    )


def sizeless_prior_from(i: int, decoder_nodes: tuple[Node, ...], tensors: Tensors) -> ContextPrior:
    """The entropy model of a network without a size, for one place of a grid.

    Raises CorruptError, KeyError.
    """
    grid, slice_channels = (tensor_of(i, f"prior.{name}", tensors) for name in _CONTEXT_ARRAYS)
    if grid.shape != (3,) or not 1 <= grid[0] <= SYMBOLS_LIMIT or grid[1:].tolist() != [1, 1]:
        raise CorruptError("the entropy model of a network without a size is not for one place of a grid")
    none = np.zeros(0, np.int32)
    pyramid = [_PYRAMID] if f"{i}.prior.{_PYRAMID}.weight" in tensors else []
    slices: list[ContextSlice] = []
    for number in [*map(str, range(len(slice_channels))), *pyramid]:
        nowhere = np.zeros((1, len(_layer_array(i, number, "shift", tensors))), np.int32)
        slices.append(_slice(i, number, tensors, dict.fromkeys(_POSITION_ARRAYS, nowhere)))
    return ContextPrior(
        **_common(i, decoder_nodes, tensors),
        order=none,
        group_symbols=none,
        grid=grid,
        slice_channels=slice_channels,
        slices=tuple(slices[: len(slice_channels)]),
        pyramid=slices[-1] if pyramid else None,
    )


def _common(i: int, decoder_nodes: tuple[Node, ...], tensors: Tensors) -> dict[str, Any]:
    """What every entropy model has."""
    first = decoder_nodes[0]
    if first.op != "gain" or first.output != DEQUANTIZED or first.inputs != ("x",) or "bound" in first.arrays:
        raise CorruptError("a decoder does not begin with a gain without bounds from 'x' to 'dequantized'")
    common: dict[str, Any] = {name: tensor_of(i, f"prior.{name}", tensors) for name in _PRIOR_ARRAYS}
    common["tables"] = Tables(**{name: tensor_of(i, f"tables.{name}", tensors) for name in TABLE_ARRAYS})
    common["dequantize"] = first
    return common


def _layer_array(i: int, layer: str, name: str, tensors: Tensors) -> NDArray[Any]:
    """An array of an entropy model's layer. Raises KeyError, CorruptError for another dtype."""
    array = tensors[f"{i}.prior.{layer}.{name}"]
    if array.dtype != _LAYER_DTYPES.get(name, "int32"):
        raise CorruptError(f"tensor {i}.prior.{layer}.{name} has dtype {array.dtype}")
    return array


def _dense(i: int, layer: str, tensors: Tensors) -> DenseLayer:
    return DenseLayer(**{name: _layer_array(i, layer, name, tensors) for name in _LAYER_ARRAYS})


def _slice(i: int, number: str, tensors: Tensors, positions: Tensors) -> ContextSlice:
    """A slice's layers; positions: `row` and `column`."""
    arrays = positions | {name: _layer_array(i, number, name, tensors) for name in _SLICE_ARRAYS}
    hidden, output = (_dense(i, f"{number}.{layer}", tensors) for layer in ("hidden", "output"))
    return ContextSlice(**arrays, hidden=hidden, output=output)
