"""Folders of files that hold many images each, and which labels belong to which of them."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compressnet.errors import InputError
from compressnet.images import Reading, open_collection, write_collection
from picture_files import grey, idx, put_folder

GREY = np.random.default_rng(0).integers(0, 256, (9, 8, 8), np.uint8)
LABELS = np.arange(9, dtype=np.uint8)


def labels_of(path: Path) -> list[object] | None:
    labels = open_collection(path).labels
    return None if labels is None else labels.tolist()


def save_pairs(folder: Path, *names: tuple[str, str]) -> None:
    for i, (images, labels) in enumerate(names):
        np.save(folder / images, GREY[3 * i : 3 * i + 3])
        if labels:
            np.save(folder / labels, LABELS[3 * i : 3 * i + 3])


@pytest.mark.parametrize("ending", ["npy", "npz", "tar", "parquet", "-ubyte", "-ubyte.gz"])
def test_shards_are_one_collection(tmp_path: Path, ending: str) -> None:
    names = [f"{i}.png" for i in range(9)]
    for i in range(0, 9, 3):
        part = slice(i, i + 3)
        target = tmp_path / (f"part-{i}{ending}" if ending.startswith("-") else f"part-{i}.{ending}")
        write_collection(target, [GREY[part]], count=3, names=names[part], labels=LABELS[part].astype(np.int64))
    (tmp_path / "README.md").write_text("about")
    collection = open_collection(tmp_path)
    assert collection.count == 9
    assert np.array_equal(collection.load(), GREY)
    assert np.array_equal(collection.load(), GREY)  # as often as one likes
    assert labels_of(tmp_path) == list(range(9))
    assert collection.names == names
    lines = collection.account.lines()
    assert lines[0] == "1 left out, neither images nor labels (1 .md): README.md"
    assert lines[1].startswith("3 changed, shards, read as one collection")


@pytest.mark.parametrize(
    "pairs",
    [
        [("X_test.npy", "y_test.npy"), ("X_train.npy", "y_train.npy")],
        [("images_0.npy", "labels_0.npy"), ("images_1.npy", "labels_1.npy")],
        [("a.npy", "a_labels.npy"), ("b.npy", "b_labels.npy"), ("c.npy", "c_labels.npy")],
        [("x.npy", "y.npy")],
    ],
)
def test_labels_are_found_by_their_names(tmp_path: Path, pairs: list[tuple[str, str]]) -> None:
    save_pairs(tmp_path, *pairs)
    assert np.array_equal(open_collection(tmp_path).load(), GREY[: 3 * len(pairs)])
    assert labels_of(tmp_path) == list(range(3 * len(pairs)))
    assert open_collection(tmp_path).account.labels == ", ".join(labels for _, labels in pairs)


@pytest.mark.parametrize("packed", [".gz", ""])
def test_mnists_folder(tmp_path: Path, packed: str) -> None:
    put_folder(tmp_path, mnist_files())
    assert np.array_equal(open_collection(tmp_path).load(), GREY)
    assert labels_of(tmp_path) == list(range(9))
    assert open_collection(tmp_path, Reading(labels=False)).labels is None


def mnist_files() -> list[tuple[str, bytes]]:
    return [
        ("t10k-images-idx3-ubyte", idx(GREY[:3])),
        ("t10k-labels-idx1-ubyte", idx(LABELS[:3])),
        ("train-images.idx3-ubyte", idx(GREY[3:])),
        ("train-labels.idx1-ubyte", idx(LABELS[3:])),
    ]


def test_labels_of_some_shards_alone_are_dropped_and_named(tmp_path: Path) -> None:
    save_pairs(tmp_path, ("images_0.npy", "labels_0.npy"), ("images_1.npy", ""))
    np.save(tmp_path / "labels_7.npy", LABELS)
    np.save(tmp_path / "ids.npy", LABELS)
    collection = open_collection(tmp_path)
    assert collection.labels is None
    assert collection.account.lines() == [
        "1 left out, array that is no images (1 .npy): ids.npy",
        "1 left out, labels without images of theirs (1 .npy): labels_7.npy",
        f"1 dropped, labels, as others have none (1 .npy): {tmp_path}/images_0.npy",
        "2 changed, shards, read as one collection (2 .npy): images_0.npy, images_1.npy",
        "labels: none: no labels of images_1.npy",
        "names: none",
    ]


def test_labels_that_cannot_be_used_are_dropped_and_named(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", GREY)
    np.save(tmp_path / "y.npy", np.zeros((9, 4)))
    assert "labels: none: y.npy has 4 columns" in open_collection(tmp_path).account.lines()
    np.save(tmp_path / "y.npy", np.eye(9)[::-1])
    assert labels_of(tmp_path) == list(range(9))[::-1]
    assert open_collection(tmp_path).account.changed[0].what == "labels, taken as the place of the 1 in each row"


def test_another_number_of_labels_is_an_error(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", GREY)
    np.save(tmp_path / "y.npy", LABELS[:4])
    with pytest.raises(InputError, match=r"y\.npy: 4 labels for 9 images in x\.npy; there has to be one for each"):
        open_collection(tmp_path)


def test_several_kinds_are_named(tmp_path: Path) -> None:
    np.save(tmp_path / "b.npy", GREY)
    np.savez(tmp_path / "a.npz", images=GREY)
    with pytest.raises(InputError, match=r"files of several kinds, \.npz \(a\.npz\), \.npy \(b\.npy\); give one"):
        open_collection(tmp_path)


def test_pictures_go_before_arrays(tmp_path: Path) -> None:
    put_folder(tmp_path, [("a.png", grey(1))])
    np.save(tmp_path / "b.npy", GREY)
    assert open_collection(tmp_path).count == 1


def test_folders_of_labels_alone_are_an_error(tmp_path: Path) -> None:
    np.save(tmp_path / "labels.npy", LABELS)
    with pytest.raises(InputError, match=r"no arrays of images in it, \(N,H,W\) or \(N,H,W,C\); labels\.npy is none"):
        open_collection(tmp_path)


def test_shards_of_several_sizes_and_depths(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", GREY)
    np.save(tmp_path / "b.npy", GREY[:, :5].astype(np.uint16))
    assert [batch.shape for batch in open_collection(tmp_path).batches()] == [(9, 8, 8), (9, 5, 8)]
    with pytest.raises(InputError, match=r"b\.npy: values of type uint16: --quality 100"):
        open_collection(tmp_path, Reading(deep=False))


def test_shards_become_8_bits_in_the_same_way(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.full((1, 8, 8), 200, np.uint16))
    np.save(tmp_path / "b.npy", np.full((1, 8, 8), 65535, np.uint16))
    assert open_collection(tmp_path, Reading(convert=True)).load()[:, 0, 0].tolist() == [1, 255]


def test_class_names_that_differ_are_dropped(tmp_path: Path) -> None:
    for name, classes in (("a.npz", ["x", "y"]), ("b.npz", ["x", "z"])):
        write_collection(tmp_path / name, [GREY], count=9, labels=np.arange(9), class_names=classes)
    collection = open_collection(tmp_path)
    assert collection.class_names is None
    assert "class names, as others have none or different ones" in [note.what for note in collection.account.dropped]


@settings(max_examples=200, deadline=None)
@given(
    data=st.data(),
    ending=st.sampled_from([".npy", ".npz", "-ubyte", "-ubyte.gz"]),
    counts=st.lists(st.integers(1, 4), min_size=1, max_size=5),
)
def test_shards_come_back(data: st.DataObject, ending: str, counts: list[int]) -> None:
    count = sum(counts)
    images = np.random.default_rng(count).integers(0, 256, (count, 8, 9), np.uint8)
    labels = data.draw(st.none() | st.lists(st.integers(-9, 9), min_size=count, max_size=count).map(np.array))
    names = data.draw(st.none() | st.lists(st.text("abc0._-ä", max_size=5), min_size=count, max_size=count))
    names = None if names is None else [f"n{name}" for name in names]
    with tempfile.TemporaryDirectory() as folder:
        start = 0
        for i, part_count in enumerate(counts):
            part = slice(start, start + part_count)
            write_collection(
                Path(folder) / f"s{i}{ending}",
                [images[part]],
                count=part_count,
                names=None if names is None else names[part],
                labels=None if labels is None else labels[part],
            )
            start += part_count
        collection = open_collection(folder)
        assert np.array_equal(collection.load(), images)
        assert collection.names == names
        kept = collection.labels
        assert (None if kept is None else kept.tolist()) == (None if labels is None else labels.tolist())
