"""Labels from a file of their own: IDX, .npy, .npz, a line each, or by name from a .csv."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

from numpy.typing import NDArray

from compressnet.errors import InputError
from compressnet.images.account import Ledger
from compressnet.images.arrays.labels import labels_from_array
from compressnet.images.copied import local_copy
from compressnet.images.formats.arrays.idx import read_idx
from compressnet.images.formats.arrays.npy import NPY_MAGIC, read_npy
from compressnet.images.formats.arrays.npz import read_npz_labels
from compressnet.images.formats.pictures.zips import ZIP_MAGICS
from compressnet.images.labels import LabelTable, labels_from_texts
from compressnet.images.packers import require_unpacked
from compressnet.images.untrusted import gunzipped, input_errors
from compressnet.remote import located


def read_labels(
    path: str | os.PathLike[str], names: Sequence[str] | None = None, ledger: Ledger | None = None
) -> NDArray[Any]:
    """Labels from a file or URL: IDX, .npy, .npz, a text file with one per line, or a .csv file.

    In a .csv file they are found by the images' `names`. They are integers where all are,
    otherwise texts. Of an .npz it is the only array, or `labels`, `y` and so on; arrays are taken
    as `arrays.labels.labels_from_array` does. ledger: is told of labels without an image. Raises
    InputError.
    """
    with local_copy(located(path)) as local:
        return _read_labels(local, names, ledger)


def _read_labels(path: Path, names: Sequence[str] | None, ledger: Ledger | None) -> NDArray[Any]:
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    with input_errors(str(path)), path.open("rb") as stream:
        if stream.read(4) in ZIP_MAGICS:  # which may hold images as well, so it is not read whole
            return _labels_of_npz(stream, str(path))
        stream.seek(0)
        data = gunzipped(stream.read(), str(path))
    if path.suffix.lower() == ".csv":
        if names is None:
            raise InputError(f"{path}: these images have no names to find labels by; give one label a line as .txt")
        table = LabelTable()
        table.add(data, set(names), str(path))
        if ledger is not None:
            for name in table.unknown:
                ledger.drop("label without a picture", name)
        return table.labels(names, str(path))
    require_unpacked(data, str(path))
    with input_errors(str(path)):
        if data.startswith(ZIP_MAGICS):
            return _labels_of_npz(io.BytesIO(data), str(path))
        if data.startswith(NPY_MAGIC):
            return _required(read_npy(io.BytesIO(data), str(path)), f"{path}: the array")
        if data.startswith(b"\0\0"):
            return _required(read_idx(io.BytesIO(data), str(path)), f"{path}: the array")
        return labels_from_texts(_lines(data))


def _labels_of_npz(stream: BinaryIO, name: str) -> NDArray[Any]:
    key, array = read_npz_labels(stream, name)
    return _required(array, f"{name}: {key}")


def _required(array: NDArray[Any], what: str) -> NDArray[Any]:
    labels = labels_from_array(array)
    if isinstance(labels, str):
        raise InputError(f"{what} {labels}; labels are one integer or text for each image")
    return labels


def _lines(data: bytes) -> list[str]:
    """The lines of a text, which other signs than a newline do not end.

    Raises UnicodeDecodeError.
    """
    lines = data.decode("utf-8-sig").split("\n")
    if not lines[-1]:
        lines.pop()
    return [line.removesuffix("\r") for line in lines]
