"""Tar files: packed in every way, WebDataset's labels, and no silent end where one is damaged."""

from __future__ import annotations

import gzip
import io
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compressnet.errors import InputError
from compressnet.images import open_collection, write_collection
from picture_files import damage, grey, images_or_one_error, mixed_images, png, put_tar, singles

NAMES = ["b.png", "a/2.png", "a/1.png", "b.png"]
FILES = [("README", b"hello"), *((name, grey(i)) for i, name in enumerate(NAMES))]


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:xz", "w:bz2"])
def test_members_come_in_their_order(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "photos"
    put_tar(path, FILES, mode)
    collection = open_collection(path)
    assert collection.names == NAMES
    for _ in range(2):
        assert [int(image[0, 0]) for image in singles(collection)] == [0, 1, 2, 3]


def test_paths_are_only_names(tmp_path: Path) -> None:
    path = tmp_path / "photos.tar"
    put_tar(path, [("./a.png", grey(1)), ("/b.png", grey(2)), ("x" * 150 + "/ä.png", grey(3))])
    assert open_collection(path).names == ["a.png", "b.png", "x" * 150 + "/ä.png"]
    put_tar(path, [("a/../../b.png", grey(1))])
    with pytest.raises(InputError, match=r"photos\.tar: .* leads out of the collection"):
        open_collection(path)


def webdataset(*labels: bytes) -> list[tuple[str, bytes]]:
    files = [(f"set/{i:03d}.jpg", grey(i)) for i in range(len(labels))]
    classes = [(f"set/{i:03d}.cls", label) for i, label in enumerate(labels)]
    return [file for pair in zip(classes, files, strict=True) for file in pair]


def test_webdataset_has_its_labels_beside_its_pictures(tmp_path: Path) -> None:
    put_tar(tmp_path / "a.tar", webdataset(b"3", b"-1\n", b"4"))
    collection = open_collection(tmp_path / "a.tar")
    assert collection.names == ["set/000.jpg", "set/001.jpg", "set/002.jpg"]
    assert collection.labels is not None
    assert collection.labels.tolist() == [3, -1, 4]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (webdataset(b"3", b"4")[:1] + webdataset(b"3", b"4")[3:], r"set/001\.jpg has no set/001\.cls"),
        ([("README", b"hello")], "no pictures in it"),
        ([("a.png", b"text")], r"a\.png: not a picture"),
    ],
)
def test_what_is_no_collection(tmp_path: Path, files: list[tuple[str, bytes]], message: str) -> None:
    put_tar(tmp_path / "a.tar", files)
    with pytest.raises(InputError, match=rf"a\.tar: {message}"):
        open_collection(tmp_path / "a.tar").load()


def put_links(path: Path, *entries: tuple[str, bytes | tuple[bytes, str]]) -> None:
    """Files, and links as their type and target."""
    with tarfile.open(path, "w") as archive:
        for name, content in entries:
            info = tarfile.TarInfo(name)
            if isinstance(content, bytes):
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
            else:
                info.type, info.linkname = content
                archive.addfile(info)


@pytest.mark.parametrize("packed", [False, True])
def test_links_are_followed_within_the_file_and_others_counted(tmp_path: Path, packed: bool) -> None:
    path = tmp_path / "a.tar"
    put_links(
        path,
        ("early.png", (tarfile.SYMTYPE, "sub/a.png")),
        ("sub/a.png", grey(1)),
        ("b.png", grey(2)),
        ("hard.png", (tarfile.LNKTYPE, "sub/a.png")),
        ("sub/up.png", (tarfile.SYMTYPE, "../b.png")),
        ("chain.png", (tarfile.SYMTYPE, "hard.png")),
        ("gone.png", (tarfile.SYMTYPE, "nowhere.png")),
        ("out.png", (tarfile.SYMTYPE, "/etc/passwd")),
        ("folder", (tarfile.SYMTYPE, "sub")),
        ("round.png", (tarfile.SYMTYPE, "round.png")),
    )
    if packed:
        path.write_bytes(gzip.compress(path.read_bytes()))
    collection = open_collection(path)
    assert collection.names == ["sub/a.png", "early.png", "b.png", "hard.png", "sub/up.png", "chain.png"]
    for _ in range(2):
        assert [int(image[0, 0]) for image in singles(collection)] == [1, 1, 2, 1, 2, 1]
    assert {note.what: note.names for note in collection.account.left_out} == {
        "link to nothing": ("gone.png", "out.png", "round.png"),
        "link to a folder": ("folder",),
    }


@pytest.mark.parametrize("packed", [False, True])
def test_tars_put_together_are_read_to_the_end(tmp_path: Path, packed: bool) -> None:
    parts = []
    for part in range(3):
        put_tar(tmp_path / "part.tar", [(f"{part}{i}.png", grey(10 * part + i)) for i in range(2)])
        parts.append((tmp_path / "part.tar").read_bytes())
    path, data = tmp_path / "cat.tar", b"".join(parts)
    path.write_bytes(gzip.compress(data) if packed else data)
    assert [int(image[0, 0]) for image in singles(open_collection(path))] == [0, 1, 10, 11, 20, 21]
    path.write_bytes(parts[0] + b"something else" * 50)
    with pytest.raises(InputError, match=r"cat\.tar: more than a tar file follows the end of one"):
        open_collection(path)


def test_each_cls_belongs_to_its_own_stem(tmp_path: Path) -> None:
    files = [
        (f"img.v{i}.{form}", data) for i in range(3) for form, data in (("png", grey(i)), ("cls", b"%d" % (10 + i)))
    ]
    put_tar(tmp_path / "a.tar", files)
    labels = open_collection(tmp_path / "a.tar").labels
    assert labels is not None
    assert labels.tolist() == [10, 11, 12]


def test_tars_put_together_keep_the_labels_of_each(tmp_path: Path) -> None:
    parts = []
    for part in range(2):
        files = [
            (f"{i}.{form}", data) for i in range(2) for form, data in (("png", grey(i)), ("cls", b"%d%d" % (part, i)))
        ]
        put_tar(tmp_path / "part.tar", files)
        parts.append((tmp_path / "part.tar").read_bytes())
    (tmp_path / "cat.tar").write_bytes(b"".join(parts))
    labels = open_collection(tmp_path / "cat.tar").labels
    assert labels is not None
    assert labels.tolist() == ["00", "01", "10", "11"]


def test_cls_that_have_no_picture_or_are_no_text(tmp_path: Path) -> None:
    put_tar(tmp_path / "a.tar", [("0.png", grey(0)), ("0.cls", b"\xef\xbb\xbf1"), ("1.cls", b"2")])
    collection = open_collection(tmp_path / "a.tar")
    assert collection.labels is not None
    assert collection.labels.tolist() == [1]
    assert [note.names for note in collection.account.dropped] == [("1.cls",)]
    put_tar(tmp_path / "a.tar", [("0.png", grey(0)), ("0.cls", b"\xff")])
    with pytest.raises(InputError, match=r"a\.tar: 0\.cls: is not UTF-8"):
        open_collection(tmp_path / "a.tar")


def test_texts_in_cls_stay_texts(tmp_path: Path) -> None:
    put_tar(tmp_path / "a.tar", webdataset(b"01", b"1"))
    labels = open_collection(tmp_path / "a.tar").labels
    assert labels is not None
    assert labels.tolist() == ["01", "1"]


def test_bombs_are_refused_before_they_unfold(tmp_path: Path) -> None:
    info = tarfile.TarInfo("a.png")
    info.size = (1 << 27) + 1
    (tmp_path / "a.tar.gz").write_bytes(gzip.compress(info.tobuf() + bytes(info.size + 1024)))
    with pytest.raises(InputError, match=r"a\.tar\.gz: a\.png: more than 128 MiB"):
        open_collection(tmp_path / "a.tar.gz").load()
    info.type = tarfile.GNUTYPE_LONGNAME  # a name of an eighth of a gigabyte
    (tmp_path / "b.tar.gz").write_bytes(gzip.compress(info.tobuf() + bytes(info.size + 1024)))
    with pytest.raises(InputError, match=r"b\.tar\.gz: more than 128 MiB"):
        open_collection(tmp_path / "b.tar.gz").load()


@pytest.mark.parametrize("ending", [".tar", ".tar.gz"])
def test_a_damaged_header_is_not_taken_for_the_end(tmp_path: Path, ending: str) -> None:
    put_tar(tmp_path / "a.tar", FILES)
    whole = (tmp_path / "a.tar").read_bytes()
    second = whole.index(b"a/2.png")
    damaged = bytearray(whole)
    damaged[second] ^= 1
    for data in (bytes(damaged), whole[:second]):
        path = tmp_path / f"b{ending}"
        path.write_bytes(gzip.compress(data) if ending == ".tar.gz" else data)
        with pytest.raises(InputError, match=r"b\.tar.*: damaged or cut off: its end is missing"):
            open_collection(path)


def test_the_checksum_of_the_packed_bytes_is_checked(tmp_path: Path) -> None:
    put_tar(tmp_path / "a.tar", FILES)
    data = bytearray(gzip.compress((tmp_path / "a.tar").read_bytes()))
    data[-6] ^= 1
    (tmp_path / "a.tar.gz").write_bytes(bytes(data))
    with pytest.raises(InputError, match=r"a\.tar\.gz: cannot be read \(CRC check failed"):
        open_collection(tmp_path / "a.tar.gz")


def members(path: Path) -> list[str]:
    with tarfile.open(path) as archive:
        assert all(member.mtime == 0 and member.mode == 0o644 for member in archive)
        return archive.getnames()


@pytest.mark.parametrize(
    ("names", "labels", "expected"),
    [
        (["a.png", "b/c.png"], np.array([3, 4]), ["a.png", "a.cls", "b/c.png", "b/c.cls"]),
        (["a.png", "b/c.png"], np.array(["x", "y"]), ["a.png", "b/c.png", "labels.csv"]),
        (["a.1.png", "a.2.png"], np.array([3, 4]), ["a.1.png", "a.2.png", "labels.csv"]),
        (["a.png", "b/c.png"], None, ["a.png", "b/c.png"]),
        (["a.jpg", "b/c.png"], None, ["a.png", "b/c.png", "names.csv"]),
        (["a/c.png", "b/c.png"], None, ["a/c.png", "b/c.png", "names.csv"]),
    ],
)
def test_integer_labels_make_it_a_webdataset(
    tmp_path: Path, names: list[str], labels: np.ndarray | None, expected: list[str]
) -> None:
    path = tmp_path / "a.tar"
    write_collection(path, [np.zeros((2, 8, 8), np.uint8)], count=2, names=names, labels=labels)
    assert members(path) == expected
    assert open_collection(path).names == names
    found = open_collection(path).labels
    assert (None if found is None else found.tolist()) == (None if labels is None else labels.tolist())


@settings(max_examples=150, deadline=None)
@given(images=mixed_images(), harm=damage(), mode=st.sampled_from(["w", "w:gz"]))
def test_damaged_files_give_images_or_one_error(
    images: list[np.ndarray], harm: Callable[[bytes], bytes], mode: str
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.tar"
        put_tar(path, [(f"{i}.png", png(image)) for i, image in enumerate(images)], mode)
        path.write_bytes(harm(path.read_bytes()))
        assert len(list(images_or_one_error(path))) <= len(images)
