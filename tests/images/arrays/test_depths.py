"""Types of values: what becomes 8 bits, and what is said of all else."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compressnet.errors import InputError
from compressnet.images.arrays.depths import depth_of, require_type
from compressnet.images.reading import AS_IT_IS, Reading

WHERE = "a.npy: values of type"
CONVERT = Reading(convert=True)


def converted(values: np.ndarray) -> tuple[list[int], str]:
    depth = depth_of(WHERE, values.dtype, iter([values[:1], values[1:]]), CONVERT)
    images = depth.apply(values)
    assert images.dtype == np.uint8
    return images.tolist(), depth.note


@pytest.mark.parametrize(
    ("values", "expected", "note"),
    [
        (np.array([0, 255], np.uint8), [0, 255], ""),
        (np.array([True, False]), [255, 0], "bool values taken as 0 and 255"),
        (np.array([0, 255], np.int64), [0, 255], "int64 values within 0..255 taken as 8 bits"),
        (np.array([0, 1], np.int8), [0, 1], "int8 values within 0..255 taken as 8 bits"),
        (np.array([0, 255], ">u2"), [0, 255], "uint16 values within 0..255 taken as 8 bits"),
        (
            np.array([0, 128, 129, 65535], ">u2"),
            [0, 0, 1, 255],
            "uint16 values within 0..65535 taken as 0..255, rounded",
        ),
        (np.array([0, 0.5, 1], np.float32), [0, 128, 255], "float32 values within 0..1 taken as 0..255, rounded"),
        (np.array([0, 1], np.float16), [0, 255], "float16 values within 0..1 taken as 0..255, rounded"),
        (np.array([0, 254.0]), [0, 254], "float64 values within 0..255 taken as 8 bits"),
    ],
)
def test_values_that_become_8_bits(values: np.ndarray, expected: list[int], note: str) -> None:
    assert converted(values) == (expected, note)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.array([-1, 255]), "int64 from -1 to 255; --convert takes values within 0..255: scale them first"),
        (np.array([0, 256], np.int32), "int32 from 0 to 256; --convert takes values within 0..255"),
        (np.array([0, 0.5, 255]), "float64 from 0 to 255 that are not whole; --convert takes values within 0..1, or"),
        (np.array([-1.0, 1]), "float64 from -1 to 1; --convert takes values within 0..1, or whole ones within 0..255"),
        (np.array([0, np.nan]), "float64, some of which are NaN or infinite"),
        (np.array([0, np.inf]), "float64, some of which are NaN or infinite"),
        (np.array(["a"]), "<U1; images have to be uint8"),
        (np.array([1j]), "complex128; images have to be uint8"),
    ],
)
def test_values_that_do_not(values: np.ndarray, message: str) -> None:
    with pytest.raises(InputError, match=f"^{WHERE} {re.escape(message)}"):
        converted(values)


@pytest.mark.parametrize("dtype", ["bool", "int8", "int16", ">i4", "uint32", "float32", "float64"])
def test_types_that_are_refused_unasked(dtype: str) -> None:
    kind = np.dtype(dtype)
    with pytest.raises(InputError, match=rf"{kind.name}; images have to be uint8, --convert makes 8 bits"):
        require_type(WHERE, kind, AS_IT_IS)
    require_type(WHERE, kind, CONVERT)


@pytest.mark.parametrize("dtype", ["<u2", ">u2"])
def test_16_bits_are_taken_where_they_are_wanted(dtype: str) -> None:
    values = np.array([1, 65535], dtype)
    images = depth_of(WHERE, values.dtype, (), AS_IT_IS).apply(values)
    assert images.dtype == np.uint16
    assert images.tolist() == [1, 65535]
    with pytest.raises(InputError, match="uint16: --quality 100 keeps them without loss, --convert makes 8 bits"):
        require_type(WHERE, values.dtype, Reading(deep=False))


@given(st.lists(st.integers(0, 65535), min_size=1))
def test_16_bits_become_the_nearest_8(values: list[int]) -> None:
    found, note = converted(np.array([*values, 65535], np.uint16))
    assert "rounded" in note
    assert all(abs(small * 257 - value) <= 128 for small, value in zip(found, values, strict=False))


@given(st.lists(st.integers(0, 255), min_size=1))
def test_8_bits_made_floats_come_back(values: list[int]) -> None:
    array = np.array([*values, 255])
    assert converted((array / 255).astype(np.float32))[0] == array.tolist()
    assert converted(array.astype(np.float64))[0] == array.tolist()
