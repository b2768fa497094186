"""ZIP files of pictures."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

from compressnet.errors import InputError
from compressnet.images.account import Ledger
from compressnet.images.collection import Collection
from compressnet.images.formats.arrays.idx_zips import zip_of_idx_collection
from compressnet.images.formats.arrays.npz import npz_collection
from compressnet.images.formats.pictures.members import Member
from compressnet.images.formats.pictures.scanning import members_collection
from compressnet.images.formats.pictures.sniffing import is_named_like_a_picture
from compressnet.images.packers import require_readable_member
from compressnet.images.reading import AS_IT_IS, Reading
from compressnet.images.untrusted import Readable, as_binary, input_errors

ZIP_MAGICS = (b"PK\x03\x04", b"PK\x05\x06")
_ENCRYPTED, _UTF8 = 1, 0x800


def zip_collection(path: Path, reading: Reading = AS_IT_IS) -> Collection:
    """The pictures in a ZIP file, in the order of its members.

    An .npz where it holds arrays and no pictures. Raises InputError.
    """
    ledger = Ledger()
    with input_errors(str(path)), zipfile.ZipFile(path) as archive:
        names = [_name(member, reading.names_encoding, path) for member in archive.infolist()]
        for name, member in zip(names, archive.infolist(), strict=True):
            if not member.flag_bits & _UTF8 and not name.isascii():
                old = "UTF-8" if _as_utf8(member) else "cp437; --names-encoding takes another"
                ledger.change(f"name without a stated encoding, read as {reading.names_encoding or old}", name)
    if not any(map(is_named_like_a_picture, names)):
        if any(name.endswith(".npy") for name in names):
            return npz_collection(path, reading)
        if (arrays := zip_of_idx_collection(path, reading)) is not None:
            return arrays

    def members() -> Iterator[Member]:
        with input_errors(str(path)), zipfile.ZipFile(path) as archive:
            for member in archive.infolist():
                if not member.is_dir():
                    yield from _opened(archive, member, path, reading)

    return members_collection(str(path), members, reading, ledger)


def _opened(archive: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path, reading: Reading) -> Iterator[Member]:
    """A member, and a stream of it that is closed when the next one is asked for."""
    name = _name(member, reading.names_encoding, path)
    where = f"{path}: {name}"
    with ExitStack() as stack:

        def stream() -> Readable:
            if member.flag_bits & _ENCRYPTED:
                raise InputError(f"{where}: encrypted; unpack it with its password first")
            require_readable_member(member, where)
            # no more is unpacked than the member declares
            return as_binary(stack.enter_context(archive.open(member)))

        yield Member(path=name, where=where, file_bytes=member.file_size, open=stream)


def _name(member: zipfile.ZipInfo, encoding: str | None, path: Path) -> str:
    """A member's name. Where it does not say that it is UTF-8, it is read as `encoding`.

    Without one, as UTF-8 where it can be, else as the old code page 437, as the specification has
    it (APPNOTE 6.3.10, appendix D). Raises InputError.
    """
    if member.flag_bits & _UTF8 or member.filename.isascii():
        return member.filename
    if encoding is None:
        return _as_utf8(member) or member.filename
    try:
        return member.filename.encode("cp437").decode(encoding)
    except (LookupError, ValueError) as error:
        raise InputError(f"{path}: the name {member.filename!r} is not in {encoding} ({error})") from error


def _as_utf8(member: zipfile.ZipInfo) -> str | None:
    try:
        return member.filename.encode("cp437").decode("utf-8")
    except ValueError:
        return None


def write_zip(stream: BinaryIO, files: Iterable[tuple[str, bytes]]) -> None:
    """Files of relative names as a ZIP, stored: PNGs do not deflate.

    No times, so equal images give equal bytes.
    """
    with zipfile.ZipFile(stream, "w") as archive:
        for name, data in files:
            info = zipfile.ZipInfo(name)
            info.external_attr = 0o644 << 16
            archive.writestr(info, data)
