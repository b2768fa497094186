"""Arrays as labels: integers or texts, one for each image; or why an array holds none."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_INT64 = np.iinfo(np.int64)
_BEYOND = "holds integers beyond 64 bits"


def labels_from_array(array: NDArray[Any]) -> NDArray[Any] | str:
    """Labels (N,), int64 or texts; or in words, to follow the array's name, why it holds none.

    Bytes are texts in UTF-8, truth values and whole floating-point numbers are integers, an array
    (N,1) is its only column, and one (N,K) with a single 1 in each row, else 0, gives the place of
    that 1.
    """
    flat = array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array
    if flat.ndim == 2:
        return _places_of_ones(flat)
    if flat.ndim != 1:
        return f"has {flat.ndim} axes"
    if flat.dtype.kind == "U":
        return flat
    if flat.dtype.kind == "S":
        return _texts_from_bytes(flat)
    if flat.dtype.kind == "f":
        return _integers_from_floats(flat)
    if flat.dtype.kind not in "bui":
        return f"holds values of type {flat.dtype}, neither integers nor texts"
    if flat.dtype.kind == "u" and flat.size and flat.max() > _INT64.max:
        return _BEYOND
    return flat.astype(np.int64)


def change_to_labels(array: NDArray[Any]) -> str:
    """What is to be said where labels are not the array's own values, else nothing."""
    return "labels, taken as the place of the 1 in each row" if array.ndim == 2 and array.shape[1] > 1 else ""


def texts_from_array(array: NDArray[Any]) -> list[str] | str:
    """Texts, as names are, of an array (N,); or in words why it holds none."""
    labels = labels_from_array(array) if array.ndim == 1 else f"has the shape {array.shape}"
    if isinstance(labels, str):
        return labels
    return labels.tolist() if labels.dtype.kind == "U" else f"holds values of type {array.dtype}, no texts"


def _places_of_ones(array_NK: NDArray[Any]) -> NDArray[Any] | str:
    """Which column has the 1 of each row."""
    columns = array_NK.shape[1]
    if array_NK.dtype.kind in "buif" and columns > 1:
        ones = array_NK == 1
        if np.all(ones.sum(1) == 1) and np.all(ones | (array_NK == 0)):
            return ones.argmax(1).astype(np.int64)
    return f"has {columns} columns"


def _texts_from_bytes(array: NDArray[Any]) -> NDArray[Any] | str:
    try:
        return np.array([value.decode("utf-8") for value in array.tolist()], np.str_)
    except UnicodeDecodeError:
        return "holds bytes that are no text in UTF-8"


def _integers_from_floats(array: NDArray[Any]) -> NDArray[Any] | str:
    broken = ~(np.isfinite(array) & (array == np.trunc(array)))
    if broken.any():
        return f"holds numbers that are not whole, such as {array[broken][0]}"
    # the largest int64 is no floating-point number, the next one up is
    array = array.astype(np.float64)  # float16 has no room for the bounds
    if np.any((array < float(_INT64.min)) | (array >= -float(_INT64.min))):
        return _BEYOND
    return array.astype(np.int64)
