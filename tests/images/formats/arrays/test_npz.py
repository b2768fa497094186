"""The arrays of an .npz: which are images, which are labels, and MedMNIST's layout."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compressnet.errors import InputError
from compressnet.images import Reading, open_collection, write_collection
from picture_files import damage, images_or_one_error, same, singles

GREY = np.random.default_rng(0).integers(0, 256, (7, 5, 4), np.uint8)
COLOUR = np.random.default_rng(1).integers(0, 256, (3, 5, 4, 3), np.uint8)


def said(path: Path) -> list[str]:
    return open_collection(path).account.lines()


def labels_of(path: Path) -> list[object] | None:
    labels = open_collection(path).labels
    return None if labels is None else labels.tolist()


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_medmnist_comes_split_after_split(tmp_path: Path, save: Callable[..., None]) -> None:
    path = tmp_path / "a.npz"
    arrays = {"val_images": GREY[4:6], "test_images": GREY[6:], "train_images": GREY[:4]}
    save(path, **arrays, train_labels=np.array([[0], [1], [2], [3]]), val_labels=[[4], [5]], test_labels=[[6]])
    assert np.array_equal(open_collection(path).load(), GREY)
    assert labels_of(path) == list(range(7))


def test_labels_that_cannot_be_used_are_dropped_and_named(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, train_images=GREY, train_labels=np.zeros((7, 14)))
    assert labels_of(path) is None
    assert said(path) == [
        "1 dropped, labels, as the array has 14 columns: train_labels",
        "labels: none: train_labels has 14 columns",
        "names: none: no array names",
    ]
    np.savez(path, images=GREY, labels=np.array([{}] * 7))
    assert "labels: none: labels holds Python objects, which are never loaded" in said(path)


def test_labels_of_some_splits_alone_are_dropped(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, train_images=GREY, train_labels=np.zeros(7, int), test_images=GREY)
    assert labels_of(path) is None
    assert [line for line in said(path) if line.startswith("1 dropped, labels, as others have none")]
    np.savez(path, train_images=GREY, train_labels=np.zeros(7, int), test_images=GREY, test_labels=np.array(["a"] * 7))
    assert "labels: none: some are integers and others texts" in said(path)


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (np.array([b"cat", b"d\xc3\xb6g"] * 3 + [b""]), ["cat", "d\u00f6g"] * 3 + [""]),
        (np.arange(7.0), list(range(7))),
        (np.eye(7, dtype=np.float32), list(range(7))),
        (np.array([["01"]] * 7), ["01"] * 7),
    ],
)
def test_labels_of_other_types(tmp_path: Path, array: np.ndarray, expected: list[object]) -> None:
    np.savez(tmp_path / "a.npz", images=GREY, label=array)
    assert labels_of(tmp_path / "a.npz") == expected
    assert "labels: array label" in said(tmp_path / "a.npz")


def test_keras_splits_train_first(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, x_test=GREY[4:], y_test=np.arange(4, 7), x_train=GREY[:4], y_train=np.arange(4), ids=np.arange(7))
    assert np.array_equal(open_collection(path).load(), GREY)
    assert labels_of(path) == list(range(7))
    assert said(path) == [
        "1 left out, array that is neither images nor labels: ids",
        "labels: array y_train, y_test",
        "names: none: no array names",
    ]


@pytest.mark.parametrize(
    ("images", "labels"),
    [
        ("X", "y"),
        ("x", "Y"),
        ("data", "target"),
        ("data", "targets"),
        ("train_images", "train_labels"),
        ("arr_0", "arr_1"),
        ("X_train", "y_train"),
        ("foo", "labels"),
        ("images", "label"),
        ("trainX", "trainY"),
    ],
)
def test_names_of_images_and_their_labels(tmp_path: Path, images: str, labels: str) -> None:
    np.savez(tmp_path / "a.npz", **{images: GREY, labels: np.arange(7)})  # type: ignore[arg-type]
    assert np.array_equal(open_collection(tmp_path / "a.npz").load(), GREY)
    assert labels_of(tmp_path / "a.npz") == list(range(7))


def test_labels_that_are_not_wanted_are_not_read(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", images=GREY, labels=np.arange(3))
    collection = open_collection(tmp_path / "a.npz", Reading(labels=False))
    assert collection.labels is None
    assert collection.account.labels == "none: not wanted"


def test_class_names_come_along(tmp_path: Path) -> None:
    names = ["none", "one"]
    further = write_collection(
        tmp_path / "a.npz", [GREY], count=7, labels=np.array([0, 1] * 3 + [0]), class_names=names
    )
    assert further == []
    assert open_collection(tmp_path / "a.npz").class_names == names
    np.savez(tmp_path / "b.npz", images=GREY, label_names=np.array([b"a", b"b"]))
    assert open_collection(tmp_path / "b.npz").class_names == ["a", "b"]


def test_16_bits_come_back(tmp_path: Path) -> None:
    deep = GREY.astype(np.uint16) * 257
    write_collection(tmp_path / "a.npz", [deep], count=7)
    assert np.array_equal(open_collection(tmp_path / "a.npz").load(), deep)
    with pytest.raises(InputError, match=r"images: values of type uint16: --quality 100 keeps them without loss"):
        open_collection(tmp_path / "a.npz", Reading(deep=False))


def test_splits_become_8_bits_in_the_same_way(tmp_path: Path) -> None:
    bright, dark = np.full((1, 8, 8), 65535, np.uint16), np.full((1, 8, 8), 200, np.uint16)
    np.savez(tmp_path / "a.npz", train_images=bright, test_images=dark)
    images = open_collection(tmp_path / "a.npz", Reading(convert=True)).load()
    assert images[:, 0, 0].tolist() == [255, 1]


def test_members_that_are_packed_otherwise_are_named(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, images=GREY)
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\x01\x02") + 10] = 93
    path.write_bytes(bytes(data))
    with pytest.raises(
        InputError, match=r"images: packed by Zstandard \(method 93\), which is not read; pack it again"
    ):
        open_collection(path)


def test_splits_may_differ_in_size(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", train_images=GREY, test_images=COLOUR)
    assert same(singles(open_collection(tmp_path / "a.npz")), [*GREY, *COLOUR])


@pytest.mark.parametrize("key", ["images", "x"])
def test_images_are_the_array_of_that_name_or_the_only_one(tmp_path: Path, key: str) -> None:
    np.savez(tmp_path / "a.npz", **{key: np.asfortranarray(GREY), "labels": np.arange(7, dtype=np.uint8)})
    assert np.array_equal(open_collection(tmp_path / "a.npz").load(), GREY)
    assert labels_of(tmp_path / "a.npz") == list(range(7))


def test_written_arrays(tmp_path: Path) -> None:
    names = ["../any/name at all.jpg", "b", "b"]
    labels = np.array(["cat", "dog", ""])
    write_collection(tmp_path / "a.npz", [COLOUR[:2], COLOUR[2:]], count=3, names=names, labels=labels)
    with np.load(tmp_path / "a.npz") as arrays:
        assert np.array_equal(arrays["images"], COLOUR)
        assert arrays["labels"].tolist() == ["cat", "dog", ""]
        assert arrays["names"].tolist() == names
    assert open_collection(tmp_path / "a.npz").names == names
    assert labels_of(tmp_path / "a.npz") == ["cat", "dog", ""]


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"a": GREY, "b": GREY}, "call the one with the images 'images'"),
        ({"images": GREY, "labels": np.arange(3)}, "3 labels for 7 images"),
        ({"images": GREY, "names": np.array(["a"])}, "names: holds 1; there has to be one text for each of 7 images"),
        ({"images": GREY / 2}, "images: values of type float64; images have to be uint8"),
        ({"images": GREY, "names": np.arange(7)}, "names: holds values of type int64, no texts"),
        ({"images": np.array([{}] * 7)}, "has no arrays of numbers, and none has the shape of images"),
    ],
)
def test_arrays_that_do_not_fit(tmp_path: Path, arrays: dict[str, np.ndarray], message: str) -> None:
    np.savez(tmp_path / "a.npz", **arrays)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=rf"a\.npz: .*{message}"):
        open_collection(tmp_path / "a.npz")


@settings(max_examples=150, deadline=None)
@given(harm=damage(), save=st.sampled_from([np.savez, np.savez_compressed]))
def test_damaged_files_give_images_or_one_error(harm: Callable[[bytes], bytes], save: Callable[..., None]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.npz"
        save(path, images=GREY, labels=np.arange(7), names=np.array(list("abcdefg")))
        path.write_bytes(harm(path.read_bytes()))
        assert len(list(images_or_one_error(path))) <= 7
