"""NumPy's .npz: images, labels and names as .npy files in a ZIP.

They are streamed out of it and into it.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from compressnet.errors import InputError
from compressnet.images.collection import Collection
from compressnet.images.formats.npy import npy_collection, read_npy, write_npy
from compressnet.images.kinds import Images
from compressnet.images.labels import plain_labels
from compressnet.images.names import tidy_path
from compressnet.images.untrusted import as_binary, input_errors

MEDMNIST_SPLITS = ("train", "val", "test")
"""MedMNIST's files hold `train_images`, `train_labels` and so on; they are read one after the
other."""


def npz_collection(path: Path) -> Collection:
    """The images of an .npz, with its `labels` and `names`.

    The images are the array `images`, MedMNIST's three arrays, or the only array.

    Labels that are not one integer or text for each image are left out, as MedMNIST's of several
    columns. Raises InputError.
    """
    with input_errors(str(path)), zipfile.ZipFile(path) as archive:
        keys = [member.removesuffix(".npy") for member in archive.namelist() if member.endswith(".npy")]
    chosen = _image_arrays(keys, path)
    parts = [npy_collection(f"{path}: {key}", _member_opener(path, key)) for key, _ in chosen]
    labels: list[NDArray[Any]] = []
    for part, (_, key) in zip(parts, chosen, strict=True):
        array = plain_labels(_read_member(path, key)) if key in keys else None
        if array is not None and len(array) != part.count:
            raise InputError(f"{path}: {len(array)} {key} for {part.count} images; there has to be one for each")
        labels += [] if array is None else [array]
    whole = len(labels) == len(parts) and len({array.dtype.kind for array in labels}) == 1
    count = sum(part.count for part in parts)
    return Collection(
        name=str(path),
        count=count,
        batches=lambda: (batch for part in parts for batch in part.batches()),
        names=_read_names(path, count) if "names" in keys else None,
        labels=np.concatenate(labels) if whole else None,
    )


def _image_arrays(keys: Sequence[str], path: Path) -> list[tuple[str, str]]:
    """The arrays with images, each with the key that its labels would have. Raises InputError."""
    splits = [split for split in MEDMNIST_SPLITS if f"{split}_images" in keys]
    if splits and "images" not in keys:
        return [(f"{split}_images", f"{split}_labels") for split in splits]
    others = [key for key in keys if key not in ("labels", "names")]
    if "images" not in keys and len(others) != 1:
        raise InputError(f"{path}: has the arrays {', '.join(keys)}; call the one with the images 'images'")
    return [("images" if "images" in keys else others[0], "labels")]


def _member_opener(path: Path, key: str) -> Callable[[], BinaryIO]:
    """What opens an array of an .npz as a stream of its .npy file.

    Closing the stream closes the file.
    """

    def open_member() -> BinaryIO:
        with zipfile.ZipFile(path) as archive:  # the stream keeps the file open after this
            return as_binary(archive.open(f"{key}.npy"))

    return open_member


def _read_member(path: Path, key: str) -> NDArray[Any]:
    with input_errors(f"{path}: {key}"), _member_opener(path, key)() as stream:
        return read_npy(stream, f"{path}: {key}")


def _read_names(path: Path, count: int) -> list[str]:
    names = _read_member(path, "names")
    if names.dtype.kind != "U" or names.shape != (count,):
        raise InputError(f"{path}: names {names.dtype} {names.shape} are not one text for each of {count} images")
    return [tidy_path(name) for name in names.tolist()]


def write_npz(
    stream: BinaryIO,
    batches: Iterable[Images],
    count: int,
    name: str,
    *,
    names: Sequence[str] | None,
    labels: NDArray[Any] | None,
) -> None:
    """An .npz with `images` and, where they are given, `labels` and `names`.

    Raises InputError for several shapes.
    """
    with zipfile.ZipFile(stream, "w") as archive:
        with archive.open(_member("images"), "w", force_zip64=True) as member:
            write_npy(as_binary(member), batches, count, name)
        for key, array in (("labels", labels), ("names", None if names is None else np.array(names, np.str_))):
            if array is not None:
                with archive.open(_member(key), "w", force_zip64=True) as member:
                    np.lib.format.write_array(as_binary(member), np.ascontiguousarray(array), allow_pickle=False)


def _member(key: str) -> zipfile.ZipInfo:
    """A deflated member without a time, so that equal images give equal bytes."""
    info = zipfile.ZipInfo(f"{key}.npy")
    info.compress_type = zipfile.ZIP_DEFLATED
    info.external_attr = 0o644 << 16
    return info
