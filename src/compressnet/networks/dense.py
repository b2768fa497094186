"""A dense layer of an entropy model or a pixel model, in integers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from compressnet.errors import CorruptError
from compressnet.networks.numpy import requantize
from compressnet.networks.program import Float32
from compressnet.networks.proof import EXACT_BELOW, SHIFT_LIMIT

HIDDEN_LOW, HIDDEN_HIGH = -32, 223


@dataclass(frozen=True, slots=True, kw_only=True)
class DenseLayer:
    """A matrix product and what follows it."""

    weight: NDArray[np.int8]
    """(O,I); in a masked MLP flat: for each group the matrix (its outputs, what it sees), row by
    row."""
    bias: NDArray[np.int32]
    """(1,O) or (12,O), see `compressnet.networks.numpy.bias_at`."""
    shift: NDArray[np.int8]
    """(O,)."""


def require_exact(sums_O: NDArray[np.integer], shift: NDArray[np.integer], what: str) -> None:
    """Raises CorruptError where a layer's largest sums, or its shifts, leave what float32 holds.

    what: names the layer in errors.
    """
    if sums_O.max() >= EXACT_BELOW or np.abs(shift.astype(int)).max() > SHIFT_LIMIT:
        raise CorruptError(f"{what} leaves the range in which float32 is exact")


def hidden_units(sums: Float32, shift: NDArray[np.integer]) -> Float32:
    """A hidden layer's values from its sums (..., U), in place."""
    return requantize(sums, shift, "leaky", HIDDEN_LOW, HIDDEN_HIGH)
