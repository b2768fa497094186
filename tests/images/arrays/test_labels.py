"""Arrays as labels, and why others are none."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compressnet.images.arrays.labels import labels_from_array, texts_from_array


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (np.array([3, -1], np.int8), [3, -1]),
        (np.array([[1], [2]], np.uint8), [1, 2]),
        (np.array([True, False]), [1, 0]),
        (np.array(["a", "01", ""]), ["a", "01", ""]),
        (np.array([b"a", b"01", "ä".encode()]), ["a", "01", "ä"]),
        (np.array([1.0, -0.0, 3e18]), [1, 0, 3 * 10**18]),
        (np.array([[0, 1, 0], [1, 0, 0]], ">i2"), [1, 0]),
        (np.array([[0.0, 1.0], [1.0, 0.0]], np.float16), [1, 0]),
        (np.array([[False, True], [False, True]]), [1, 1]),
        (np.array([(1 << 63) - 1], np.uint64), [(1 << 63) - 1]),
    ],
)
def test_arrays_that_are_labels(array: np.ndarray, expected: list[object]) -> None:
    labels = labels_from_array(array)
    assert not isinstance(labels, str)
    assert labels.tolist() == expected
    assert labels.dtype.kind == "U" or labels.dtype == np.int64


@pytest.mark.parametrize(
    ("array", "why"),
    [
        (np.zeros((2, 14)), "has 14 columns"),
        (np.array([[1, 1], [0, 1]]), "has 2 columns"),
        (np.array([[0.5, 1], [1, 0]]), "has 2 columns"),
        (np.array([["a", "b"]]), "has 2 columns"),
        (np.zeros((2, 3, 4)), "has 3 axes"),
        (np.array(3), "has 0 axes"),
        (np.array([1, 0.5]), "holds numbers that are not whole, such as 0.5"),
        (np.array([1, np.nan]), "holds numbers that are not whole, such as nan"),
        (np.array([1e300]), "holds integers beyond 64 bits"),
        (np.array([2.0**63]), "holds integers beyond 64 bits"),
        (np.array([1 << 63], np.uint64), "holds integers beyond 64 bits"),
        (np.array([b"\xff"]), "holds bytes that are no text in UTF-8"),
        (np.array([1j]), "holds values of type complex128, neither integers nor texts"),
        (np.array(["2020-01-01"], "M8[D]"), "holds values of type datetime64[D], neither integers nor texts"),
    ],
)
def test_arrays_that_are_none(array: np.ndarray, why: str) -> None:
    assert labels_from_array(array) == why


@given(values=st.lists(st.integers(-(2**53), 2**53), min_size=1))
def test_whole_numbers_are_integers(values: list[int]) -> None:
    labels = labels_from_array(np.array(values, np.float64))
    assert not isinstance(labels, str)
    assert labels.tolist() == values


def test_texts() -> None:
    assert texts_from_array(np.array([b"a", b"b"])) == ["a", "b"]
    assert texts_from_array(np.array([1, 2])) == "holds values of type int64, no texts"
    assert texts_from_array(np.array([["a"]])) == "has the shape (1, 1)"
