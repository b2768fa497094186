"""What packs files: what is unpacked here, and how to get at what is not."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from compressnet.errors import InputError
from compressnet.images.untrusted import GZIP_MAGIC, as_binary

_MAGICS = (
    (b"\x28\xb5\x2f\xfd", "Zstandard", "zstd -d"),
    (b"7z\xbc\xaf\x27\x1c", "7-Zip", "7z x"),
    (b"Rar!\x1a\x07", "RAR", "unrar x"),
    (b"LZIP", "lzip", "lzip -d"),
    (b"\x04\x22\x4d\x18", "LZ4", "lz4 -d"),
    (b"\x1f\x9d", "compress", "uncompress"),
)
"""The first bytes, who packs so, and the command that unpacks it."""
MAGIC_BYTES = max(len(magic) for magic, _, _ in _MAGICS)

_METHODS = {
    1: "shrinking",
    6: "imploding",
    9: "Deflate64",
    19: "LZ77",
    93: "Zstandard",
    94: "MP3",
    95: "XZ",
    96: "JPEG",
    97: "WavPack",
    98: "PPMd",
    99: "AES encryption",
}
"""Of a ZIP file's members: APPNOTE 4.4.5."""
_READ_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
_ENCRYPTED = 1


def require_unpacked(head: bytes, where: str) -> None:
    """Raises InputError where a file's first bytes are those of a packer that is not read."""
    for magic, packer, command in _MAGICS:
        if head.startswith(magic):
            raise InputError(f"{where}: packed by {packer}, which is not read; unpack it first, with {command}")


def require_readable_member(member: zipfile.ZipInfo, where: str) -> None:
    """Raises InputError for a ZIP file's member that is encrypted, or packed as is not read."""
    if member.compress_type not in _READ_METHODS:
        method = f"method {member.compress_type}"
        packer = _METHODS.get(member.compress_type)
        packed = method if packer is None else f"{packer} ({method})"
        raise InputError(f"{where}: packed by {packed}, which is not read; pack it again with deflate")
    if member.flag_bits & _ENCRYPTED:
        raise InputError(f"{where}: encrypted; unpack it with its password first")


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
