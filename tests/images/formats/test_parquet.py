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
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings

from compressnet.errors import InputError
from compressnet.images import open_collection, write_collection
from picture_files import damage, grey, images_or_one_error, mixed_images, png, singles

IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])

WITHOUT_PYARROW = """
import sys
sys.modules["pyarrow"] = None
from compressnet.commands.cli import run
sys.argv = ["compressnet", "compress", sys.argv[1], "-o", "a.cnet"]
run()
"""


def rows(first: int, count: int, name: str = "{}.png") -> pa.Array:
    pictures = [{"bytes": grey(i), "path": name.format(i)} for i in range(first, first + count)]
    return pa.array(pictures, IMAGE)


def put(path: Path, **columns: Any) -> None:
    pq.write_table(pa.table(columns), path, row_group_size=2)


def test_rows_come_with_names_and_labels(tmp_path: Path) -> None:
    put(tmp_path / "a.parquet", idx=list(range(5)), image=rows(0, 5), label=[4, 3, 2, 1, 0])
    collection = open_collection(tmp_path / "a.parquet")
    assert collection.names == ["0.png", "1.png", "2.png", "3.png", "4.png"]
    assert collection.labels is not None
    assert collection.labels.tolist() == [4, 3, 2, 1, 0]
    for _ in range(2):
        assert [int(image[0, 0]) for image in singles(collection)] == [0, 1, 2, 3, 4]


def test_columns_of_other_names_and_of_plain_bytes(tmp_path: Path) -> None:
    put(tmp_path / "a.parquet", text=["x"], scan=rows(7, 1))
    put(tmp_path / "b.parquet", img=[grey(7)], other=[b"bytes"])
    for name, names in (("a.parquet", ["7.png"]), ("b.parquet", None)):
        collection = open_collection(tmp_path / name)
        assert int(collection.load().max()) == 7
        assert collection.names == names


@pytest.mark.parametrize(
    ("path", "expected"),
    [("/home/me/{}.png", "0.png"), ("C:\\data\\{}.png", "0.png"), ("../{}.png", "0.png"), ("x/{}.png", "x/0.png")],
)
def test_names_do_not_tell_of_the_machine(tmp_path: Path, path: str, expected: str) -> None:
    put(tmp_path / "a.parquet", image=rows(0, 1, path))
    assert open_collection(tmp_path / "a.parquet").names == [expected]


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


@pytest.mark.parametrize("labels", [[1, None], [0.5, 1.5], [[1], [2]]])
def test_labels_that_are_not_one_for_each_are_left_out(tmp_path: Path, labels: list[Any]) -> None:
    put(tmp_path / "a.parquet", image=rows(0, 2), label=labels)
    assert open_collection(tmp_path / "a.parquet").labels is None


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"text": ["x"], "label": [1]}, "no column with pictures; .* there are text, label"),
        ({"image": rows(0, 0)}, "holds no rows"),
        ({"image": pa.array([{"bytes": None, "path": "a.png"}], IMAGE)}, "row 0: holds no picture, only a path"),
        ({"image": pa.array([None], IMAGE)}, "row 0: holds no picture, only a path"),
        ({"image": [grey(1), b"text"]}, "row 1: not a picture"),
    ],
)
def test_what_is_no_collection(tmp_path: Path, columns: dict[str, Any], message: str) -> None:
    put(tmp_path / "a.parquet", **columns)
    with pytest.raises(InputError, match=rf"a\.parquet: {message}"):
        open_collection(tmp_path / "a.parquet").load()


@pytest.mark.parametrize(("labels", "kind"), [([7, 8], "int64"), (["cat", "dog"], "string")])
def test_written_tables_say_what_they_hold(tmp_path: Path, labels: list[Any], kind: str) -> None:
    path = tmp_path / "a.parquet"
    images = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3), np.uint8)
    write_collection(path, [images], count=2, names=["x/a.jpg", "b"], labels=np.array(labels))
    table = pq.read_table(path)
    assert table["image"].to_pylist() == [
        {"bytes": png(images[0]), "path": "x/a.png"},
        {"bytes": png(images[1]), "path": "b.png"},
    ]
    assert table["label"].to_pylist() == labels
    features = json.loads(table.schema.metadata[b"huggingface"])["info"]["features"]
    assert features == {"image": {"_type": "Image"}, "label": {"dtype": kind, "_type": "Value"}}


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
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.parquet"
        write_collection(path, [image[None] for image in images], count=len(images), labels=np.arange(len(images)))
        path.write_bytes(harm(path.read_bytes()))
        assert len(list(images_or_one_error(path))) <= len(images)
