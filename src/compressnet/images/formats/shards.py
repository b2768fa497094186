"""Folders of files that hold many images each, all of one kind: .npy, IDX, .npz, tar, Parquet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from compressnet.errors import InputError
from compressnet.images.account import Ledger, merged
from compressnet.images.collection import Collection
from compressnet.images.formats.arrays.beside import is_beside
from compressnet.images.formats.arrays.files import array_files_collection, file_on_disk, kind_of_name, note_shards
from compressnet.images.formats.arrays.npz import npz_collections
from compressnet.images.formats.parquet.parquet import parquet_collection
from compressnet.images.formats.pictures.tars import tar_collection
from compressnet.images.joining import joined
from compressnet.images.names import order_of_path
from compressnet.images.reading import AS_IT_IS, Reading

_ENDINGS = {
    ".npz": (".npz",),
    "tar": (".tar", ".tar.gz", ".tar.xz", ".tar.bz2", ".tgz", ".txz", ".tbz2"),
    "Parquet": (".parquet",),
}
"""Of the files of each kind that is no single array."""


def shards_collection(folder: Path, paths: Sequence[str], reading: Reading = AS_IT_IS) -> Collection | None:
    """The images of all files of one kind in a folder, in the order of their names.

    None where there are no such files. Labels and names come along where all have them.

    paths: all files in the folder and below, relative and with `/`. Raises InputError, also for
    files of several kinds; MissingExtraError.
    """
    ledger = Ledger()
    found: dict[str, list[str]] = {}
    present = set(paths)
    for path in sorted(paths, key=order_of_path):
        if is_beside(path, present):
            continue
        kind = None if path.startswith(".") or "/." in path else _kind_of(path)
        if kind is None:
            ledger.leave_out("neither images nor labels", path)
        else:
            found.setdefault(kind, []).append(path)
    if not found:
        return None
    if len(found) > 1:
        one_of_each = ", ".join(f"{kind} ({shards[0]})" for kind, shards in found.items())
        raise InputError(f"{folder}: has files of several kinds, {one_of_each}; give one of them, or separate them")
    (kind, shards), *_ = found.items()
    if kind in _READERS:
        return _READERS[kind](folder, shards, reading, ledger)
    files = [file_on_disk(folder / path, path) for path in shards]
    return array_files_collection(str(folder), files, reading, ledger)


def _kind_of(path: str) -> str | None:
    found = (kind for kind, endings in _ENDINGS.items() if path.lower().endswith(endings))
    return next(found, None) or kind_of_name(path)


def _npz_files(folder: Path, shards: Sequence[str], reading: Reading, ledger: Ledger) -> Collection:
    return _joined(folder, shards, npz_collections([folder / path for path in shards], reading), ledger)


def _tar_files(folder: Path, shards: Sequence[str], reading: Reading, ledger: Ledger) -> Collection:
    return _joined(folder, shards, [tar_collection(folder / path, reading) for path in shards], ledger)


def _tables(folder: Path, shards: Sequence[str], reading: Reading, ledger: Ledger) -> Collection:
    if len(shards) > 1:
        note_shards(shards, ledger)
    collection = parquet_collection(str(folder), [folder / path for path in shards], reading)
    return replace(collection, account=merged([collection.account, ledger.account(labels="", names="")]))


def _joined(folder: Path, shards: Sequence[str], parts: Sequence[Collection], ledger: Ledger) -> Collection:
    if len(parts) > 1:
        note_shards(shards, ledger)
    return joined(str(folder), parts, ledger)


_READERS: dict[str, Callable[[Path, Sequence[str], Reading, Ledger], Collection]] = {
    ".npz": _npz_files,
    "tar": _tar_files,
    "Parquet": _tables,
}
"""Of the kinds that are no array each."""
