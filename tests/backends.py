"""What tests can run codecs with: the compiled core only where an install has one."""

from __future__ import annotations

from compressnet.errors import InputError
from compressnet.native.library import core_names

try:
    CORES = core_names()
    """The variants of the core that this CPU runs."""
except InputError:
    CORES = []
BACKENDS = [*(["native"] if CORES else []), "onnx", "numpy"]
