"""What arrays and files hold, by their names."""

from __future__ import annotations

import pytest

from compressnet.errors import InputError
from compressnet.images.arrays.roles import choose_images, labels_of, role_of, whole_labels


@pytest.mark.parametrize(
    ("images", "labels"),
    [
        ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte"),
        ("t10k-images.idx3-ubyte", "t10k-labels-idx1-ubyte.gz"),
        ("t10k-images-idx3-ubyte/t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte/t10k-labels-idx1-ubyte"),
        ("emnist-digits-test-images-idx3-ubyte", "emnist-digits-test-labels-idx1-ubyte"),
        ("images_0.npy", "labels_0.npy"),
        ("X_train.npy", "y_train.npy"),
        ("train/images/3.npy", "train/labels/3.npy"),
        ("train_x", "train_y"),
        ("data", "target"),
        ("images", "image_labels"),
        ("shard-1.npy", "shard-1-labels.npy"),
    ],
)
def test_labels_are_named_as_their_images_are(images: str, labels: str) -> None:
    assert labels_of([images], [images, labels, "other_labels", "y_other"]) == {images: [labels]}
    assert role_of(labels)[0] == "labels"


def test_the_best_name_comes_first() -> None:
    names = ["target", "y", "labels", "train_labels", "label"]
    assert whole_labels(names) == ["labels", "label", "y", "target"]
    assert labels_of(["x"], names) == {"x": ["labels", "label", "y", "target"]}


IMAGES, LABELS, TABLE = (7, 28, 28), (7,), (7, 784)


@pytest.mark.parametrize(
    ("shapes", "chosen"),
    [
        ({"images": IMAGES, "x": IMAGES, "train_images": IMAGES}, ["images"]),
        ({"x_test": IMAGES, "y_test": LABELS, "x_train": IMAGES, "y_train": LABELS}, ["x_train", "x_test"]),
        (
            {"test_images": IMAGES, "val_images": IMAGES, "train_images": IMAGES},
            ["train_images", "val_images", "test_images"],
        ),
        ({"X": TABLE, "y": LABELS}, ["X"]),
        ({"image_ids": LABELS, "pixels": TABLE}, ["pixels"]),
        ({"arr_0": IMAGES, "arr_1": LABELS}, ["arr_0"]),
        ({"a": IMAGES, "b": TABLE}, ["a"]),
        ({"x": IMAGES, "masks": IMAGES}, ["x"]),
        ({"only": LABELS}, ["only"]),
    ],
)
def test_which_arrays_are_the_images(shapes: dict[str, tuple[int, ...]], chosen: list[str]) -> None:
    assert choose_images("a.npz", shapes) == chosen


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        (
            {"a": IMAGES, "b": IMAGES},
            r"the images could be a \(7,28,28\), b \(7,28,28\); call the one with .* 'images'",
        ),
        ({"x": IMAGES, "x_train": IMAGES}, r"could be x \(7,28,28\), x_train"),
        ({"x_train": IMAGES, "train_images": IMAGES}, r"could be x_train \(7,28,28\), train_images"),
        ({"a": LABELS, "b": LABELS}, r"has a \(7\), b \(7\), and none has the shape of images"),
        ({}, "has no arrays of numbers"),
    ],
)
def test_where_that_cannot_be_told(shapes: dict[str, tuple[int, ...]], message: str) -> None:
    with pytest.raises(InputError, match=rf"^a\.npz: {message}|^a\.npz: the images {message}"):
        choose_images("a.npz", shapes)
