"""Collections in and out of every format, and one clear line for what is no collection."""

from __future__ import annotations

import gzip
import io
import tempfile
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compressnet.errors import InputError
from compressnet.images import collection_from_bytes, open_collection, require_free, write_collection
from compressnet.images.collection import in_batches
from picture_files import mixed_images, same, singles

GREY = np.random.default_rng(0).integers(0, 256, (7, 5, 4), np.uint8)
COLOUR = np.random.default_rng(1).integers(0, 256, (7, 5, 4, 3), np.uint8)
ARRAYS = ["a.npy", "a.npz", "a-ubyte", "a-ubyte.gz"]
PICTURES = ["folder", "a.zip", "a.tar", "a.parquet"]
ENDINGS = [*ARRAYS, *PICTURES]


def write(target: Path, images: np.ndarray, labels: np.ndarray | None = None, *, overwrite: bool = False) -> None:
    parts = [images[i : i + 3] for i in range(0, len(images), 3)]
    write_collection(target, parts, count=len(images), labels=labels, overwrite=overwrite)


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("images", [GREY, COLOUR], ids=["grey", "colour"])
def test_what_is_written_is_read(tmp_path: Path, ending: str, images: np.ndarray) -> None:
    target = tmp_path / ending
    write(target, images)
    collection = open_collection(target)
    assert collection.count == 7
    assert np.array_equal(collection.load(), images)
    assert np.array_equal(collection.load(2), images[:2])
    assert np.array_equal(np.concatenate(list(collection.batches())), images)
    assert [path.name for path in tmp_path.iterdir()] == [ending]


@pytest.mark.parametrize("channels", [1, 2, 4])
@pytest.mark.parametrize("ending", PICTURES)
def test_pictures_of_other_modes(tmp_path: Path, channels: int, ending: str) -> None:
    images = np.random.default_rng(2).integers(0, 256, (3, 5, 4, channels), np.uint8)
    write(tmp_path / ending, images)
    assert np.array_equal(open_collection(tmp_path / ending).load().reshape(images.shape), images)


@st.composite
def named(draw: st.DrawFn, count: int) -> list[str] | None:
    """Names of pictures, in folders too, all different as PNGs and in the order of a folder.

    Or none.
    """
    part = st.text("abcXYZ 012ä日_-", min_size=1, max_size=8).map(lambda text: f"x{text}x")
    path = st.lists(part, min_size=1, max_size=3).map("/".join)
    stems = draw(st.none() | st.lists(path, min_size=count, max_size=count, unique_by=lambda text: text.casefold()))
    return (
        None if stems is None else [f"{stem}.png" for stem in sorted(stems, key=lambda text: f"{text}.png".split("/"))]
    )


@settings(max_examples=60, deadline=None)
@given(data=st.data(), ending=st.sampled_from(PICTURES), images=mixed_images())
def test_mixed_collections_come_back(data: st.DataObject, ending: str, images: list[np.ndarray]) -> None:
    count = len(images)
    names = data.draw(named(count))
    integers = st.lists(st.integers(-(2**63), 2**63 - 1), min_size=count, max_size=count).map(np.array)
    text = st.text("abc ,;\"'ä日", max_size=9).map(lambda text: f"l{text}")
    labels = data.draw(st.none() | integers | st.lists(text, min_size=count, max_size=count).map(np.array))
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / ending
        write_collection(target, in_batches(images), count=count, names=names, labels=labels)
        collection = open_collection(target)
        assert collection.count == count
        numbers = None if ending == "a.parquet" else [f"{i:05d}.png" for i in range(count)]
        assert collection.names == (names or numbers)
        assert same(singles(collection), images)
        assert same(singles(collection), images)  # as often as one likes
        kept = collection.labels
        if labels is not None:
            assert kept is not None
            assert kept.tolist() == labels.tolist()
        elif names is None:
            assert kept is None


@pytest.mark.parametrize("ending", ARRAYS)
def test_arrays_take_one_size_and_say_what_takes_more(tmp_path: Path, ending: str) -> None:
    parts = [GREY, COLOUR]
    with pytest.raises(
        InputError, match=rf"{ending}: images of 5x4x1 and .* write a folder, \.zip, \.tar or \.parquet"
    ):
        write_collection(tmp_path / ending, parts, count=14)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("count", [6, 8])
def test_another_number_of_images_than_promised(tmp_path: Path, ending: str, count: int) -> None:
    with pytest.raises(InputError, match=rf"{ending}: (more than 6 images of 6|only 7 images of 8)"):
        write_collection(tmp_path / ending, [GREY], count=count)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("ending", ENDINGS)
def test_names_and_labels_have_to_match(tmp_path: Path, ending: str) -> None:
    with pytest.raises(InputError, match=f"{ending}: 2 names for 7 images"):
        write_collection(tmp_path / ending, [GREY], count=7, names=["a", "b"])
    with pytest.raises(InputError, match=f"{ending}: 2 labels for 7 images"):
        write_collection(tmp_path / ending, [GREY], count=7, labels=np.arange(2))


@pytest.mark.parametrize("ending", ["a.tar.gz", "a.tgz", "a.png", "a.jpg", "a.7z"])
def test_endings_that_are_not_written(tmp_path: Path, ending: str) -> None:
    with pytest.raises(InputError, match=f"{ending}: not written in this format; give .zip"):
        write(tmp_path / ending, GREY)


@pytest.mark.parametrize("ending", ["a.npz", "a.zip", "a.tar", "a-ubyte.gz", "a.parquet"])
def test_equal_images_give_equal_files(tmp_path: Path, ending: str) -> None:
    (tmp_path / "other").mkdir()
    for folder in (tmp_path, tmp_path / "other"):
        write(folder / ending, GREY, np.arange(7))
    assert (tmp_path / ending).read_bytes() == (tmp_path / "other" / ending).read_bytes()


def test_mnists_test_images_ship() -> None:
    collection = open_collection("mnist")
    assert collection.count == 10_000
    assert collection.load(3).shape == (3, 28, 28)


@pytest.mark.parametrize("ending", ENDINGS)
def test_nothing_is_overwritten_unasked(tmp_path: Path, ending: str) -> None:
    target = tmp_path / ending
    write(target, GREY)
    with pytest.raises(InputError, match=f"{ending}: exists already; -f overwrites it"):
        write(target, GREY)
    write(target, GREY[:7] // 2, overwrite=True)
    assert np.array_equal(open_collection(target).load(), GREY // 2)


def test_an_empty_folder_may_be_written_into(tmp_path: Path) -> None:
    require_free(tmp_path, overwrite=False)
    write(tmp_path / "new", GREY)


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_failure_leaves_nothing_behind(tmp_path: Path, ending: str) -> None:
    def broken() -> object:
        yield GREY[:3]
        raise InputError("broken")

    with pytest.raises(InputError, match="broken"):
        write_collection(tmp_path / ending, broken(), count=7)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("order", ["C", "F"])
def test_arrays_are_read_out_of_gzip_and_pipes(tmp_path: Path, order: Literal["C", "F"]) -> None:
    data = npy(np.asarray(COLOUR, order=order))
    (tmp_path / "a.npy.gz").write_bytes(gzip.compress(data))
    (tmp_path / "a.npy").write_bytes(data)
    for collection in (
        open_collection(tmp_path / "a.npy.gz"),
        open_collection(tmp_path / "a.npy"),
        collection_from_bytes(data, "standard input"),
    ):
        assert np.array_equal(collection.load(), COLOUR)


def npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def npz(**arrays: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


def idx(images: np.ndarray) -> bytes:
    return bytes([0, 0, 8, images.ndim]) + np.array(images.shape, ">u4").tobytes() + images.tobytes()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"just text", "not a collection of images"),
        (b"", "not a collection of images"),
        (npy(GREY.astype(np.float32)), "images have to be uint8"),
        (npy(GREY[0, 0]), "no collection of images"),
        (npy(GREY[:0]), "holds no images"),
        (npy(GREY)[:-5], "cannot be read"),
        (gzip.compress(npy(GREY)[:-5], mtime=0), "cut off, 5 of 140 bytes are missing"),
        (npy(GREY).replace(b"(", b"\x7f"), "cannot be read"),
        (npy(GREY).replace(b"(7,", b"(-7"), "cannot be read"),
        (npy(np.empty((7, 5, 4), "O")), "Python objects, which are never loaded"),
        (npz(a=GREY, b=GREY), "call the one with the images 'images'"),
        (npz(a=GREY)[:-30], "cannot be read"),
        (idx(GREY)[:-1], "cut off; 7 images promised, 6 there"),
        (idx(GREY)[:10], "cut off within its header"),
        (idx(GREY) + b"x", "more bytes than its 7 images"),
        (gzip.compress(idx(GREY), mtime=0)[:-9], "cannot be read"),
        (gzip.compress(b"hello", mtime=0), "not an IDX file"),
    ],
)
def test_files_that_cannot_be_read_are_named(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(data)
    with pytest.raises(InputError, match=rf"file: .*{message}"):
        open_collection(path).load()


def test_pickles_are_never_run(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    np.save(path, np.array([{"a": 1}], object), allow_pickle=True)
    with pytest.raises(InputError, match=r"a\.npy"):
        open_collection(path).load()


@settings(max_examples=200, deadline=None)
@given(data=st.binary(max_size=100), prefix=st.sampled_from([b"", b"\0\0\x08\x03", b"\x93NUMPY\x01\0", b"\x1f\x8b"]))
def test_arbitrary_bytes_are_a_collection_or_one_error(data: bytes, prefix: bytes) -> None:
    try:
        images = collection_from_bytes(prefix + data, "standard input").load()
    except InputError as error:
        assert str(error).startswith("standard input")  # noqa: PT017
    else:
        assert images.dtype == np.uint8


def test_paths_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file or folder"):
        open_collection(tmp_path / "none")
