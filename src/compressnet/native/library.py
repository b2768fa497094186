"""The shared library of the compiled core: found, loaded, checked, and one of its variants chosen.

Every call of it lets other threads of Python go on.
"""

from __future__ import annotations

import ctypes
import os
from ctypes import c_char_p, c_int32, c_size_t, c_void_p
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from compressnet.errors import CorruptError, DefectError, InputError
from compressnet.limits import TOO_FRESH, beyond_limits

INTERFACE = 5
"""CN_INTERFACE of the header that this package was written for."""
LIBRARY_VARIABLE = "COMPRESSNET_LIBRARY"
"""The environment variable that names another library, such as one with sanitizers."""
CPU_VARIABLE = "COMPRESSNET_CPU"
"""The environment variable that asks for a variant."""
OK, ARGUMENT, MEMORY, PAYLOAD, LIMIT = 0, 1, 2, 3, 4
"""What a cn_status may be."""
BIT = 1 << 32
"""The core counts bits in parts of this many."""

_FILES = [Path(__file__).with_name(f"_compressnet{suffix}") for suffix in (".so", ".dylib", ".dll")]
_SIZE, _MAKE = (c_size_t, c_void_p, c_void_p), (c_int32, c_void_p, c_void_p, c_void_p, c_size_t, c_void_p)
_FUNCTIONS = {
    "cn_core_names": (c_char_p,),
    "cn_core_find": (c_void_p, c_char_p),
    "cn_core_name": (c_char_p, c_void_p),
    "cn_network_size": _SIZE,
    "cn_network_make": _MAKE,
    "cn_network_scratch": (c_size_t, c_void_p),
    "cn_network_run": (c_int32, c_void_p, c_int32, c_int32, c_void_p, c_int32, c_void_p, c_size_t, c_void_p),
    "cn_prior_size": _SIZE,
    "cn_prior_make": _MAKE,
    "cn_prior_scratch": (c_size_t, c_void_p, c_size_t),
    "cn_prior_write": (
        *(c_int32, c_void_p, c_int32, c_void_p, c_size_t),
        *(c_void_p, c_size_t, c_void_p, c_void_p, c_void_p),
    ),
    "cn_prior_read": (c_int32, c_void_p, c_int32, c_char_p, c_size_t, c_void_p, c_size_t, c_void_p),
    "cn_prior_bits": (c_int32, c_void_p, c_int32, c_void_p, c_size_t, c_void_p, c_void_p),
    "cn_prior_frequencies": (
        *(c_int32, c_void_p, c_int32, c_void_p, c_size_t),
        *(c_void_p, c_size_t, c_void_p, c_void_p),
    ),
    "cn_pixels_size": _SIZE,
    "cn_pixels_make": _MAKE,
    "cn_pixels_scratch": (c_size_t, c_void_p, c_int32, c_int32),
    "cn_pixels_write": (
        *(c_int32, c_void_p, c_int32, c_int32, c_void_p, c_size_t),
        *(c_void_p, c_size_t, c_void_p, c_void_p, c_void_p),
    ),
    "cn_pixels_read": (
        *(c_int32, c_void_p, c_int32, c_int32, c_char_p),
        *(c_void_p, c_void_p, c_size_t, c_void_p),
    ),
    "cn_adaptive_size": (c_size_t, c_void_p, c_void_p, c_size_t),
    "cn_adaptive_make": (c_int32, c_void_p, c_void_p, c_size_t, c_void_p, c_size_t, c_void_p),
    "cn_adaptive_copy_size": (c_size_t, c_void_p, c_size_t),
    "cn_adaptive_copy": (c_int32, c_void_p, c_size_t, c_void_p, c_size_t, c_void_p),
    "cn_adaptive_allow": (None, c_void_p, c_size_t),
    "cn_adaptive_learn_write": (c_int32, c_void_p, c_void_p, c_size_t, c_void_p, c_size_t, c_void_p),
    "cn_adaptive_learn_read": (c_int32, c_void_p, c_void_p, c_size_t, c_char_p, c_size_t),
    "cn_adaptive_scratch": (c_size_t, c_void_p, c_void_p),
    "cn_adaptive_write": (c_int32, *(c_void_p, c_void_p, c_size_t, c_void_p, c_size_t, c_void_p, c_void_p)),
    "cn_adaptive_read": (c_int32, *(c_void_p, c_void_p, c_size_t, c_char_p, c_void_p, c_void_p)),
}
"""What each function returns, and its arguments, as the header has them."""


@dataclass(frozen=True, slots=True)
class Core:
    """A variant of the compiled core."""

    functions: ctypes.CDLL
    address: int
    name: str


@cache
def _load(path: Path) -> ctypes.CDLL:
    """A library, its functions declared. Raises InputError where it cannot be used."""
    try:
        library = ctypes.CDLL(str(path))
        interface = library.cn_interface()
        if interface != INTERFACE:
            raise InputError(f"{path}: a core with interface {interface}, not {INTERFACE} as is needed; build it anew")
        for name, (result, *arguments) in _FUNCTIONS.items():
            function: Any = getattr(library, name)
            function.restype, function.argtypes = result, arguments
    except (OSError, AttributeError) as error:
        raise InputError(f"{path}: cannot be loaded as the compiled core ({error})") from error
    return library


def _library() -> ctypes.CDLL:
    """The library to use. Raises InputError where there is none, or one that cannot be used."""
    given = os.environ.get(LIBRARY_VARIABLE)
    path = Path(given) if given else next((path for path in _FILES if path.exists()), None)
    if path is None:
        raise InputError(
            "the native backend needs the compiled core, which this install lacks; "
            "install compressnet anew where there is a C compiler, or use the numpy backend"
        )
    return _load(path)


def core_names() -> list[str]:
    """The variants that this CPU runs, the best first. Raises InputError as `find_core` does."""
    library = _library()
    return [name for name in library.cn_core_names().decode().split() if library.cn_core_find(name.encode())]


def find_core(name: str | None = None) -> Core:
    """The variant of a name, by default the one that $COMPRESSNET_CPU asks for, or else the best.

    Raises InputError where there is no such variant, or no library.
    """
    library = _library()
    name = name or os.environ.get(CPU_VARIABLE)
    address = library.cn_core_find(name.encode() if name else None)
    if not address:
        compiled, found = library.cn_core_names().decode().split(), " ".join(core_names()) or "none"
        what = "needs another CPU" if name in compiled else "is not in the compiled core"
        raise InputError(f"the variant {name} {what}; this CPU runs: {found}")
    return Core(library, address, library.cn_core_name(address).decode())


def available_core() -> Core | None:
    """The core to use, or None in an install without one.

    Raises InputError where an environment variable asks for one that cannot be had.
    """
    try:
        return find_core()
    except InputError:
        if os.environ.get(LIBRARY_VARIABLE) or os.environ.get(CPU_VARIABLE):
            raise
        return None


def core_name() -> str | None:
    """The variant that is in use, such as avx2, or None in an install without a core.

    Raises InputError as `available_core` does.
    """
    core = available_core()
    return None if core is None else core.name


def check_status(status: int, what: str) -> None:
    """Raises CorruptError for a payload that fits no frequencies, DefectError for other faults.

    what: was done. Raises BeyondLimitsError for a payload that takes more than was allowed.
    """
    if status == LIMIT:
        raise beyond_limits(TOO_FRESH, "work")
    if status == PAYLOAD:
        raise CorruptError("the payload does not fit the codec's frequencies")
    if status != OK:
        raise DefectError(f"the compiled core gave status {status} when it {what}")
