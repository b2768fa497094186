"""Pixel models in a packed codec: all arrays, a hash of each model's probe.

The format is in docs/FORMAT.md, "Packed codec".
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compressnet.coding.part import Layout, PackedPart, PackedPlan, Tensors, is_shape
from compressnet.errors import CodecRefusedError, CorruptError
from compressnet.lossless.arrays import PIXELS, PROBE, arrays_of, dtype_of, entry_of
from compressnet.lossless.coder import LosslessNetwork
from compressnet.lossless.model import PixelModel
from compressnet.networks.numpy import NumpyBackend

PROBE_BYTES = 32


def pack_models(models: tuple[PixelModel, ...], codec_name: str) -> PackedPart:
    """What a packed codec holds of pixel models. Raises CodecRefusedError."""
    arrays_of_model = [dict(sorted(arrays_of(model).items())) for model in models]
    entries = [
        entry_of(model) | {"arrays": {name: list(array.shape) for name, array in arrays.items()}}
        for model, arrays in zip(models, arrays_of_model, strict=True)
    ]
    numbers = [array for arrays in arrays_of_model for array in arrays.values()]
    return PackedPart(
        entries=entries,
        hashes=b"".join(_checked_probe(model, codec_name) for model in models),
        numbers=numbers,
        elements=sum(array.size for array in numbers),
    )


class ModelsPlan(PackedPlan):
    """What the entries of packed pixel models say of their arrays."""

    def __init__(self, entries: list[Any], what: str) -> None:
        """Read entries.

        Raises CorruptError, or KeyError, TypeError and their like for entries of another form.
        """
        layouts: dict[str, Layout] = {}
        for i, entry in enumerate(entries):
            for name, shape in sorted(entry["arrays"].items()):
                if not is_shape(shape):
                    raise CorruptError(f"{what} has a tensor {PIXELS}.{i}.{name} of shape {shape!r}")
                layouts[f"{PIXELS}.{i}.{name}"] = Layout(shape=tuple(shape), dtype=dtype_of(name))
        self._names, self.layouts = list(layouts), list(layouts.values())
        self.hash_bytes = PROBE_BYTES * len(entries)
        self.elements = sum(math.prod(layout.shape) for layout in self.layouts)

    def tensors(self, hashes: bytes, numbers: list[NDArray[Any]], what: str) -> Tensors:
        """All tensors of the models."""
        del what
        tensors = dict(zip(self._names, numbers, strict=True))
        probes = np.frombuffer(hashes, np.uint8).reshape(-1, PROBE_BYTES)
        return tensors | {f"{PIXELS}.{i}.{PROBE}": probe for i, probe in enumerate(probes)}


def _checked_probe(model: PixelModel, codec_name: str) -> bytes:
    """A pixel model's probe, which this machine reproduces. Raises CodecRefusedError."""
    try:
        LosslessNetwork(model, NumpyBackend()).check_probe()
    except CodecRefusedError as error:
        raise CodecRefusedError(
            f"the codec {codec_name} cannot be embedded: this machine does not reproduce it ({error})"
        ) from error
    return model.probe.tobytes()
