"""compressnet: a neural codec for collections of small images.

    codec = compressnet.load("mnist")
    compressnet.compress(images, "digits.cnet", codec)
    with compressnet.open("digits.cnet") as archive:
        image = archive[7]

The names below are the public ones; they load on first use, so that importing costs next to
nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from compressnet import errors
    from compressnet.api import compress
    from compressnet.archive.archive import Archive
    from compressnet.archive.maintain import append, concat, subset
    from compressnet.archive.opening import open  # noqa: A004 - the library's name for it, as in gzip.open
    from compressnet.archive.repair import repair
    from compressnet.codec.codec import Codec
    from compressnet.codec.loading import load
    from compressnet.limits import Limits

__version__ = "0.1.0"
__all__ = [
    "Archive",
    "Codec",
    "Limits",
    "__version__",
    "append",
    "compress",
    "concat",
    "errors",
    "load",
    "open",
    "repair",
    "subset",
]

_HOMES = {
    "Archive": "compressnet.archive.archive",
    "Codec": "compressnet.codec.codec",
    "Limits": "compressnet.limits",
    "append": "compressnet.archive.maintain",
    "compress": "compressnet.api",
    "concat": "compressnet.archive.maintain",
    "load": "compressnet.codec.loading",
    "open": "compressnet.archive.opening",
    "repair": "compressnet.archive.repair",
    "subset": "compressnet.archive.maintain",
}


def __getattr__(name: str) -> Any:
    if name == "errors":
        return import_module("compressnet.errors")
    if name in _HOMES:
        value = getattr(import_module(_HOMES[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'compressnet' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
