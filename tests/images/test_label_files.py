"""Labels from files of their own."""

from __future__ import annotations

import gzip
import io
from pathlib import Path

import numpy as np
import pytest

from compressnet.errors import InputError
from compressnet.images import read_labels
from picture_files import idx


def npz(**arrays: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


def npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"3\n1\n", [3, 1]),
        (b"3\r\n1\r\n", [3, 1]),
        (b"\xef\xbb\xbf3\n1", [3, 1]),
        (b"01\n1\n", ["01", "1"]),
        ("a\u2028b\na\x0cb\n".encode(), ["a\u2028b", "a\x0cb"]),
        (b"a\n\nb\n", ["a", "", "b"]),
        (npz(arr_0=np.arange(2)), [0, 1]),
        (gzip.compress(npz(arr_0=np.arange(2)), mtime=0), [0, 1]),
        (npz(images=np.zeros((2, 8, 8)), labels=np.array([b"x", b"y"])), ["x", "y"]),
        (npz(x=np.zeros((2, 8, 8)), y=np.arange(2)), [0, 1]),
        (npy(np.array([[1.0], [2.0]])), [1, 2]),
        (npy(np.eye(3)), [0, 1, 2]),
        (idx(np.arange(2).astype(">f4")), [0, 1]),
        (idx(np.array([[0, 1], [1, 0]], np.uint8)), [1, 0]),
    ],
)
def test_labels_of_every_kind(tmp_path: Path, data: bytes, expected: list[object]) -> None:
    (tmp_path / "labels").write_bytes(data)
    assert read_labels(tmp_path / "labels").tolist() == expected


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            npz(y_train=np.arange(2), y_test=np.arange(2)),
            "has the arrays y_train, y_test; call the one with",
        ),
        (npz(), "has no arrays"),
        (npz(labels=np.zeros((2, 14))), "labels has 14 columns; labels are one integer or text for each image"),
        (npy(np.array([0.5])), "the array holds numbers that are not whole, such as 0.5"),
        (npy(np.array([{}])), "holds Python objects, which are never loaded"),
        (idx(np.arange(3, dtype=np.uint8))[:-1], "cut off; 3 values of 1 bytes promised"),
        (idx(np.arange(3, dtype=np.uint8)) + b"x", "has more bytes than its header says"),
        (b"\xff\xfe\xff", "cannot be read"),
    ],
)
def test_files_that_are_no_labels(tmp_path: Path, data: bytes, message: str) -> None:
    (tmp_path / "labels").write_bytes(data)
    with pytest.raises(InputError, match=f"labels: .*{message}"):
        read_labels(tmp_path / "labels")
