"""Models that the compiled core has made, and memory for it."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from compressnet.native.library import MEMORY, Core, check_status

ALIGNMENT = 64
"""Of all memory that the core works in, in bytes."""
MEMORY_LIMIT = 1 << 28
"""Of one model, in bytes; NumPy runs what takes more."""


@dataclass(frozen=True, slots=True)
class Memory:
    """Aligned bytes, of any content; they are there for as long as this is."""

    array: NDArray[np.uint8]
    address: int

    @classmethod
    def of(cls, size: int) -> Memory:
        """Memory of a size in bytes."""
        array = np.empty(size + ALIGNMENT, np.uint8)
        return cls(array, -(-array.ctypes.data // ALIGNMENT) * ALIGNMENT)


@dataclass(frozen=True, slots=True)
class Model:
    """A network, an entropy model or a pixel model; never written once it is made."""

    functions: ctypes.CDLL
    memory: Memory
    address: int
    like: Model | None = None
    """What has its weights, if another model does."""


def make_model(
    core: Core,
    what: Literal["network", "prior", "pixels"],
    structure: ctypes.Structure,
    like: Model | None = None,
) -> Model | None:
    """A model of what a structure describes; None where the core cannot run it.

    like: a model whose weights the structure says are used again.
    """
    functions, description = core.functions, ctypes.addressof(structure)
    size = getattr(functions, f"cn_{what}_size")(core.address, description)
    if not 0 < size <= MEMORY_LIMIT:
        return None
    memory, address = Memory.of(size), ctypes.c_void_p()
    make = getattr(functions, f"cn_{what}_make")
    status = make(core.address, description, memory.address, size, ctypes.addressof(address))
    if status == MEMORY and like is not None:
        return None
    check_status(status, f"made a {what} model")
    assert address.value is not None
    return Model(functions, memory, address.value, like)
