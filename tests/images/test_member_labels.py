"""Labels from what lies beside pictures, whatever they are packed in, and said where from."""

from __future__ import annotations

from pathlib import Path

import pytest

from compressnet.errors import InputError
from compressnet.images import Collection, Reading, open_collection
from picture_files import PACKERS, Files, grey

ANY = pytest.mark.parametrize("target", PACKERS)


def opened(folder: Path, target: str, files: Files, reading: Reading | None = None) -> Collection:
    PACKERS[target](folder / target, files)
    return open_collection(folder / target, reading or Reading())


def labels_of(collection: Collection) -> list[object] | None:
    return None if collection.labels is None else collection.labels.tolist()


PAIR = [("a/1.png", grey(1)), ("a/2.png", grey(2))]


@ANY
@pytest.mark.parametrize(
    ("file", "text", "expected", "said"),
    [
        ("a/labels.csv", "1.png,x\n2.png,y\n", ["x", "y"], "a/labels.csv"),
        ("labels.csv", "a/1.png,01\na/2.png,1\n", ["01", "1"], "labels.csv"),
        ("labels.csv", "name,text label\na/1.png,0\na/2.png,1\n", ["0", "1"], "labels.csv"),
        ("labels.csv", "\ufeffname,label\na/1.png,0\na/2.png,1\n", [0, 1], "labels.csv"),
        ("a/metadata.csv", "file_name,label\n1.png,x\n2.png,y\n", ["x", "y"], "a/metadata.csv"),
        ("metadata.csv", "file_name,breed\na/1.png,3\na/2.png,4\n", [3, 4], "metadata.csv"),
        ("metadata.jsonl", '{"file_name": "a/1.png", "label": 3}\n{"file_name": "a/2.png", "label": 4}\n', [3, 4], ""),
    ],
)
def test_tables_are_found_beside_the_pictures(
    tmp_path: Path, target: str, file: str, text: str, expected: list[object], said: str
) -> None:
    collection = opened(tmp_path, target, [*PAIR, (file, text.encode())])
    assert labels_of(collection) == expected
    assert collection.account.labels == (said or file)
    assert collection.account.is_complete


PICTURE, TABLE = ("1.png", grey(1)), ("labels.csv", b"1.png,x")


@ANY
def test_tables_of_several_folders_are_put_together(tmp_path: Path, target: str) -> None:
    files = [
        (f"{part}/{name}", data) for part in "ab" for name, data in (("1.png", grey(1)), ("labels.csv", b"1.png,x"))
    ]
    collection = opened(tmp_path, target, files)
    assert labels_of(collection) == ["x", "x"]
    assert collection.account.labels == "a/labels.csv and 1 more"


@ANY
def test_what_is_not_used_of_tables_is_said(tmp_path: Path, target: str) -> None:
    metadata = b"file_name,label,caption\na/1.png,3,one\na/2.png,4,two\nabsent.png,5,three\n"
    collection = opened(tmp_path, target, [*PAIR, ("metadata.csv", metadata)])
    assert labels_of(collection) == [3, 4]
    assert {note.what: note.names for note in collection.account.dropped} == {
        "column of metadata": ("metadata.csv: caption",),
        "label in metadata without a picture": ("absent.png",),
    }


@ANY
def test_labels_beside_others_are_left_out_and_said(tmp_path: Path, target: str) -> None:
    own = ("labels.csv", b"a/1.png,5\na/2.png,6\nabsent.png,7\n")
    collection = opened(tmp_path, target, [*PAIR, own, ("metadata.csv", b"file_name,label\n"), ("a/1.cls", b"9")])
    assert labels_of(collection) == [5, 6]
    assert [note.names for note in collection.account.left_out] == [("metadata.csv", "a/1.cls")]
    assert [note.names for note in collection.account.dropped] == [("absent.png",)]


@ANY
@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("labels.csv", "a/1.png,x\n", r"labels\.csv: has no label for a/2\.png; add a line"),
        ("metadata.csv", "file_name,label\na/1.png,x\n", r"metadata\.csv: has no label for a/2\.png"),
        ("metadata.jsonl", "{", r"metadata\.jsonl: cannot be read"),
        ("metadata.jsonl", "[" * 100_000, r"metadata\.jsonl: cannot be read"),
        ("metadata.jsonl", '{"file_name": "a/1.png", "label": null}\n', r"metadata\.jsonl: has no label for a/1\.png"),
        ("labels.csv", 'a/1.png,"x\ny"\n', r"labels\.csv: the label of a/1\.png has a line break"),
        ("metadata.jsonl", "3", r"metadata\.jsonl: has a line that is no JSON object"),
        ("a/1.cls", "3", r"a/2\.png has no a/2\.cls, though others have; add it, or take no labels \(--no-labels\)"),
    ],
)
def test_labels_that_lack_a_picture(tmp_path: Path, target: str, file: str, text: str, message: str) -> None:
    with pytest.raises(InputError, match=rf"{target}: {message}"):
        opened(tmp_path, target, [*PAIR, (file, text.encode())])


@ANY
def test_one_stray_picture_leaves_the_others_their_class(tmp_path: Path, target: str) -> None:
    files = [("cat/1.png", grey(1)), ("cat/2.png", grey(2)), ("dog/1.png", grey(3)), ("preview.png", grey(4))]
    collection = opened(tmp_path, target, files)
    assert labels_of(collection) == ["cat", "cat", "dog", ""]
    assert collection.account.lines() == [
        "1 dropped, class, as it lies in no class folder (1 .png): preview.png",
        "labels: 2 class folders (cat, dog)",
        "names: those of the files",
    ]


@ANY
def test_splits_are_put_together_and_said(tmp_path: Path, target: str) -> None:
    files = [(f"set/{split}/{digit}/0.png", grey(1)) for split in ("test", "train") for digit in (0, 7)]
    collection = opened(tmp_path, target, files)
    assert labels_of(collection) == [0, 7, 0, 7]
    assert collection.account.labels == "2 class folders (0, 7); of test, train put together"


@ANY
def test_classes_txt_says_what_integers_stand_for(tmp_path: Path, target: str) -> None:
    files = [*PAIR, ("labels.csv", b"a/1.png,1\na/2.png,0\n"), ("classes.txt", b"cat\ndog\n")]
    collection = opened(tmp_path, target, files)
    assert collection.class_names == ["cat", "dog"]
    assert labels_of(collection) == [1, 0]


@ANY
def test_labels_that_are_not_wanted(tmp_path: Path, target: str) -> None:
    collection = opened(tmp_path, target, [*PAIR, ("labels.csv", b"nonsense")], Reading(labels=False))
    assert collection.labels is None
    assert collection.account.labels == "none: not wanted"
