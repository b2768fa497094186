"""ZIP files of pictures."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from compressnet.errors import InputError
from compressnet.images.collection import Collection
from compressnet.images.formats.idx_zips import zip_of_idx_collection
from compressnet.images.formats.npz import npz_collection
from compressnet.images.formats.pictures import picture_collection
from compressnet.images.labels import LABELS_FILE, labels_of_members
from compressnet.images.names import picture_name, tidy_path
from compressnet.images.reading import AS_IT_IS, Reading
from compressnet.images.untrusted import input_errors, read_bounded, require_bounded

ZIP_MAGICS = (b"PK\x03\x04", b"PK\x05\x06")
_ENCRYPTED = 1


def zip_collection(path: Path, reading: Reading = AS_IT_IS) -> Collection:
    """The pictures in a ZIP file, in the order of its members.

    An .npz where it holds arrays. Raises InputError.
    """
    with input_errors(str(path)), zipfile.ZipFile(path) as archive:
        names = [name for name, _ in _picture_members(archive, path)]
        members = archive.infolist()
        if not names and any(member.filename.endswith(".npy") for member in members):
            return npz_collection(path, reading)
        if not names and (arrays := zip_of_idx_collection(path, reading)) is not None:
            return arrays
        if not names:
            raise InputError(f"{path}: no pictures in it (PNG, JPEG, WebP, BMP, GIF, TIFF), and no arrays")
        listed = next((member for member in members if tidy_path(member.filename) == LABELS_FILE), None)
        labels_csv = None if listed is None else _read_member(archive, listed, f"{path}: {LABELS_FILE}")
    labels = labels_of_members(names, labels_csv, {}, str(path))

    def read_files() -> Iterator[tuple[str, bytes]]:
        with input_errors(str(path)), zipfile.ZipFile(path) as archive:
            for name, member in _picture_members(archive, path):
                yield f"{path}: {name}", _read_member(archive, member, f"{path}: {name}")

    return picture_collection(str(path), names, len(names), labels, read_files)


def _picture_members(archive: zipfile.ZipFile, path: Path) -> Iterator[tuple[str, zipfile.ZipInfo]]:
    for member in archive.infolist():
        name = None if member.is_dir() else picture_name(member.filename, str(path))
        if name is not None:
            yield name, member


def _read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, where: str) -> bytes:
    """Raises InputError.

    No more is unpacked than the member declares, nor than a picture may take.
    """
    if member.flag_bits & _ENCRYPTED:
        raise InputError(f"{where}: encrypted; unpack it with its password first")
    require_bounded(member.file_size, where)
    with input_errors(where), archive.open(member) as stream:
        return read_bounded(stream, where)


def write_zip(stream: BinaryIO, files: Iterable[tuple[str, bytes]]) -> None:
    """Files of relative names as a ZIP, stored: PNGs do not deflate.

    No times, so equal images give equal bytes.
    """
    with zipfile.ZipFile(stream, "w") as archive:
        for name, data in files:
            info = zipfile.ZipInfo(name)
            info.external_attr = 0o644 << 16
            archive.writestr(info, data)
