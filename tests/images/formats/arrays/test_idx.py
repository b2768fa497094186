"""IDX files of every type."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from compressnet.errors import InputError
from compressnet.images import Reading, open_collection, read_labels, write_collection
from picture_files import idx

GREY = np.random.default_rng(0).integers(0, 100, (7, 5, 6), np.uint8)


@pytest.mark.parametrize("dtype", ["i1", ">i2", ">i4", ">f4", ">f8"])
def test_other_types_are_named_and_converted(tmp_path: Path, dtype: str) -> None:
    path = tmp_path / "a-ubyte"
    path.write_bytes(idx(GREY.astype(dtype)))
    name = np.dtype(dtype).name
    with pytest.raises(InputError, match=rf"a-ubyte: IDX of {name}; images have to be uint8, --convert"):
        open_collection(path)
    collection = open_collection(path, Reading(convert=True))
    assert np.array_equal(collection.load(), GREY)
    assert collection.account.changed[0].what == f"{name} values within 0..255 taken as 8 bits"


def test_labels_are_no_images_and_the_other_way_round(tmp_path: Path) -> None:
    (tmp_path / "labels").write_bytes(idx(np.arange(7, dtype=np.uint8)))
    with pytest.raises(InputError, match=r"labels: an array of shape \(7,\) is no collection .* or labels by --labels"):
        open_collection(tmp_path / "labels")
    (tmp_path / "images").write_bytes(idx(GREY))
    with pytest.raises(InputError, match="images: the array has 3 axes; labels are one integer or text for each"):
        read_labels(tmp_path / "images")


def test_mnists_labels_beside_it_are_named_but_not_taken(tmp_path: Path) -> None:
    path = tmp_path / "t10k-images-idx3-ubyte.gz"
    path.write_bytes(gzip.compress(idx(GREY)))
    labels = tmp_path / "t10k-labels-idx1-ubyte.gz"
    labels.write_bytes(gzip.compress(idx(np.arange(7, dtype=np.uint8))))
    collection = open_collection(path)
    assert collection.labels is None
    assert collection.account.labels == "none: t10k-labels-idx1-ubyte.gz lies beside it; --labels reads it"
    assert read_labels(labels).tolist() == list(range(7))


@pytest.mark.parametrize("ending", ["a-ubyte", "a-ubyte.gz"])
def test_16_bits_are_not_written(tmp_path: Path, ending: str) -> None:
    with pytest.raises(InputError, match=f"{ending}: IDX has no type for images of uint16; write .npy or .npz"):
        write_collection(tmp_path / ending, [GREY.astype(np.uint16)], count=7, labels=np.arange(7))
    assert list(tmp_path.iterdir()) == []
