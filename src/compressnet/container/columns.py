"""What an archive holds of each image besides its pixels: labels and names.

Both are in the order of the collection. Classes, which integer labels stand for, may have names.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from compressnet.container.lines import PLAIN, inflate, pack_lines, unpack_lines
from compressnet.errors import CorruptError, InputError
from compressnet.images.labels import are_texts, texts_of
from compressnet.limits import (
    CLASSES_BYTES_LIMIT,
    CLASSES_LIMIT,
    DEFAULT_LIMITS,
    LABEL_BYTES_LIMIT,
    Cost,
    Limits,
)

INTEGERS = 0
"""The encoding of labels that are int64 little-endian, deflated; others are lines of text."""

Labels = NDArray[np.int64] | NDArray[np.str_] | NDArray[np.object_]
"""Texts are objects where one long one would make an array of strings large."""


def as_labels(values: Any) -> Labels:
    """Integers or texts, one for each image, as an archive keeps them. Raises InputError."""
    texts = values.tolist() if isinstance(values, np.ndarray) and values.dtype.kind in "UO" else values
    is_text = isinstance(texts, (list, tuple)) and all(type(text) is str for text in cast("Sequence[object]", texts))
    labels = texts_of(cast("Sequence[str]", texts)) if is_text and len(texts) else np.asarray(values)
    if labels.ndim == 1 and np.issubdtype(labels.dtype, np.integer):
        if labels.dtype.kind == "u" and labels.size and int(labels.max()) > np.iinfo(np.int64).max:
            raise InputError(f"label {int(labels.max())} is beyond 2^63 - 1, the largest that an archive keeps")
        return labels.astype(np.int64)
    if labels.dtype.kind == "U" and isinstance(values, (list, tuple)):
        cut = next((text for text in cast("Sequence[object]", values) if str(text).endswith("\0")), None)
        if cut is not None:
            raise InputError(f"label {cut!r} ends in NUL, which NumPy cuts off; leave it out")
    if labels.ndim == 1 and are_texts(labels):
        wrong = [text for text in labels.tolist() if not _is_line(text)]
        if not wrong:
            return labels
        raise InputError(
            f"labels have to be integers or lines of text of up to {LABEL_BYTES_LIMIT - 1} bytes, not {wrong[0]!r:.60}"
        )
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


def _is_line(text: object) -> bool:
    """Whether an archive can keep a text."""
    if not isinstance(text, str) or len(text) >= LABEL_BYTES_LIMIT or "\n" in text or not _is_utf8(text):
        return False
    return len(text.encode()) < LABEL_BYTES_LIMIT


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
    return pack_lines(labels.tolist())


def unpack_labels(data: bytes, images: int, what: str, room: int = DEFAULT_LIMITS.memory) -> Labels:
    """Labels of so many images, in so much room: bytes that they may take in memory.

    Raises CorruptError for bytes that are not such.
    """
    if data[:1] != bytes([INTEGERS]):
        return texts_of(unpack_lines(data, images, what, "labels", room))
    Limits(memory=max(1, room)).require(Cost(memory=2 * 8 * images), what)
    raw = inflate(data[1:], 8 * images, what, "labels")
    if len(raw) != 8 * images:
        raise CorruptError(f"{what} does not hold the labels of {images} images")
    return np.frombuffer(raw, "<i8").astype(np.int64)


def pack_names(names: Sequence[str]) -> bytes:
    """A name chunk's payload."""
    return pack_lines(names)


def unpack_names(data: bytes, images: int, what: str, room: int = DEFAULT_LIMITS.memory) -> list[str]:
    """Names of so many images, in so much room: bytes that they may take in memory.

    Raises CorruptError for bytes that are not such.
    """
    return unpack_lines(data, images, what, "names", room)


def pack_class_names(names: Sequence[str]) -> bytes:
    """A clas chunk's payload."""
    return bytes([PLAIN]) + zlib.compress("\n".join(names).encode(), 9)


def unpack_class_names(data: bytes, what: str) -> list[str]:
    """Raises CorruptError for bytes that are not the names of classes."""
    raw = inflate(data[1:], CLASSES_BYTES_LIMIT, what, "names") if data[:1] == bytes([PLAIN]) else b""
    names = unpack_lines(data, raw.count(b"\n") + 1, what, "names", DEFAULT_LIMITS.memory)
    if len(names) > CLASSES_LIMIT or len(set(names)) < len(names):
        raise CorruptError(f"{what} names more than {CLASSES_LIMIT} classes, or two alike")
    return names
