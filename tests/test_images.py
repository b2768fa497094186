"""Collections in and out of every format, and one clear line for what is no collection."""

from __future__ import annotations

import gzip
import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from compressnet.errors import InputError
from compressnet.images import (
    collection_from_bytes,
    open_collection,
    read_labels,
    require_free,
    write_collection,
)

GREY = np.random.default_rng(0).integers(0, 256, (7, 5, 4), np.uint8)
COLOUR = np.random.default_rng(1).integers(0, 256, (7, 5, 4, 3), np.uint8)
ENDINGS = ["a.npy", "a.npz", "a-ubyte", "a-ubyte.gz", "folder"]


def write(target: Path, images: np.ndarray, labels: np.ndarray | None = None, *, overwrite: bool = False) -> None:
    parts = [images[i : i + 3] for i in range(0, len(images), 3)]
    write_collection(target, parts, images.shape, labels, overwrite=overwrite)


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
def test_folders_of_other_modes(tmp_path: Path, channels: int) -> None:
    images = np.random.default_rng(2).integers(0, 256, (3, 5, 4, channels), np.uint8)
    write(tmp_path / "pngs", images)
    assert np.array_equal(open_collection(tmp_path / "pngs").load().reshape(images.shape), images)


@pytest.mark.parametrize("count", [1, 3, 7, 100])
def test_samples_are_spread_over_the_collection(tmp_path: Path, count: int) -> None:
    write(tmp_path / "a.npy", GREY)
    sample = open_collection(tmp_path / "a.npy").sample(count)
    assert len(sample) == min(count, 7)
    assert np.array_equal(sample[0], GREY[0])
    if count > 1:
        assert np.array_equal(sample[-1], GREY[6])


def test_npz_keeps_labels(tmp_path: Path) -> None:
    write(tmp_path / "a.npz", GREY, np.arange(7))
    with np.load(tmp_path / "a.npz") as arrays:
        assert arrays["labels"].tolist() == list(range(7))
    assert np.array_equal(open_collection(tmp_path / "a.npz").load(), GREY)


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
        write_collection(tmp_path / ending, broken(), GREY.shape, None, overwrite=False)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def save(path: Path, image: Image.Image) -> None:
    image.save(path)


def put(path: Path, kind: str) -> Path:
    """A bad collection of a kind; the path that the message has to name."""
    if kind == "empty folder":
        return path
    if kind == "text named png":
        (path / "a.png").write_text("no picture")
    elif kind == "a file that is no picture":
        (path / "notes.md").write_text("hello")
    elif kind == "16 bits":
        Image.fromarray(np.zeros((5, 4), np.uint16)).save(path / "a.png")
    elif kind == "two sizes":
        Image.new("L", (4, 5)).save(path / "a.png")
        Image.new("L", (5, 5)).save(path / "b.png")
        return path / "b.png"
    elif kind == "cut off":
        stream = io.BytesIO()
        Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8)).save(stream, format="png")
        (path / "a.png").write_bytes(stream.getvalue()[:2000])
    return next(path.iterdir())


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("empty folder", "an empty folder"),
        ("text named png", "not a picture"),
        ("a file that is no picture", "not an image file"),
        ("16 bits", "16-bit"),
        ("two sizes", "5x5 pixels"),
        ("cut off", "cannot be read as a picture"),
    ],
)
def test_folders_that_cannot_be_read_name_the_file(tmp_path: Path, kind: str, message: str) -> None:
    named = put(tmp_path, kind)
    with pytest.raises(InputError, match=message) as caught:
        open_collection(tmp_path).load()
    assert str(caught.value).startswith(str(named))


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
        (npy(GREY[0]), "no collection of images"),
        (npy(GREY[:0]), "holds no images"),
        (npy(GREY)[:-5], "cannot be read"),
        (npz(a=GREY, b=GREY), "call the one with the images 'images'"),
        (npz(a=GREY)[:-30], "cannot be read"),
        (idx(GREY)[:-1], "cut off; 7 images promised, 6 there"),
        (idx(GREY)[:10], "cut off within its header"),
        (idx(GREY) + b"x", "more bytes than its 7 images"),
        (gzip.compress(idx(GREY))[:-9], "cannot be read"),
        (gzip.compress(b"hello"), "not an IDX file"),
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
    with pytest.raises(InputError, match="no such file"):
        read_labels(tmp_path / "none")


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"3\n1\n4\n", [3, 1, 4]),
        (b"cat\ndog\n7\n", ["cat", "dog", "7"]),
        (npy(np.array([3, 1, 4])), [3, 1, 4]),
        (idx(np.array([3, 1, 4], np.uint8)), [3, 1, 4]),
        (gzip.compress(idx(np.array([3, 1, 4], np.uint8))), [3, 1, 4]),
    ],
)
def test_labels_of_every_kind(tmp_path: Path, data: bytes, expected: list[object]) -> None:
    path = tmp_path / "labels"
    path.write_bytes(data)
    assert read_labels(path).tolist() == expected


def test_labels_that_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "labels"
    path.write_bytes(b"\xff\xfe\xff")
    with pytest.raises(InputError, match="labels: cannot be read"):
        read_labels(path)
