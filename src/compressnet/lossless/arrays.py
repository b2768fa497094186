"""A pixel model as arrays by name, and a JSON entry for the rest.

Codec files and packed codecs hold pixel models in this form.

    entry     {"channels": C, "size": [H,W] or [],
               "planes": [{"background": B, "layers": L}, ...]}
    arrays    "P.ARRAY" and "P.LAYER.ARRAY" of plane P,
              LAYER one of layers.0, layers.1, .., flag, high, low1, low2

Its identity is SHA-256 over the entry and the arrays. docs/FORMAT.md, "Identity".
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compressnet.coding.part import Tensors
from compressnet.errors import CorruptError
from compressnet.lossless.model import LAYERS_LIMIT, PixelModel, PlaneModel
from compressnet.lossless.proof import prove_pixels
from compressnet.networks.dense import DenseLayer

PLANE_DTYPES = {
    "near": "int8",
    "far": "int8",
    "across": "int8",
    "near_table": "int8",
    "far_table": "int8",
    "across_table": "int8",
    "seen_table": "int8",
    "seen_bias": "int32",
    "seen_shift": "int8",
    "row": "int32",
    "column": "int32",
    "quiet": "int32",
}
LAYER_DTYPES = {"weight": "int8", "bias": "int32", "shift": "int8"}
OUTPUT_LAYERS = ("flag", "high", "low1", "low2")
PIXELS = "pixels"
"""What the names of pixel models' tensors begin with, and their key in the JSON."""
PROBE = "probe"


def entry_of(model: PixelModel) -> dict[str, Any]:
    """All that is not an array, for JSON."""
    return {
        "channels": model.channels,
        "size": list(model.size or ()),
        "planes": [{"background": plane.background, "layers": len(plane.layers)} for plane in model.planes],
    }


def arrays_of(model: PixelModel) -> Tensors:
    """All arrays but the probe's."""
    arrays: Tensors = {}
    for number, plane in enumerate(model.planes):
        arrays |= {f"{number}.{name}": getattr(plane, name) for name in PLANE_DTYPES}
        layers = {f"layers.{i}": layer for i, layer in enumerate(plane.layers)}
        layers |= {name: getattr(plane, name) for name in OUTPUT_LAYERS}
        for layer, dense in layers.items():
            arrays |= {f"{number}.{layer}.{name}": getattr(dense, name) for name in LAYER_DTYPES}
    return {name: np.ascontiguousarray(array) for name, array in arrays.items()}


def dtype_of(name: str) -> np.dtype[Any]:
    """The dtype of an array of `arrays_of` by its name.

    Raises KeyError where no array is called so.
    """
    _, *layer, array = name.split(".")
    return np.dtype(LAYER_DTYPES[array] if layer else PLANE_DTYPES[array])


def model_of(i: int, entry: Any, tensors: Tensors) -> PixelModel:
    """Model i of a codec from its entry and the codec's tensors, proved.

    Raises CorruptError, KeyError and others.
    """
    start, probe = f"{PIXELS}.{i}.", f"{PIXELS}.{i}.{PROBE}"
    arrays = {name[len(start) :]: array for name, array in tensors.items() if name.startswith(start) and name != probe}
    return model_from(entry, arrays, tensors[probe])


def model_from(entry: Any, arrays: Tensors, probe: NDArray[np.uint8]) -> PixelModel:
    """A pixel model from its entry and its arrays, proved.

    Raises CorruptError, KeyError, TypeError, ValueError.
    """
    channels, size = entry["channels"], entry["size"]
    if type(channels) is not int or not all(type(side) is int for side in size) or len(size) not in (0, 2):
        raise CorruptError(f"a pixel model is for {channels!r} channels and the size {size!r}")
    if not 1 <= len(entry["planes"]) <= 4:
        raise CorruptError(f"a pixel model has {len(entry['planes'])} planes")
    for name, array in arrays.items():
        if array.dtype != dtype_of(name):
            raise CorruptError(f"a pixel model's {name} has dtype {array.dtype}, not {dtype_of(name)}")
    if probe.dtype != np.uint8:
        raise CorruptError("a pixel model's probe is no hash")
    planes = tuple(_plane(number, plane, arrays) for number, plane in enumerate(entry["planes"]))
    model = PixelModel(channels=channels, size=(size[0], size[1]) if size else None, planes=planes, probe=probe)
    if unknown := set(arrays) - set(arrays_of(model)):
        raise CorruptError(f"a pixel model has arrays {sorted(unknown)}, which mean nothing")
    prove_pixels(model)
    return model


def _plane(number: int, entry: Any, arrays: Tensors) -> PlaneModel:
    background, layers = entry["background"], entry["layers"]
    if type(background) is not int or type(layers) is not int or not 1 <= layers <= LAYERS_LIMIT:
        raise CorruptError(f"a plane of a pixel model has the background {background!r} and {layers!r} layers")

    def dense(layer: str) -> DenseLayer:
        return DenseLayer(**{name: arrays[f"{number}.{layer}.{name}"] for name in LAYER_DTYPES})

    parts: dict[str, Any] = {name: dense(name) for name in OUTPUT_LAYERS}
    parts |= {name: arrays[f"{number}.{name}"] for name in PLANE_DTYPES}
    return PlaneModel(background=background, layers=tuple(dense(f"layers.{i}") for i in range(layers)), **parts)


def pixels_identity(models: tuple[PixelModel, ...]) -> bytes:
    """SHA-256 of the canonical bytes of pixel models: docs/FORMAT.md, "Identity"."""
    entries = [entry_of(model) for model in models]
    digest = hashlib.sha256(json.dumps(entries, separators=(",", ":"), sort_keys=True).encode())
    for i, model in enumerate(models):
        arrays = arrays_of(model)
        for name in sorted(arrays):
            array = arrays[name]
            little = array.astype(array.dtype.newbyteorder("<"), copy=False)
            digest.update(f"\n{i}.{name} {array.dtype.name} {list(array.shape)}\n".encode())
            digest.update(little.tobytes())
    return digest.digest()
