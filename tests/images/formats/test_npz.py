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
from compressnet.images import open_collection, write_collection
from picture_files import damage, images_or_one_error, same, singles

GREY = np.random.default_rng(0).integers(0, 256, (7, 5, 4), np.uint8)
COLOUR = np.random.default_rng(1).integers(0, 256, (3, 5, 4, 3), np.uint8)


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


def test_labels_of_several_columns_are_left_out(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", train_images=GREY, train_labels=np.zeros((7, 14)))
    assert labels_of(tmp_path / "a.npz") is None
    np.savez(tmp_path / "b.npz", train_images=GREY, train_labels=np.zeros(7, int), test_images=GREY)
    assert labels_of(tmp_path / "b.npz") is None


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
        ({"images": GREY, "names": np.array(["a"])}, "are not one text for each of 7 images"),
        ({"images": GREY / 2}, "images: values of type float64; images have to be uint8"),
        ({"images": GREY, "labels": np.array([{}] * 7)}, "labels: holds Python objects, which are never loaded"),
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
