"""What is packed in ways that are not read is named."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from compressnet.errors import InputError
from compressnet.images import collection_from_bytes, open_collection, read_labels
from compressnet.images.packers import require_readable_member


@pytest.mark.parametrize(
    ("magic", "message"),
    [
        (b"\x28\xb5\x2f\xfd", "packed by Zstandard, which is not read; unpack it first, with zstd -d"),
        (b"7z\xbc\xaf\x27\x1c", "packed by 7-Zip, which is not read; unpack it first, with 7z x"),
        (b"Rar!\x1a\x07\x01\0", "packed by RAR"),
        (b"LZIP\x01", "packed by lzip"),
    ],
)
def test_packers_are_named(tmp_path: Path, magic: bytes, message: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(magic + b"something")
    for read in (open_collection, read_labels):
        with pytest.raises(InputError, match=f"^{path}: {message}"):
            read(path)
    with pytest.raises(InputError, match=f"^standard input: {message}"):
        collection_from_bytes(path.read_bytes(), "standard input")


@pytest.mark.parametrize(
    ("method", "message"),
    [(93, r"Zstandard \(method 93\)"), (9, r"Deflate64 \(method 9\)"), (200, "method 200")],
)
def test_methods_of_zip_are_named(method: int, message: str) -> None:
    member = zipfile.ZipInfo("a.png")
    require_readable_member(member, "x.zip: a.png")
    member.compress_type = method
    with pytest.raises(InputError, match=f"^x.zip: a.png: packed by {message}, which is not read; pack it again"):
        require_readable_member(member, "x.zip: a.png")


def test_encrypted_members_are_named() -> None:
    member = zipfile.ZipInfo("a.png")
    member.flag_bits = 1
    with pytest.raises(InputError, match="encrypted; unpack it with its password first"):
        require_readable_member(member, "x.zip: a.png")
