"""Arrays of every shape, type and order, from .npy files."""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compressnet.errors import InputError
from compressnet.images import Reading, collection_from_bytes, open_collection, write_collection
from picture_files import damage

RNG = np.random.default_rng(0)
PLANES = RNG.integers(0, 256, (7, 3, 6, 5), np.uint8)
ROWS = RNG.integers(0, 256, (9, 784), np.uint8)
CONVERT = Reading(convert=True)


def changes(path: Path, reading: Reading = CONVERT) -> list[str]:
    return [note.what for note in open_collection(path, reading).account.changed]


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("array", "images", "note"),
    [
        (PLANES, PLANES.transpose(0, 2, 3, 1), "channels first, (N,C,H,W), taken as channels last"),
        (ROWS, ROWS.reshape(9, 28, 28), "rows of 784 values taken as 28x28"),
        (PLANES[0, 0], PLANES[:1, 0], "array (H,W) taken as one image"),
    ],
)
def test_other_shapes(
    tmp_path: Path, array: np.ndarray, images: np.ndarray, note: str, order: Literal["C", "F"], packed: bool
) -> None:
    path = tmp_path / "a.npy"
    np.save(path, np.asarray(array, order=order))
    if packed:
        path.write_bytes(gzip.compress(path.read_bytes()))
    collection = open_collection(path)
    assert collection.count == len(images)
    assert np.array_equal(collection.load(), images)
    assert np.array_equal(collection.load(2), images[:2])
    assert collection.account.lines()[0] == f"1 changed, {note} (1 .npy): a.npy"


@pytest.mark.parametrize("order", ["C", "F"])
def test_floats_are_converted_where_that_is_wanted(tmp_path: Path, order: Literal["C", "F"]) -> None:
    path = tmp_path / "a.npy"
    np.save(path, np.asarray(PLANES / 255, np.float32, order=order))
    with pytest.raises(InputError, match=r"a\.npy: values of type float32; images have to be uint8, --convert makes"):
        open_collection(path)
    assert np.array_equal(open_collection(path, CONVERT).load(), PLANES.transpose(0, 2, 3, 1))
    assert changes(path)[1] == "float32 values within 0..1 taken as 0..255, rounded"


def test_values_are_looked_at_to_the_end(tmp_path: Path) -> None:
    images = np.zeros((3000, 8, 8), np.float32)
    images[-1, -1, -1] = 255
    np.save(tmp_path / "a.npy", images)
    assert np.array_equal(open_collection(tmp_path / "a.npy", CONVERT).load(), images)
    images[-1, -1, -1] = 256
    np.save(tmp_path / "a.npy", images)
    with pytest.raises(InputError, match=r"a\.npy: values of type float32 from 0 to 256; --convert takes"):
        open_collection(tmp_path / "a.npy", CONVERT)


@pytest.mark.parametrize("dtype", ["<u2", ">u2"])
def test_16_bits(tmp_path: Path, dtype: str) -> None:
    deep = PLANES[:, 0].astype(dtype) * 257
    np.save(tmp_path / "a.npy", deep)
    collection = open_collection(tmp_path / "a.npy")
    assert collection.load().dtype == np.uint16
    assert np.array_equal(collection.load(), deep)
    assert np.array_equal(open_collection(tmp_path / "a.npy", CONVERT).load(), PLANES[:, 0])
    with pytest.raises(InputError, match="uint16: --quality 100 keeps them without loss, --convert makes 8 bits"):
        open_collection(tmp_path / "a.npy", Reading(deep=False))
    write_collection(tmp_path / "b.npy", collection.batches(), count=7)
    assert np.load(tmp_path / "b.npy").dtype == np.uint16
    assert np.array_equal(np.load(tmp_path / "b.npy"), deep)


def test_8_and_16_bits_do_not_go_into_one_array(tmp_path: Path) -> None:
    images = PLANES[:, 0]
    with pytest.raises(InputError, match=r"a\.npy: images of 6x5x1 and of 6x5x1 of 16 bits; an array takes one"):
        write_collection(tmp_path / "a.npy", [images, images.astype(np.uint16)], count=14)
    assert list(tmp_path.iterdir()) == []


def test_structures_and_texts_are_no_images(tmp_path: Path) -> None:
    for array in (np.full((2, 8, 8), "a"), np.zeros((2, 8, 8), [("r", "u1"), ("g", "u1")])):
        np.save(tmp_path / "a.npy", array)
        with pytest.raises(InputError, match=r"a\.npy: values of type .*; images have to be uint8$"):
            open_collection(tmp_path / "a.npy", CONVERT)


@settings(max_examples=150, deadline=None)
@given(harm=damage(), dtype=st.sampled_from(["u1", ">u2", "i2", "f2", "f4", "f8", "bool"]), order=st.sampled_from("CF"))
def test_damaged_files_give_images_or_one_error(
    harm: Callable[[bytes], bytes], dtype: str, order: Literal["C", "F"]
) -> None:
    stream = io.BytesIO()
    np.save(stream, np.asarray(np.ones((5, 6, 7)), dtype, order=order))
    try:
        images = collection_from_bytes(harm(stream.getvalue()), "standard input", CONVERT).load()
    except InputError as error:
        assert str(error).startswith("standard input: ")  # noqa: PT017
    else:
        assert images.dtype == np.uint8
