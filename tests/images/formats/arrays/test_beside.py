"""Labels and names beside files that take images alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from compressnet.errors import InputError
from compressnet.images import Reading, open_collection, write_collection

GREY = np.random.default_rng(0).integers(0, 256, (3, 5, 6), np.uint8)
TARGETS = pytest.mark.parametrize("target", ["a.npy", "a-ubyte", "a-ubyte.gz"])


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@TARGETS
def test_they_are_written_and_found(tmp_path: Path, target: str) -> None:
    further = write_collection(
        tmp_path / target,
        [GREY],
        count=3,
        names=["a.png", "b/ä.png", "c"],
        labels=np.array([1, 0, 1]),
        class_names=["no", "yes"],
    )
    beside = [f"{target}.{kind}.npy" for kind in ("labels", "names", "class_names")]
    assert further == [f"{tmp_path / name}: beside it, as {target} holds images alone" for name in beside]
    assert files(tmp_path) == sorted([target, *beside])
    collection = open_collection(tmp_path / target)
    assert np.array_equal(collection.load(), GREY)
    assert collection.names == ["a.png", "b/ä.png", "c"]
    assert collection.labels is not None
    assert collection.labels.tolist() == [1, 0, 1]
    assert collection.class_names == ["no", "yes"]
    assert collection.account.lines() == [f"labels: {target}.labels.npy", f"names: {target}.names.npy"]
    assert open_collection(tmp_path / target, Reading(labels=False)).account.labels == "none: not wanted"


@TARGETS
def test_without_them_there_are_no_files(tmp_path: Path, target: str) -> None:
    assert write_collection(tmp_path / target, [GREY], count=3) == []
    assert files(tmp_path) == [target]
    assert open_collection(tmp_path / target).account.labels == f"none: no {target}.labels.npy beside it"


@TARGETS
def test_what_is_left_from_before_goes(tmp_path: Path, target: str) -> None:
    path = tmp_path / target
    write_collection(path, [GREY], count=3, names=["a", "b", "c"], labels=np.arange(3))
    write_collection(path, [GREY], count=3, labels=np.array(["x", "y", "z"]), overwrite=True)
    assert files(tmp_path) == [target, f"{target}.labels.npy"]
    path.unlink()
    with pytest.raises(InputError, match=rf"{target}\.labels\.npy: exists already; -f overwrites it"):
        write_collection(path, [GREY], count=3)


@TARGETS
def test_a_failure_leaves_what_was_there(tmp_path: Path, target: str) -> None:
    path = tmp_path / target
    write_collection(path, [GREY], count=3, labels=np.arange(3))
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    with pytest.raises(InputError, match="only 2 images of 3 came"):
        write_collection(path, [GREY[:2]], count=3, names=["a", "b", "c"], overwrite=True)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


@pytest.mark.parametrize(
    ("ending", "array", "message"),
    [
        ("labels", np.arange(2), "holds 2 labels; there has to be one for each of 3 images"),
        ("labels", np.zeros((3, 5)), "has 5 columns; there has to be one for each of 3 images"),
        ("names", np.array(["a"]), "holds 1; there has to be one text for each of 3 images"),
        ("names", np.arange(3), "holds values of type int64, no texts"),
        ("class_names", np.arange(3), "holds values of type int64, no texts"),
    ],
)
def test_files_that_do_not_fit(tmp_path: Path, ending: str, array: np.ndarray, message: str) -> None:
    write_collection(tmp_path / "a.npy", [GREY], count=3)
    np.save(tmp_path / f"a.npy.{ending}.npy", array)
    with pytest.raises(InputError, match=rf"a\.npy\.{ending}\.npy: {message}"):
        open_collection(tmp_path / "a.npy")


def test_names_that_had_to_be_changed_are_said(tmp_path: Path) -> None:
    write_collection(tmp_path / "a.npy", [GREY], count=3)
    np.save(tmp_path / "a.npy.names.npy", np.array(["a", "/b\nc", "d"]))
    collection = open_collection(tmp_path / "a.npy")
    assert collection.names == ["a", "b_c", "d"]
    (note,) = collection.account.changed
    assert note.names == ("b_c",)
