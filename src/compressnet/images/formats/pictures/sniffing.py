"""Which files are pictures: by what they begin with, and only then by their ending."""

from __future__ import annotations

import functools

from compressnet.images.names import ending_of

BY_CONTENT = (
    "PNG",
    "JPEG",
    "WEBP",
    "GIF",
    "TIFF",
    "AVIF",
    "JPEG2000",
    "BMP",
    "ICO",
    "CUR",
    "ICNS",
    "QOI",
    "DDS",
    "PSD",
    "PPM",
)
"""Pillow's formats that are told by their first bytes."""
BY_ENDING = ("DIB", "TGA", "PCX", "DCX", "SGI", "SUN", "XBM", "XPM", "MSP", "PCD", "PIXAR", "FLI", "FTEX", "BLP", "IM")
"""Those whose first bytes say too little: they are tried on files with their ending alone.

Formats that run another program (EPS), need one (WMF), or are no pictures (HDF5) are not read.
"""
HEAD_BYTES = 64


@functools.cache
def _format_of_ending() -> dict[str, str]:
    from PIL import Image

    Image.init()
    registered = Image.registered_extensions() | {".mpo": "JPEG"}  # whose reader tells it by content
    return {ending: form for ending, form in registered.items() if form in {*_by_content(), *BY_ENDING}}


@functools.cache
def _by_content() -> tuple[str, ...]:
    """Those of BY_CONTENT that this Pillow can read."""
    from PIL import Image

    Image.init()
    return tuple(form for form in BY_CONTENT if form in Image.OPEN)


def is_named_like_a_picture(name: str) -> bool:
    """Whether a name's ending is that of a format that is read."""
    return ending_of(name) in _format_of_ending()


def formats_to_try(name: str) -> tuple[str, ...]:
    """Pillow's formats that a file of this name may have."""
    form = _format_of_ending().get(ending_of(name))
    return _by_content() if form is None or form in BY_CONTENT else (*_by_content(), form)


def may_be_a_picture(name: str, head: bytes) -> bool:
    """Whether it pays to look at a file of this name that begins with `head`."""
    if is_named_like_a_picture(name):
        return True
    from PIL import Image

    accepts = (Image.OPEN[form][1] for form in _by_content())
    # Where a format is known but cannot be read here, the answer is a text that says so.
    return any(accept is not None and bool(accept(head[:16])) for accept in accepts)
