"""Tar files of pictures, WebDataset's shards among them.

They are packed with gzip, xz, bzip2 or not at all.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, cast

from numpy.typing import NDArray

from compressnet.errors import InputError
from compressnet.images.collection import Collection
from compressnet.images.formats.pictures import picture_collection, pictures_and_labels
from compressnet.images.kinds import Images
from compressnet.images.labels import LABELS_FILE, labels_of_members, sample_key
from compressnet.images.names import picture_name, tidy_path
from compressnet.images.untrusted import GZIP_MAGIC, as_binary, input_errors, require_bounded

CLASS_SUFFIX = ".cls"
_HEADER_BYTES = tarfile.BLOCKSIZE


def open_unpacked(path: Path) -> BinaryIO:
    """A file's bytes, unpacked where it is gzip, bzip2 or xz by its first bytes.

    Raises OSError.
    """
    with path.open("rb") as stream:
        magic = stream.read(6)
    openers: tuple[tuple[bytes, Callable[[Path], object]], ...] = (
        (GZIP_MAGIC, gzip.open),
        (b"BZh", bz2.open),
        (b"\xfd7zXZ\0", lzma.open),
    )
    return as_binary(
        next((opener(path) for start, opener in openers if magic.startswith(start)), None) or path.open("rb")
    )


def is_tar(header: bytes) -> bool:
    """Whether the first 512 bytes of a file are a tar member's header."""
    try:
        tarfile.TarInfo.frombuf(header, "utf-8", "surrogateescape")
    except (tarfile.TarError, ValueError):
        return False
    return True


def tar_collection(path: Path) -> Collection:
    """The pictures in a tar file, in the order of its members.

    Labels from `labels.csv` or WebDataset's `KEY.cls`.

    Raises InputError.
    """
    names: list[str] = []
    classes: dict[str, str] = {}
    labels_csv: bytes | None = None
    for raw, member_bytes, read in _members(path):
        name = picture_name(raw, str(path))
        if name is not None:
            names.append(name)
        elif tidy_path(raw) == LABELS_FILE:
            labels_csv = read()
        elif raw.endswith(CLASS_SUFFIX) and member_bytes <= _HEADER_BYTES:
            classes[sample_key(tidy_path(raw))] = read().decode("utf-8", "replace").strip()
    if not names:
        raise InputError(f"{path}: no pictures in it (PNG, JPEG, WebP, BMP, GIF, TIFF)")
    labels = labels_of_members(names, labels_csv, classes, str(path))

    def read_files() -> Iterator[tuple[str, bytes]]:
        for raw, _, read in _members(path):
            name = picture_name(raw, str(path))
            if name is not None:
                yield f"{path}: {name}", read()

    return picture_collection(str(path), names, len(names), labels, read_files)


def _members(path: Path) -> Iterator[tuple[str, int, Callable[[], bytes]]]:
    """Name, bytes and reader of each file, in one pass and in little memory. Raises InputError.

    A tar file that lacks its end, or has a damaged header in the middle, is refused: tarfile takes
    both for the end.
    """
    with input_errors(str(path)), open_unpacked(path) as stream:
        source = _Watched(stream, str(path))
        with tarfile.open(fileobj=cast("BinaryIO", source), mode="r:", errors="surrogateescape") as archive:
            while (member := archive.next()) is not None:
                _forget_members(archive)
                where = f"{path}: {tidy_path(member.name)}"
                if member.isfile():
                    yield member.name, member.size, lambda member=member, where=where: _read(archive, member, where)
                elif not member.isdir() and picture_name(member.name, str(path)) is not None:
                    raise InputError(f"{where}: a link; pack it again with tar --dereference --hard-dereference")
        if source.last.count(0) != _HEADER_BYTES:
            raise InputError(f"{path}: damaged or cut off: its end is missing")
        while stream.read(1 << 20):  # up to the checksum of the packed bytes
            pass


def _read(archive: tarfile.TarFile, member: tarfile.TarInfo, where: str) -> bytes:
    require_bounded(member.size, where)
    stream = archive.extractfile(member)
    data = b"" if stream is None else stream.read()
    if len(data) != member.size:
        raise InputError(f"{where}: cut off")
    return data


class _Watched:
    """A stream that limits how much tarfile reads at once, and remembers the last read.

    The limit is what a picture may take.
    """

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self._stream, self._name = stream, name
        self.last = b""

    def read(self, size: int) -> bytes:
        require_bounded(size, self._name)
        self.last = self._stream.read(size)
        return self.last

    def seek(self, position: int) -> int:
        return self._stream.seek(position)

    def tell(self) -> int:
        return self._stream.tell()


def write_tar(stream: BinaryIO, batches: Iterable[Images], names: Sequence[str], labels: NDArray[Any] | None) -> None:
    """Write PNGs of these names as a tar file.

    It has no times or owners, so that equal images give equal bytes.

    Integer labels make it a WebDataset: `KEY.cls` follows `KEY.png`. Where labels are texts, or a
    name has a dot before its ending, which WebDataset would cut off, `labels.csv` stands at the
    end instead.
    """
    keys = [name.removesuffix(".png") for name in names]
    webdataset = labels is not None and labels.dtype.kind in "iu" and all(sample_key(key) == key for key in keys)
    files = pictures_and_labels(batches, names, None if webdataset else labels)
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for i, (name, data) in enumerate(files):
            _add(archive, name, data)
            if webdataset and labels is not None:
                _add(archive, keys[i] + CLASS_SUFFIX, str(int(labels[i])).encode())


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    archive.addfile(info, io.BytesIO(data))
    _forget_members(archive)


def _forget_members(archive: tarfile.TarFile) -> None:
    """Drop what tarfile keeps of each member, which is a gigabyte for a million of them."""
    archive.members.clear()  # pyright: ignore[reportAttributeAccessIssue]
