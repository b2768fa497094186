"""ZIP files of IDX files."""

from __future__ import annotations

import gzip
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings

from compressnet.errors import InputError
from compressnet.images import Reading, open_collection
from compressnet.images.formats.arrays.idx_zips import zip_of_idx_collection
from picture_files import damage, idx, images_or_one_error, put_zip

GREY = np.random.default_rng(0).integers(0, 256, (9, 8, 8), np.uint8)
LABELS = np.arange(9, dtype=np.uint8)
FILES = [
    ("archive/train-images.idx3-ubyte", idx(GREY[3:])),
    ("archive/train-labels.idx1-ubyte", idx(LABELS[3:])),
    ("archive/t10k-images-idx3-ubyte.gz", gzip.compress(idx(GREY[:3]))),
    ("archive/t10k-labels-idx1-ubyte.gz", gzip.compress(idx(LABELS[:3]))),
    ("archive/README.txt", b"about"),
]


def test_a_zip_of_idx_is_one_collection(tmp_path: Path) -> None:
    put_zip(tmp_path / "a.zip", FILES)
    collection = open_collection(tmp_path / "a.zip")
    assert np.array_equal(collection.load(), GREY)
    assert collection.labels is not None
    assert collection.labels.tolist() == list(range(9))
    assert collection.account.lines()[0] == "1 left out, no IDX file (1 .txt): archive/README.txt"
    assert zip_of_idx_collection(tmp_path / "a.zip", Reading(labels=False)).labels is None  # type: ignore[union-attr]


def test_kaggles_second_copies_are_left_out(tmp_path: Path) -> None:
    images, labels = idx(GREY), idx(LABELS)
    put_zip(
        tmp_path / "a.zip",
        [
            ("t10k-images-idx3-ubyte/t10k-images-idx3-ubyte", images),
            ("t10k-images.idx3-ubyte", images),
            ("t10k-labels-idx1-ubyte/t10k-labels-idx1-ubyte", labels),
            ("t10k-labels.idx1-ubyte", labels),
        ],
    )
    collection = open_collection(tmp_path / "a.zip")
    assert collection.count == 9
    assert collection.labels is not None
    assert [note.names for note in collection.account.left_out] == [
        ("t10k-images.idx3-ubyte",),
        ("t10k-labels.idx1-ubyte",),
    ]
    put_zip(tmp_path / "b.zip", [("a-images.idx3-ubyte", images), ("a-images-idx3-ubyte", idx(GREY[::-1]))])
    assert open_collection(tmp_path / "b.zip").count == 18


def test_a_zip_without_idx_is_none(tmp_path: Path) -> None:
    put_zip(tmp_path / "a.zip", [("a.txt", b"text")])
    assert zip_of_idx_collection(tmp_path / "a.zip") is None


def test_members_that_are_packed_otherwise_are_named(tmp_path: Path) -> None:
    put_zip(tmp_path / "a.zip", FILES[:1])
    data = bytearray((tmp_path / "a.zip").read_bytes())
    data[data.index(b"PK\x01\x02") + 10] = 9
    (tmp_path / "a.zip").write_bytes(bytes(data))
    with pytest.raises(InputError, match=r"train-images\.idx3-ubyte: packed by Deflate64 \(method 9\)"):
        open_collection(tmp_path / "a.zip")


@settings(max_examples=150, deadline=None)
@given(harm=damage())
def test_damaged_files_give_images_or_one_error(harm: Callable[[bytes], bytes]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.zip"
        put_zip(path, FILES)
        path.write_bytes(harm(path.read_bytes()))
        assert len(list(images_or_one_error(path))) <= 9
