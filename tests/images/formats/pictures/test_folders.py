"""Folders: every picture below, by its relative path; what is no picture is passed over."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from compressnet.errors import InputError
from compressnet.images import open_collection, write_collection
from picture_files import grey, png, put_folder, same, singles

IMAGES = [np.full((8 + i, 9, 3), i, np.uint8) for i in range(3)]
IMAGES_OF_ONE = [image[None] for image in IMAGES]


def test_pictures_come_in_the_order_of_their_paths(tmp_path: Path) -> None:
    names = ["10.png", "2.PNG", "a/b/1.png", "a/z.png", "a-1/1.png", "b.png"]
    put_folder(tmp_path, [(name, grey(value)) for value, name in reversed(list(enumerate(names)))])
    collection = open_collection(tmp_path)
    assert collection.names == names
    assert [int(image[0, 0]) for image in singles(collection)] == list(range(6))


def test_what_is_no_picture_is_left_out_and_counted(tmp_path: Path) -> None:
    others = ["README.md", "Thumbs.db", ".DS_Store", ".a.png", ".git/b.png", "notes/c.txt", "@eaDir/thumb.png"]
    put_folder(tmp_path, [("a.png", grey(1)), *((name, b"something else") for name in others)])
    collection = open_collection(tmp_path)
    assert collection.names == ["a.png"]
    assert collection.account.lines()[:2] == [
        "4 left out, hidden, or of the system (3 .png, 1 without ending): .DS_Store, .a.png, .git/b.png, ...",
        "3 left out, no picture, or of a format that is not read (1 .md, 1 .db, 1 .txt): README.md, Thumbs.db, "
        "notes/c.txt",
    ]
    (tmp_path / "a.png").unlink()
    with pytest.raises(InputError, match=f"{tmp_path}: no pictures in it"):
        open_collection(tmp_path)


def test_links_are_followed_within_the_folder_and_others_counted(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    put_folder(folder, [("a.png", grey(1)), ("sub/c.png", grey(3))])
    put_folder(tmp_path / "elsewhere", [("d.png", grey(4))])
    (tmp_path / "outside.png").write_bytes(grey(2))
    (folder / "b.png").symlink_to(tmp_path / "outside.png")
    (folder / "loop").symlink_to(folder)
    (folder / "sub" / "loop").symlink_to(folder)
    (folder / "same").symlink_to(folder / "sub")
    (folder / "elsewhere").symlink_to(tmp_path / "elsewhere")
    (folder / "gone.png").symlink_to(tmp_path / "gone.png")
    collection = open_collection(folder)
    assert collection.names == ["a.png", "b.png", "same/c.png", "sub/c.png"]
    assert {note.what: note.names for note in collection.account.left_out} == {
        "link to a folder outside": ("elsewhere",),
        "link to nothing": ("gone.png",),
        "link to a folder that it lies in": ("loop", "same/loop", "sub/loop"),
    }
    (tmp_path / "outside.png").unlink()
    with pytest.raises(InputError, match=r"b\.png: cannot be read"):
        collection.load()


def test_names_that_are_no_text_become_some(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"a\xff.png")).write_bytes(grey(1))
    (tmp_path / "b\n.png").write_bytes(grey(2))
    collection = open_collection(tmp_path)
    assert collection.names == ["a_.png", "b_.png"]
    assert len(singles(collection)) == 2


def test_pictures_that_vanish_meanwhile_are_named(tmp_path: Path) -> None:
    put_folder(tmp_path, [("a.png", grey(1)), ("b.png", grey(1))])
    collection = open_collection(tmp_path)
    (tmp_path / "b.png").unlink()
    with pytest.raises(InputError, match=r"b\.png: cannot be read"):
        collection.load()


def test_folders_and_names_come_back(tmp_path: Path) -> None:
    names = ["cat/1.jpg", "cat/1.png", "dog/2.webp"]
    write_collection(tmp_path / "out", IMAGES_OF_ONE, count=3, names=names, labels=np.array(["cat", "cat", "dog"]))
    assert sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()) == [
        "out/cat/1-1.png",
        "out/cat/1.png",
        "out/dog/2.png",
        "out/labels.csv",
        "out/names.csv",
    ]
    labels, names_csv = ((tmp_path / "out" / file).read_text() for file in ("labels.csv", "names.csv"))
    assert labels == "name,label\ncat/1-1.png,cat\ncat/1.png,cat\ndog/2.png,dog\n"
    assert names_csv == "file,name\ncat/1-1.png,cat/1.jpg\ncat/1.png,cat/1.png\ndog/2.png,dog/2.webp\n"
    assert open_collection(tmp_path / "out").names == names


def test_files_go_into_a_folder_that_is_there_and_leave_the_others(tmp_path: Path) -> None:
    put_folder(tmp_path / "out", [("a.png", b"old"), ("keep.txt", b"mine"), ("sub/b.png", b"old")])
    with pytest.raises(InputError, match="out: exists already; -f overwrites it"):
        write_collection(tmp_path / "out", IMAGES_OF_ONE, count=3)
    names = ["a.png", "sub/b.png", "sub/new/c.png"]
    write_collection(tmp_path / "out", IMAGES_OF_ONE, count=3, names=names, overwrite=True)
    assert (tmp_path / "out" / "keep.txt").read_bytes() == b"mine"
    assert same(singles(open_collection(tmp_path / "out")), IMAGES)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_an_empty_folder_takes_the_files(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    write_collection(tmp_path / "out", IMAGES_OF_ONE, count=3)
    assert same(singles(open_collection(tmp_path / "out")), IMAGES)


def test_places_where_nothing_can_be_written(tmp_path: Path) -> None:
    for target in ("none/out", "none/out.zip", "none/out.npy"):
        with pytest.raises(InputError, match=f"{target}: cannot be written"):
            write_collection(tmp_path / target, IMAGES_OF_ONE[:1], count=1)


def test_names_that_lead_out_write_nothing(tmp_path: Path) -> None:
    for target in ("out", "out.zip", "out.tar", "out.parquet"):
        with pytest.raises(InputError, match=f"{target}: the name '../x.png' leads out of the target"):
            write_collection(tmp_path / target, IMAGES_OF_ONE[:1], count=1, names=["../x.png"])
    assert list(tmp_path.iterdir()) == []


def test_one_picture_alone_is_a_collection(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png(IMAGES[0]))
    assert open_collection(tmp_path).load().shape == (1, 8, 9, 3)


def test_folders_far_too_deep_are_left_out(tmp_path: Path) -> None:
    put_folder(tmp_path, [("a.png", grey(1)), ("x/" * 120 + "b.png", grey(2))])
    collection = open_collection(tmp_path)
    assert collection.names == ["a.png"]
    assert [note.what for note in collection.account.left_out] == ["more than 100 folders deep"]
