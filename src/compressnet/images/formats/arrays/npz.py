"""NumPy's .npz: images, labels and names as .npy files in a ZIP.

They are streamed out of it and into it.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

from numpy.typing import NDArray

from compressnet.errors import InputError
from compressnet.images.account import Ledger
from compressnet.images.arrays.labels import change_to_labels, labels_from_array, texts_from_array
from compressnet.images.arrays.layouts import may_be_images
from compressnet.images.arrays.roles import CLASS_NAMES, NAMES, choose_images, labels_of, role_of, whole_labels
from compressnet.images.collection import Collection
from compressnet.images.formats.arrays.common import Opener, array_collections, names_from_array
from compressnet.images.formats.arrays.npy import NpyHeader, npy_source, read_header, read_npy, write_array, write_npy
from compressnet.images.joining import joined
from compressnet.images.kinds import Pictures
from compressnet.images.labels import are_texts, string_array
from compressnet.images.packers import require_readable_member
from compressnet.images.reading import AS_IT_IS, Reading
from compressnet.images.untrusted import as_binary, input_errors

_SUFFIX = ".npy"
_FIRST, _SECOND = "arr_0", "arr_1"
"""What np.savez calls arrays without names: images, and then perhaps their labels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NpzFile:
    """What is in an .npz, before any array is read."""

    path: Path
    headers: Mapping[str, NpyHeader]
    images: Sequence[str]
    """The arrays with the images, in order."""
    ledger: Ledger


def npz_collection(path: Path, reading: Reading = AS_IT_IS) -> Collection:
    """The images of an .npz, with labels, names and class names where it has them.

    Which arrays are the images says `arrays.roles.choose_images`. Labels are `labels`, `y` and so
    on, or `y_train` for `x_train` and `train_labels` for `train_images`; those that are not one
    integer or text for each image are dropped, as MedMNIST's of several columns.

    Raises InputError.
    """
    return npz_collections([path], reading)[0]


def npz_collections(paths: Sequence[Path], reading: Reading) -> list[Collection]:
    """The collection of each .npz; types of values become 8 bits in the same way in all of them.

    Raises InputError.
    """
    files = [_look(path) for path in paths]
    sources = [
        npy_source(f"{file.path}: {key}", key, _member_opener(file.path, key)) for file in files for key in file.images
    ]
    parts = iter(array_collections(sources, reading))
    return [_collection(file, [next(parts) for _ in file.images], reading) for file in files]


def _look(path: Path) -> NpzFile:
    """The headers of all arrays, and which of these are the images. Raises InputError."""
    ledger = Ledger()
    headers: dict[str, NpyHeader] = {}
    with input_errors(str(path)), zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            key = member.filename.removesuffix(_SUFFIX)
            if member.is_dir():
                continue
            if key == member.filename or key in headers:
                ledger.leave_out("no array" if key == member.filename else "array of a name that is taken", key)
                continue
            where = f"{path}: {key}"
            require_readable_member(member, where)
            with input_errors(where), archive.open(member) as stream:
                headers[key] = read_header(as_binary(stream), where)
    numbers = {key: header.shape for key, header in headers.items() if header.dtype.kind in "buif"}
    return NpzFile(path=path, headers=headers, images=choose_images(str(path), numbers), ledger=ledger)


def _collection(file: NpzFile, parts: Sequence[Collection], reading: Reading) -> Collection:
    """The images with all that belongs to them."""
    count = sum(part.count for part in parts)
    labels = _label_arrays(file)
    _leave_out(file, {key for keys in labels.values() for key in keys})
    with_labels = [_with_labels(file, part, labels[key], reading) for key, part in zip(file.images, parts, strict=True)]
    names = None
    if NAMES in file.headers:
        names = names_from_array(_read_member(file.path, NAMES), count, f"{file.path}: {NAMES}", file.ledger)
    class_names = _class_names(file) if reading.labels else None
    whole = joined(str(file.path), with_labels, file.ledger)
    labels_text = whole.account.labels if whole.labels is None else f"array {whole.account.labels}"
    names_text = f"none: no array {NAMES}" if names is None else f"array {NAMES}"
    account = replace(whole.account, labels=labels_text, names=names_text)
    return replace(whole, names=names, class_names=class_names, account=account)


def _label_arrays(file: NpzFile) -> dict[str, list[str]]:
    """For each array of images those that may be its labels, the best first."""
    keys = [key for key in file.headers if key not in CLASS_NAMES]
    labels = labels_of(file.images, keys)
    if len(file.images) == 1:
        only = file.images[0]
        labels[only] += [key for key in whole_labels(keys) if key not in labels[only]]
        if not labels[only] and only == _FIRST and _SECOND in keys:
            labels[only] = [_SECOND]
    return labels


def _leave_out(file: NpzFile, labels: set[str]) -> None:
    """Note the arrays that nothing is made of."""
    for key, header in file.headers.items():
        if key in (*file.images, *labels, NAMES, *CLASS_NAMES):
            continue
        role = role_of(key)[0]
        if header.dtype.hasobject:
            why = "array of Python objects, which are never loaded"
        elif role == "labels":
            why = "labels without images of theirs"
        elif role == "images" and header.dtype.kind in "buif" and may_be_images(header.shape):
            why = "images, as others are taken"
        else:
            why = "array that is neither images nor labels"
        file.ledger.leave_out(why, key)


def _said(part: Collection, labels: str) -> Collection:
    """The same, with what is to be said of its labels."""
    return replace(part, account=replace(part.account, labels=labels))


def _with_labels(file: NpzFile, part: Collection, keys: Sequence[str], reading: Reading) -> Collection:
    """The images of an array with the labels of the first of some arrays.

    Raises InputError where there is another number of them.
    """
    if not reading.labels:
        return _said(part, "none: not wanted")
    for key in keys[1:]:
        file.ledger.leave_out("labels, as others are taken", key)
    if not keys:
        return _said(part, "none: no array labels")
    key = keys[0]
    if file.headers[key].dtype.hasobject:
        labels = "holds Python objects, which are never loaded"
    else:
        array = _read_member(file.path, key)
        labels = labels_from_array(array)
        if not isinstance(labels, str) and (change := change_to_labels(array)):
            file.ledger.change(change, key)
    if isinstance(labels, str):
        file.ledger.drop(f"labels, as the array {labels}", key)
        return _said(part, f"none: {key} {labels}")
    if len(labels) != part.count:
        raise InputError(
            f"{file.path}: {len(labels)} {key} for {part.count} images; there has to be one for each, "
            "or take no labels (--no-labels)"
        )
    return replace(_said(part, key), labels=labels)


def _class_names(file: NpzFile) -> list[str] | None:
    """What integer labels stand for."""
    key = next((key for key in CLASS_NAMES if key in file.headers), None)
    if key is None:
        return None
    if file.headers[key].dtype.hasobject:
        texts = "holds Python objects, which are never loaded"
    else:
        texts = texts_from_array(_read_member(file.path, key))
    if isinstance(texts, str):
        file.ledger.drop(f"class names, as the array {texts}", key)
        return None
    return texts


def _member_opener(path: Path, key: str) -> Opener:
    """What opens an array of an .npz as a stream of its .npy file.

    Closing the stream closes the file.
    """

    def open_member() -> BinaryIO:
        with zipfile.ZipFile(path) as archive:  # the stream keeps the file open after this
            return as_binary(archive.open(key + _SUFFIX))

    return open_member


def _read_member(path: Path, key: str) -> NDArray[Any]:
    with input_errors(f"{path}: {key}"), _member_opener(path, key)() as stream:
        return read_npy(stream, f"{path}: {key}")


def read_npz_labels(stream: BinaryIO, name: str) -> tuple[str, NDArray[Any]]:
    """The name of the labels in an .npz that is a file of labels, and the array.

    It is the only array, or `labels`, `y` and so on. Raises InputError.
    """
    with input_errors(name), zipfile.ZipFile(stream) as archive:
        keys = [member.removesuffix(_SUFFIX) for member in archive.namelist() if member.endswith(_SUFFIX)]
        found = whole_labels(keys)[:1] or keys
        if len(found) != 1:
            there = f"has the arrays {', '.join(keys)[:200]}" if keys else "has no arrays"
            raise InputError(f"{name}: {there}; call the one with the labels 'labels', or save it alone as .npy")
        member = archive.getinfo(found[0] + _SUFFIX)
        require_readable_member(member, f"{name}: {found[0]}")
        with archive.open(member) as opened:
            return found[0], read_npy(as_binary(opened), f"{name}: {found[0]}")


def write_npz(
    stream: BinaryIO,
    batches: Iterable[Pictures],
    count: int,
    name: str,
    *,
    names: Sequence[str] | None,
    labels: NDArray[Any] | None,
    class_names: Sequence[str] | None = None,
) -> None:
    """An .npz with `images` and, where they are given, `labels`, `names` and `class_names`.

    Raises InputError for several shapes or types.
    """
    texts = {NAMES: names, CLASS_NAMES[0]: class_names}
    if labels is not None and are_texts(labels):
        labels = string_array(labels.tolist(), name, "labels")
    arrays = {"labels": labels} | {
        key: string_array(value, name, key.replace("_", " ")) for key, value in texts.items() if value is not None
    }
    with zipfile.ZipFile(stream, "w") as archive:
        with archive.open(_member("images"), "w", force_zip64=True) as member:
            write_npy(as_binary(member), batches, count, name)
        for key, array in arrays.items():
            if array is not None:
                with archive.open(_member(key), "w", force_zip64=True) as member:
                    write_array(as_binary(member), array)


def _member(key: str) -> zipfile.ZipInfo:
    """A deflated member without a time, so that equal images give equal bytes."""
    info = zipfile.ZipInfo(f"{key}{_SUFFIX}")
    info.compress_type = zipfile.ZIP_DEFLATED
    info.external_attr = 0o644 << 16
    return info
