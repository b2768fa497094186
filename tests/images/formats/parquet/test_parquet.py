"""Parquet files as Hugging Face's data sets have them, in and out."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compressnet.errors import InputError
from compressnet.images import open_collection, write_collection
from compressnet.images.collection import in_batches
from compressnet.images.formats.parquet.parquet import parquet_collection, write_parquet
from compressnet.images.names import written_names
from parquet_files import put, rows
from picture_files import damage, grey, images_or_one_error, mixed_images, png, same, singles

WITHOUT_PYARROW = """
import sys
sys.modules["pyarrow"] = None
from compressnet.commands.cli import run
sys.argv = ["compressnet", "compress", sys.argv[1], "-o", "a.cnet"]
run()
"""


def test_rows_come_with_names_and_labels(tmp_path: Path) -> None:
    put(tmp_path / "a.parquet", idx=list(range(5)), image=rows(0, 5), label=[4, 3, 2, 1, 0])
    collection = open_collection(tmp_path / "a.parquet")
    assert collection.names == ["0.png", "1.png", "2.png", "3.png", "4.png"]
    assert collection.labels is not None
    assert collection.labels.tolist() == [4, 3, 2, 1, 0]
    for _ in range(2):
        assert [int(image[0, 0]) for image in singles(collection)] == [0, 1, 2, 3, 4]


def test_a_folder_of_tables_is_one_collection(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "README.md").write_text("a card")
    put(tmp_path / "data" / "train-00001.parquet", image=rows(3, 2), label=[3, 4])
    put(tmp_path / "data" / "train-00000.parquet", image=rows(0, 3), label=[0, 1, 2])
    collection = open_collection(tmp_path)
    assert [int(image[0, 0]) for image in singles(collection)] == [0, 1, 2, 3, 4]
    assert collection.labels is not None
    assert collection.labels.tolist() == [0, 1, 2, 3, 4]
    (tmp_path / "a.png").write_bytes(grey(1))
    with pytest.raises(InputError, match=f"{tmp_path}: has both pictures and data/train-00000.parquet"):
        open_collection(tmp_path)


@pytest.mark.parametrize(("labels", "kind"), [([7, 8], "int64"), (["cat", "dog"], "string")])
def test_written_tables_say_what_they_hold(tmp_path: Path, labels: list[Any], kind: str) -> None:
    path = tmp_path / "a.parquet"
    images = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3), np.uint8)
    write_collection(path, [images], count=2, names=["x/a.png", "b.png"], labels=np.array(labels))
    table = pq.read_table(path)
    assert table["image"].to_pylist() == [
        {"bytes": png(images[0]), "path": "x/a.png"},
        {"bytes": png(images[1]), "path": "b.png"},
    ]
    assert table["label"].to_pylist() == labels
    features = json.loads(table.schema.metadata[b"huggingface"])["info"]["features"]
    assert features == {"image": {"_type": "Image"}, "label": {"dtype": kind, "_type": "Value"}}


def test_written_tables_have_classes_and_original_names(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    images = np.zeros((3, 8, 8), np.uint8)
    with path.open("wb") as stream:
        labels = np.array([1, -1, 0], np.int16)
        write_parquet(stream, [images], None, labels, class_names=["ä", "b"], original_names=["x", "", "x"])
    table = pq.read_table(path)
    assert [row["path"] for row in table["image"].to_pylist()] == [None, None, None]
    assert table["label"].to_pylist() == [1, -1, 0]
    assert str(table.schema.field("label").type) == "int64"
    assert table["original_name"].to_pylist() == ["x", "", "x"]
    assert json.loads(table.schema.metadata[b"huggingface"])["info"]["features"] == {
        "image": {"_type": "Image"},
        "label": {"names": ["ä", "b"], "_type": "ClassLabel"},
        "original_name": {"dtype": "string", "_type": "Value"},
    }
    collection = open_collection(path)
    assert collection.names == ["x", "", "x"]
    assert collection.account.is_complete


def test_texts_have_no_classes(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    with path.open("wb") as stream:
        labels = np.array(["a", "bc"], object)
        write_parquet(stream, [np.zeros((2, 8, 8), np.uint8)], None, labels, class_names=["x"])
    features = json.loads(pq.read_schema(path).metadata[b"huggingface"])["info"]["features"]
    assert features["label"] == {"dtype": "string", "_type": "Value"}
    collection = open_collection(path)
    assert collection.labels is not None
    assert (collection.labels.tolist(), collection.class_names, collection.names) == (["a", "bc"], None, None)


LINES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
"""Texts such as labels may be, with leading zeros and dots among them."""
NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12).filter(
    lambda name: not name.startswith(("/", "\\")) and ".." not in name.replace("\\", "/").split("/")
)


@st.composite
def labelled(draw: st.DrawFn, count: int) -> tuple[np.ndarray | None, list[str] | None]:
    """Labels, and for integers also what they stand for, or neither."""
    texts = st.sampled_from(["01", "1", "", "a.b", "."]) | LINES
    integers = st.integers(-(2**63), 2**63 - 1) | st.integers(-1, 9)
    values = draw(
        st.none()
        | st.lists(integers, min_size=count, max_size=count).map(lambda found: np.array(found, np.int64))
        | st.lists(texts, min_size=count, max_size=count).map(lambda found: np.array(found, np.str_))
    )
    is_integers = values is not None and values.dtype.kind == "i"
    return values, draw(st.none() | st.lists(LINES, min_size=1, max_size=4, unique=True)) if is_integers else None


@settings(max_examples=200, deadline=None)
@given(data=st.data(), images=mixed_images())
def test_what_is_written_is_read(data: st.DataObject, images: list[np.ndarray]) -> None:
    count = len(images)
    some = st.sampled_from(["a.jpg", "a.png", "a", "x/a.png", "A.PNG", "x/a.b.png"]) | NAMES
    names = data.draw(st.none() | st.lists(some, min_size=count, max_size=count))
    labels, class_names = data.draw(labelled(count))
    written = None if names is None else written_names(names, count, "x")
    original = None if written == names else names
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.parquet"
        with path.open("wb") as stream:
            write_parquet(stream, in_batches(images), written, labels, class_names, original)
        collection = parquet_collection("x", [path])
        assert same(singles(collection), images)
        assert same(singles(collection), images)
    assert collection.names == names
    assert collection.class_names == (None if class_names is None else tuple(class_names))
    assert (collection.labels is None) == (labels is None)
    if collection.labels is not None and labels is not None:
        assert collection.labels.tolist() == labels.tolist()
        assert collection.labels.dtype.kind == labels.dtype.kind
    assert collection.account.is_complete
    assert collection.account.changed == ()


def test_without_pyarrow_the_extra_is_named(tmp_path: Path) -> None:
    put(tmp_path / "a.parquet", image=rows(0, 1))
    command = [sys.executable, "-c", WITHOUT_PYARROW, str(tmp_path / "a.parquet")]
    result = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert result.returncode == 1
    assert result.stderr.count("\n") == 1
    assert "pip install 'compressnet[parquet]'" in result.stderr


@settings(max_examples=100, deadline=None)
@given(images=mixed_images(), harm=damage())
def test_damaged_files_give_images_or_one_error(images: list[np.ndarray], harm: Callable[[bytes], bytes]) -> None:
    count = len(images)
    names = [f"{i}.png" for i in range(count)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.parquet"
        with path.open("wb") as stream:
            write_parquet(stream, in_batches(images), names, np.arange(count), ["a", "b"], names)
        path.write_bytes(harm(path.read_bytes()))
        assert len(list(images_or_one_error(path))) <= count
