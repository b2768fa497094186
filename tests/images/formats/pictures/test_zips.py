"""ZIP files: members in their order, bounded, whatever their names and bytes."""

from __future__ import annotations

import io
import struct
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings

from compressnet.errors import InputError
from compressnet.images import Reading, open_collection, write_collection
from picture_files import damage, grey, images_or_one_error, mixed_images, png, put_zip, singles


def test_members_come_in_their_order(tmp_path: Path) -> None:
    path = tmp_path / "photos.zip"
    names = ["b.png", "a/2.png", "a/1.png", "b.png"]
    with pytest.warns(UserWarning, match="Duplicate name"):
        put_zip(path, [("a/", b""), ("README", b"hello"), *((name, grey(i)) for i, name in enumerate(names))])
    collection = open_collection(path)
    assert collection.names == names
    assert [int(image[0, 0]) for image in singles(collection)] == [0, 1, 2, 3]


def test_paths_are_only_names(tmp_path: Path) -> None:
    path = tmp_path / "photos.zip"
    put_zip(path, [("/etc/a.png", grey(1)), ("C:\\b.png", grey(2)), ("./c\\d.png", grey(3))])
    assert open_collection(path).names == ["etc/a.png", "b.png", "c/d.png"]
    put_zip(path, [("../a.png", grey(1))])
    with pytest.raises(InputError, match=r"photos\.zip: \.\./a\.png: leads out of the collection"):
        open_collection(path)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ([("README", b"hello")], "no pictures in it"),
        ([], "no pictures in it"),
        ([("a.png", grey(1)), ("b.png", b"text")], r"b\.png: not a picture, though it is named like one"),
    ],
)
def test_what_is_no_collection(tmp_path: Path, files: list[tuple[str, bytes]], message: str) -> None:
    put_zip(tmp_path / "photos.zip", files)
    with pytest.raises(InputError, match=rf"photos\.zip: {message}"):
        open_collection(tmp_path / "photos.zip").load()


def test_bombs_are_refused_before_they_unfold(tmp_path: Path) -> None:
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.png", bytes(1 << 27 | 1))
    with pytest.raises(InputError, match=r"bomb\.zip: a\.png: more than 128 MiB"):
        open_collection(path).load()
    # A directory that declares less than there is does not get more.
    data = path.read_bytes().replace(struct.pack("<I", 1 << 27 | 1), struct.pack("<I", 1000))
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"bomb\.zip: a\.png: (cannot be read|not a picture)"):
        open_collection(path).load()


def test_encrypted_members_are_named(tmp_path: Path) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("a.png", grey(1))
    data = bytearray(stream.getvalue())
    for signature, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(signature) + place] |= 1
    (tmp_path / "photos.zip").write_bytes(bytes(data))
    with pytest.raises(InputError, match=r"a\.png: encrypted; unpack it with its password first"):
        open_collection(tmp_path / "photos.zip").load()


def test_written_members_are_stored_and_can_be_unpacked_by_anyone(tmp_path: Path) -> None:
    path = tmp_path / "photos.zip"
    image = np.zeros((1, 8, 8), np.uint8)
    write_collection(path, [image], count=1, names=["ä/a.png"], labels=np.array([7]))
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist() == ["ä/a.png", "labels.csv"]
        assert archive.read("ä/a.png") == png(image[0])
        assert archive.read("labels.csv") == b"name,label\r\n\xc3\xa4/a.png,7\r\n"
        assert all(member.compress_type == zipfile.ZIP_STORED for member in archive.infolist())
        assert all(member.external_attr >> 16 == 0o644 for member in archive.infolist())


def put_raw_names(path: Path, *names: bytes) -> None:
    """Names of bytes, without the flag that says that they are UTF-8."""
    with zipfile.ZipFile(path, "w") as archive:
        for i, name in enumerate(names):
            archive.writestr("~" * len(name) + str(i), grey(i))
    data = path.read_bytes()
    for i, name in enumerate(names):
        data = data.replace(b"~" * len(name) + str(i).encode(), name + b"0")
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("raw", "encoding", "expected", "said"),
    [
        ("漢字".encode("cp932") + b".pn", "cp932", "漢字.pn0", "read as cp932"),
        ("ж.pn".encode("cp866"), "cp866", "ж.pn0", "read as cp866"),
        ("ä.pn".encode(), None, "ä.pn0", "read as UTF-8"),
        ("ä.pn".encode("cp437"), None, "ä.pn0", "read as cp437; --names-encoding takes another"),
    ],
)
def test_names_without_a_stated_encoding(
    tmp_path: Path, raw: bytes, encoding: str | None, expected: str, said: str
) -> None:
    put_raw_names(tmp_path / "a.zip", raw)
    collection = open_collection(tmp_path / "a.zip", Reading(names_encoding=encoding))
    assert collection.names == [expected]
    assert [note.what for note in collection.account.changed] == [f"name without a stated encoding, {said}"]


@pytest.mark.parametrize("encoding", ["ascii", "no-such"])
def test_an_encoding_that_names_are_not_in(tmp_path: Path, encoding: str) -> None:
    put_raw_names(tmp_path / "a.zip", "ä.pn".encode("cp437"))
    with pytest.raises(InputError, match=rf"a\.zip: the name .* is not in {encoding}"):
        open_collection(tmp_path / "a.zip", Reading(names_encoding=encoding))


@settings(max_examples=150, deadline=None)
@given(images=mixed_images(), harm=damage())
def test_damaged_files_give_images_or_one_error(images: list[np.ndarray], harm: Callable[[bytes], bytes]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.zip"
        put_zip(path, [(f"{i}.png", png(image)) for i, image in enumerate(images)])
        path.write_bytes(harm(path.read_bytes()))
        assert len(list(images_or_one_error(path))) <= len(images)
