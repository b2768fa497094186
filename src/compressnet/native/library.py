"""The shared library of the compiled core."""

from __future__ import annotations

import ctypes
from functools import cache
from pathlib import Path

INTERFACE = 1
"""CN_INTERFACE of the header that this module was written for."""
_FILES = [Path(__file__).with_name(f"_compressnet{suffix}") for suffix in (".so", ".dylib", ".dll")]


@cache
def core_name() -> str | None:
    """The variant of the compiled core that is in use, such as avx2, or None without a core."""
    try:
        library = ctypes.CDLL(str(next(path for path in _FILES if path.exists())))
    except (StopIteration, OSError):
        return None
    if library.cn_interface() != INTERFACE:
        return None
    library.cn_core_find.restype = ctypes.c_void_p
    library.cn_core_name.argtypes = [ctypes.c_void_p]
    library.cn_core_name.restype = ctypes.c_char_p
    core = library.cn_core_find(None)
    return library.cn_core_name(core).decode() if core else None
