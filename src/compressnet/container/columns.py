"""What an archive holds of each image besides its pixels: labels and names.

Both are in the order of the collection. Classes, which integer labels stand for, may have names.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from compressnet.errors import CorruptError, InputError
from compressnet.limits import CLASSES_BYTES_LIMIT, CLASSES_LIMIT, LABEL_BYTES_LIMIT

INTEGERS, LINES = 0, 1
"""Encodings: int64 little-endian; lines of UTF-8. Either is deflated."""

Labels = NDArray[np.int64] | NDArray[np.str_]


def as_labels(values: Any) -> Labels:
    """Integers or texts, one for each image, as an archive keeps them. Raises InputError."""
    labels = np.asarray(values)
    if labels.ndim == 1 and np.issubdtype(labels.dtype, np.integer):
        if labels.dtype.kind == "u" and labels.size and int(labels.max()) > np.iinfo(np.int64).max:
            raise InputError(f"label {int(labels.max())} is beyond 2^63 - 1, the largest that an archive keeps")
        return labels.astype(np.int64)
    if labels.dtype.kind == "U" and isinstance(values, (list, tuple)):
        cut = next((text for text in cast("Sequence[object]", values) if str(text).endswith("\0")), None)
        if cut is not None:
            raise InputError(f"label {cut!r} ends in NUL, which NumPy cuts off; leave it out")
    if labels.ndim == 1 and labels.dtype.kind == "U" and not any("\n" in label for label in labels.tolist()):
        return labels
    raise InputError(f"labels have to be a list of integers or of lines of text, not {labels.dtype} {labels.shape}")


def as_names(values: Sequence[str]) -> list[str]:
    """Names, one for each image, as an archive keeps them.

    Raises InputError for anything that is not a line of text.
    """
    names = list(values)
    for i, name in enumerate(names):
        if not isinstance(name, str) or "\n" in name or not _is_utf8(name):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise InputError(f"name {i}, {name!r}, is no line of text; rename this image")
        if len(name.encode()) > LABEL_BYTES_LIMIT - 1:
            raise InputError(f"name {i} is longer than {LABEL_BYTES_LIMIT - 1} bytes; rename this image")
    return names


def as_class_names(values: Sequence[str]) -> list[str]:
    """The names of classes 0, 1, 2 and so on, as an archive keeps them.

    Raises InputError for anything that is not a line of text, and for two classes of one name.
    """
    names = as_names(values)
    if not 1 <= len(names) <= CLASSES_LIMIT:
        raise InputError(f"{len(names)} names of classes: 1 to {CLASSES_LIMIT} are possible; leave them out")
    if sum(len(name.encode()) + 1 for name in names) > CLASSES_BYTES_LIMIT:
        raise InputError(f"the names of classes take more than {CLASSES_BYTES_LIMIT} bytes; shorten them")
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError(f"two classes are called {twice!r}; give each a name of its own")
    return names


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def pack_labels(labels: Labels) -> bytes:
    """A labl chunk's payload."""
    if np.issubdtype(labels.dtype, np.integer):
        return bytes([INTEGERS]) + zlib.compress(labels.astype("<i8").tobytes(), 9)
    return pack_names(labels.tolist())


def unpack_labels(data: bytes, images: int, what: str) -> Labels:
    """Raises CorruptError for bytes that are not the labels of this many images."""
    if data[:1] != bytes([INTEGERS]):
        return np.array(_lines(data, images, what, "labels"), dtype=np.str_)
    raw = _inflate(data[1:], 8 * images, what, "labels")
    if len(raw) != 8 * images:
        raise CorruptError(f"{what} does not hold the labels of {images} images")
    return np.frombuffer(raw, "<i8").astype(np.int64)


def pack_names(names: Sequence[str]) -> bytes:
    """A name chunk's payload."""
    return bytes([LINES]) + zlib.compress("\n".join(names).encode(), 9)


def unpack_names(data: bytes, images: int, what: str) -> list[str]:
    """Raises CorruptError for bytes that are not the names of this many images."""
    return _lines(data, images, what, "names")


def unpack_class_names(data: bytes, what: str) -> list[str]:
    """Raises CorruptError for bytes that are not the names of classes."""
    raw = _inflate(data[1:], CLASSES_BYTES_LIMIT, what, "names") if data[:1] == bytes([LINES]) else b""
    names = _lines(data, raw.count(b"\n") + 1, what, "names")
    if len(names) > CLASSES_LIMIT or len(set(names)) < len(names):
        raise CorruptError(f"{what} names more than {CLASSES_LIMIT} classes, or two alike")
    return names


def _lines(data: bytes, count: int, what: str, noun: str) -> list[str]:
    raw = _inflate(data[1:], LABEL_BYTES_LIMIT * count, what, noun) if data[:1] == bytes([LINES]) else b""
    try:
        lines = raw.decode().split("\n")
    except UnicodeDecodeError as error:
        raise CorruptError(f"{what} holds text that is not UTF-8") from error
    if data[:1] != bytes([LINES]) or len(lines) != count:
        raise CorruptError(f"{what} does not hold {count} {noun}")
    return lines


def _inflate(data: bytes, limit_bytes: int, what: str, noun: str) -> bytes:
    """A zlib stream of at most so many bytes, and nothing after it. Raises CorruptError."""
    inflater = zlib.decompressobj()
    try:
        raw = inflater.decompress(data, limit_bytes + 1)
    except zlib.error as error:
        raise CorruptError(f"{what} is damaged: {error}") from error
    if not inflater.eof or inflater.unused_data or len(raw) > limit_bytes:
        raise CorruptError(f"{what} does not end where its {noun} do")
    return raw
