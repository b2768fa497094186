"""Labels from a file of their own: IDX, .npy, a line each, or by name from a .csv."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compressnet.errors import InputError
from compressnet.images.formats.idx import read_idx
from compressnet.images.formats.npy import NPY_MAGIC, read_npy
from compressnet.images.labels import labels_by_name, labels_from_texts
from compressnet.images.untrusted import gunzipped, input_errors


def read_labels(path: Path, names: Sequence[str] | None = None) -> NDArray[Any]:
    """Labels from a file: IDX, .npy, a text file with one per line, or a .csv file.

    In a .csv file they are found by the images' `names`. They are integers where all are,
    otherwise texts. Raises InputError.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    with input_errors(str(path)):
        data = gunzipped(path.read_bytes(), str(path))
        if path.suffix.lower() == ".csv":
            if names is None:
                raise InputError(f"{path}: these images have no names to find labels by; give one label a line as .txt")
            return labels_by_name(data, names, str(path))
        if data[:6] == NPY_MAGIC:
            return read_npy(io.BytesIO(data), str(path))
        if data[:2] == b"\0\0":
            return read_idx(io.BytesIO(data), str(path)).astype(np.int64)
        return labels_from_texts(data.decode("utf-8").splitlines())
