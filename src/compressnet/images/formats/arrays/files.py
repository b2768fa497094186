"""Files that hold an array each, .npy or IDX: one of them, or several with their labels."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from compressnet.errors import InputError
from compressnet.images.account import Ledger
from compressnet.images.arrays.labels import change_to_labels, labels_from_array
from compressnet.images.arrays.roles import labels_of, role_of
from compressnet.images.collection import Collection
from compressnet.images.formats.arrays.beside import with_files_beside
from compressnet.images.formats.arrays.common import ArraySource, Opener, array_collections
from compressnet.images.formats.arrays.idx import idx_source, read_idx
from compressnet.images.formats.arrays.npy import NPY_MAGIC, mapped_source, npy_source, read_npy
from compressnet.images.joining import joined
from compressnet.images.packers import open_unpacked
from compressnet.images.reading import Reading
from compressnet.images.untrusted import input_errors

_PACKED = re.compile(r"\.(gz|xz|bz2)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrayFile:
    """A file or member that holds an array."""

    path: str
    """Where it lies in the folder or packed file."""
    where: str
    """What errors call it."""
    open: Opener
    """Gives its bytes, unpacked."""
    on_disk: Path | None = None
    """Itself, if it is a file of its own."""


def file_on_disk(path: Path, below: str | None = None) -> ArrayFile:
    """A file, packed with gzip, xz or bzip2 or not. below: its path in the folder that is read."""
    return ArrayFile(path=below or path.name, where=str(path), open=lambda: open_unpacked(path), on_disk=path)


def array_file_collection(path: Path, reading: Reading) -> Collection:
    """The images of a .npy or IDX file, with the labels and names that lie beside it.

    Raises InputError.
    """
    images = array_collections([_source(file_on_disk(path))], reading)[0]
    collection = with_files_beside(images, path, reading)
    others = _labels_in_folder(path) if reading.labels and collection.labels is None else None
    return collection if others is None else _said(collection, f"none: {others} lies beside it; --labels reads it")


def _labels_in_folder(path: Path) -> str | None:
    """A file in the same folder that by its name has the labels, as MNIST's."""
    if role_of(path.name)[0] == "labels":
        return None
    try:
        files = sorted(other.name for other in path.parent.iterdir() if kind_of_name(other.name))
    except OSError:  # the folder may be closed to us, though the file is not
        return None
    return next(iter(labels_of([path.name], files)[path.name]), None)


def kind_of_name(name: str) -> str | None:
    """`.npy` or `IDX` where a file is named like these, packed or not."""
    stem = _PACKED.sub("", name.lower())
    return ".npy" if stem.endswith(".npy") else "IDX" if stem.endswith(("-ubyte", ".ubyte")) else None


def _said(collection: Collection, labels: str, names: str | None = None) -> Collection:
    """The same, with what is to be said of its labels, and names."""
    account = collection.account
    return replace(collection, account=replace(account, labels=labels, names=names or account.names))


def array_stream_collection(name: str, open_stream: Opener, reading: Reading) -> Collection:
    """The images of a .npy or IDX file that nothing lies beside. Raises InputError."""
    collection = array_collections([_source(ArrayFile(path=name, where=name, open=open_stream))], reading)[0]
    labels = "none: an array alone has none" if reading.labels else "none: not wanted"
    return _said(collection, labels, "none: an array alone has none")


def _is_npy(file: ArrayFile) -> bool:
    with input_errors(file.where), file.open() as stream:
        return stream.read(len(NPY_MAGIC)) == NPY_MAGIC


def _source(file: ArrayFile) -> ArraySource:
    if not _is_npy(file):
        return idx_source(file.where, file.path, file.open)
    if file.on_disk is not None:
        with input_errors(file.where), file.on_disk.open("rb") as stream:
            is_plain = stream.read(len(NPY_MAGIC)) == NPY_MAGIC
        if is_plain:
            return mapped_source(file.on_disk, file.path)
    return npy_source(file.where, file.path, file.open)


def _read(file: ArrayFile) -> NDArray[Any]:
    is_npy = _is_npy(file)
    with input_errors(file.where), file.open() as stream:
        return (read_npy if is_npy else read_idx)(stream, file.where)


def array_files_collection(source: str, files: Sequence[ArrayFile], reading: Reading, ledger: Ledger) -> Collection:
    """The images of several files in order, with the labels of each.

    These lie beside it, or in a file that is named as it is but for the role: `labels` in place of
    `images`, `y` in place of `x`. Files that belong to none are left out, and so is a file that is
    there twice. Raises InputError.
    """
    sources = {file.path: _source(file) for file in files}
    by_path = {file.path: file for file in files}
    images, labels = _images_and_labels(source, by_path, sources, ledger)
    collections = array_collections([sources[path] for path in images], reading)
    parts = [
        _with_labels(collection, by_path[path], by_path.get(labels.get(path, "")), reading, ledger)
        for path, collection in zip(images, collections, strict=True)
    ]
    if len(parts) > 1:
        note_shards(images, ledger)
    return joined(source, parts, ledger)


def note_shards(paths: Sequence[str], ledger: Ledger) -> None:
    """Say that several files are read as one collection."""
    for path in paths:
        ledger.change("shards, read as one collection", path)


def _images_and_labels(
    source: str, files: Mapping[str, ArrayFile], sources: Mapping[str, ArraySource], ledger: Ledger
) -> tuple[list[str], dict[str, str]]:
    """The files with images, and for each that has one the file with its labels."""
    paths = _different(files, sources, ledger)
    images = [path for path in paths if role_of(path)[0] != "labels" and len(sources[path].shape) > 1]
    taken = set(images)
    others = [path for path in paths if path not in taken]
    found = labels_of(images, others)
    labels = {path: names[0] for path, names in found.items() if names}
    chosen = set(labels.values())
    second = {name for names in found.values() for name in names}
    for path in others:
        if path in chosen:
            continue
        if path in second:
            ledger.leave_out("labels, as others are taken", path)
        elif len(sources[path].shape) > 2:  # images in a folder that is called like labels
            taken.add(path)
        elif role_of(path)[0] == "labels":
            ledger.leave_out("labels without images of theirs", path)
        else:
            ledger.leave_out("array that is no images", path)
    if not taken:
        raise InputError(f"{source}: no arrays of images in it, (N,H,W) or (N,H,W,C); {paths[0]} is none")
    return [path for path in paths if path in taken], labels


def _different(files: Mapping[str, ArrayFile], sources: Mapping[str, ArraySource], ledger: Ledger) -> list[str]:
    """The files without those that are there a second time, by names that mean the same."""
    seen: dict[object, list[str]] = {}
    kept: list[str] = []
    for path, source in sources.items():
        role, rest = role_of(path)
        words = tuple(dict.fromkeys(word for part in rest for word in part))
        alike = seen.setdefault((role, words, source.shape, str(source.dtype)), [])
        same = next((other for other in alike if _digest(files[other]) == _digest(files[path])), None)
        if same is not None:
            ledger.leave_out(f"the same array as {same}", path)
            continue
        alike.append(path)
        kept.append(path)
    return kept


def _digest(file: ArrayFile) -> bytes:
    with input_errors(file.where), file.open() as stream:
        digest = hashlib.sha256()
        while data := stream.read(1 << 20):
            digest.update(data)
        return digest.digest()


def _with_labels(
    images: Collection, file: ArrayFile, labels_file: ArrayFile | None, reading: Reading, ledger: Ledger
) -> Collection:
    """The images of a file with its labels. Raises InputError where these are another number."""
    if file.on_disk is not None:
        images = with_files_beside(images, file.on_disk, reading)
        if images.labels is not None and labels_file is not None:
            ledger.leave_out("labels, as others are taken", labels_file.path)
    if not reading.labels:
        return _said(images, "none: not wanted")
    if images.labels is not None:
        return images
    if labels_file is None:
        return _said(images, f"none: no labels of {file.path}")
    array = _read(labels_file)
    labels = labels_from_array(array)
    if isinstance(labels, str):
        ledger.drop(f"labels, as the array {labels}", labels_file.path)
        return _said(images, f"none: {labels_file.path} {labels}")
    if len(labels) != images.count:
        raise InputError(
            f"{labels_file.where}: {len(labels)} labels for {images.count} images in {file.path}; "
            "there has to be one for each, or take no labels (--no-labels)"
        )
    if change := change_to_labels(array):
        ledger.change(change, labels_file.path)
    return replace(_said(images, labels_file.path), labels=labels)
