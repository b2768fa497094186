"""Labels: from files of every kind, by name, and from where pictures lie."""

from __future__ import annotations

import gzip
import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compressnet.errors import InputError
from compressnet.images import open_collection, read_labels
from compressnet.images.labels import csv_of_labels, labels_by_name
from picture_files import PACKERS, grey

NAMES = ["a.png", "b/c.png", "a.png"]


def npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def idx(array: np.ndarray) -> bytes:
    return bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes() + array.tobytes()


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"3\n1\n4\n", [3, 1, 4]),
        (b"cat\ndog\n7\n", ["cat", "dog", "7"]),
        (b"000\n001\n010\n", ["000", "001", "010"]),
        (b"0_1\n1_1\n", ["0_1", "1_1"]),
        (npy(np.array([3, 1, 4])), [3, 1, 4]),
        (idx(np.array([3, 1, 4], np.uint8)), [3, 1, 4]),
        (gzip.compress(idx(np.array([3, 1, 4], np.uint8)), mtime=0), [3, 1, 4]),
    ],
)
def test_labels_of_every_kind(tmp_path: Path, data: bytes, expected: list[object]) -> None:
    path = tmp_path / "labels"
    path.write_bytes(data)
    assert read_labels(path).tolist() == expected


def test_labels_that_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "labels"
    path.write_bytes(b"\xff\xfe\xff")
    with pytest.raises(InputError, match="labels: cannot be read"):
        read_labels(path)


def test_labels_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_labels(tmp_path / "none")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a.png,1\nb/c.png,2\n", [1, 2, 1]),
        ("name,label\nb/c.png,-2\na.png,1\n", [1, -2, 1]),
        ('\ufefffile,class\n\n./a.png,cat\nb\\c.png,"big, dog"\nabsent.png,7\n', ["cat", "big, dog", "cat"]),
        ("a.png,1\na.png,1\nb/c.png,99999999999999999999\n", ["1", "99999999999999999999", "1"]),
    ],
)
def test_labels_by_name(tmp_path: Path, text: str, expected: list[object]) -> None:
    path = tmp_path / "x.csv"
    path.write_text(text, encoding="utf-8")
    assert read_labels(path, NAMES).tolist() == expected


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"a.png,1\n", "has no label for b/c.png; add a line 'b/c.png,LABEL'"),
        (b"a.png,1\nb/c.png,2\na.png,3\n", "has two labels for a.png"),
        (b"a.png\n", "not two columns"),
        (b"a.png,1,2\n", "not two columns"),
        (b"a.png,\xff\n", "cannot be read as CSV"),
        (b"a.png," + b"x" * 200_000, "cannot be read as CSV"),
    ],
)
def test_csv_files_that_do_not_fit(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(data)
    with pytest.raises(InputError, match=rf"x\.csv: .*{message}"):
        read_labels(path, NAMES)


def test_csv_without_names_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("a.png,1\n")
    with pytest.raises(InputError, match=r"x\.csv: these images have no names .* one label a line"):
        read_labels(tmp_path / "x.csv")


@given(
    labels=st.lists(
        st.text(st.characters(codec="utf-8", exclude_characters="\n")).map("x{}".format), min_size=1, max_size=5
    )
)
def test_any_text_comes_back_from_csv(labels: list[str]) -> None:
    names = [f"{i}.png" for i in range(len(labels))]
    array = np.array(labels)  # which drops NULs at the end
    assert labels_by_name(csv_of_labels(names, array), names, "x").tolist() == array.tolist()


@pytest.mark.parametrize("target", PACKERS)
@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["cat/1.png", "cat/2.png", "dog/1.png"], ["cat", "cat", "dog"]),
        (["1.png", "cat/2.png", "dog/1.png"], ["", "cat", "dog"]),
        (["x/cat/1.png", "x/dog/1.png"], ["cat", "dog"]),
        (["test/cat/1.png", "train/cat/1.png", "train/dog/1.png"], ["cat", "cat", "dog"]),
        (["cat/1.png", "cat/old/2.png", "dog/1.png", "dog/2.png"], ["cat", "cat", "dog", "dog"]),
        (["0/a.png", "1/a.png", "10/a.png"], [0, 1, 10]),
        (["0/a.png", "01/a.png", "1/a.png", "1_1/a.png"], ["0", "01", "1", "1_1"]),
        (["1.png", "2.png"], None),
        (["1.png", "2.png", "sub/3.png"], None),
        (["16x16/apps/a.png", "16x16/places/a.png", "24x24/apps/a.png"], None),
    ],
)
def test_folders_are_classes_where_pictures_lie_in_them(
    tmp_path: Path, target: str, names: list[str], expected: list[str] | None
) -> None:
    PACKERS[target](tmp_path / target, [(name, grey(1)) for name in names])
    labels = open_collection(tmp_path / target).labels
    assert (None if labels is None else labels.tolist()) == expected


@pytest.mark.parametrize("target", PACKERS)
def test_labels_csv_goes_before_folders(tmp_path: Path, target: str) -> None:
    files = [("cat/1.png", grey(1)), ("dog/1.png", grey(2)), ("labels.csv", b"cat/1.png,3\ndog/1.png,4\n")]
    PACKERS[target](tmp_path / target, files)
    labels = open_collection(tmp_path / target).labels
    assert labels is not None
    assert labels.tolist() == [3, 4]


@pytest.mark.parametrize("target", PACKERS)
def test_a_labels_csv_that_lacks_a_picture_is_named(tmp_path: Path, target: str) -> None:
    PACKERS[target](tmp_path / target, [("1.png", grey(1)), ("labels.csv", b"2.png,3\n")])
    with pytest.raises(InputError, match=rf"{target}: labels\.csv: has no label for 1\.png"):
        open_collection(tmp_path / target)
