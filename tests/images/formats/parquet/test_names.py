"""Names of pictures in Parquet files: paths, columns of texts, numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from compressnet.images import open_collection
from compressnet.images.formats.parquet.columns import NAME_COLUMNS
from parquet_files import TEXTS, kind_of, put, rows, said, with_paths
from picture_files import grey

PLAIN = "name made a plain relative path"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/home/me/{}.png", "0.png"),
        ("C:\\data\\{}.png", "0.png"),
        ("\\\\server\\data\\{}.png", "0.png"),
        ("../{}.png", "0.png"),
        ("a\n{}.png", "a_0.png"),
        ("x/{}.png", "x/0.png"),
        ("a b.ä日.{}", "a b.ä日.0"),
    ],
)
def test_names_do_not_tell_of_the_machine(tmp_path: Path, path: str, expected: str) -> None:
    put(tmp_path / "a.parquet", image=rows(0, 1, path))
    collection = open_collection(tmp_path / "a.parquet")
    assert collection.names == [expected]
    assert said(collection.account.changed) == ({} if expected == path.format(0) else {PLAIN: [expected]})


def test_rows_without_a_path_are_called_by_their_number(tmp_path: Path) -> None:
    put(tmp_path / "a.parquet", image=with_paths(["a.png", None, "a.png", "", "/"]))
    collection = open_collection(tmp_path / "a.parquet")
    assert collection.names == ["a.png", "00001.png", "a.png", "00003.png", "00004.png"]
    numbered = ["00001.png", "00003.png", "00004.png"]
    assert said(collection.account.changed) == {"named by its number, as it has no name": numbered}
    assert collection.account.names == "paths in column 'image'; numbers where there is none"


@pytest.mark.parametrize("kind", [pa.string(), pa.null()])
def test_no_row_has_a_path(tmp_path: Path, kind: pa.DataType) -> None:
    fields = pa.struct([("bytes", pa.binary()), ("path", kind)])
    put(tmp_path / "a.parquet", image=pa.array([{"bytes": grey(1), "path": None}] * 2, fields))
    collection = open_collection(tmp_path / "a.parquet")
    assert collection.names is None
    assert collection.account.names == "none: no paths in the column of pictures, and no column of names"
    assert collection.account.is_complete


@pytest.mark.parametrize("column", [*NAME_COLUMNS, "original_name", "File_Name"])
@pytest.mark.parametrize("kind", TEXTS)
def test_columns_of_names(tmp_path: Path, column: str, kind: str) -> None:
    columns: dict[str, Any] = {column: pa.array(["x/a.png", None, "b"], kind_of(kind)), "text": ["t"] * 3}
    for name, images in (("a", with_paths([None] * 3)), ("b", [grey(i) for i in range(3)])):
        put(tmp_path / name, image=images, **columns)
        collection = open_collection(tmp_path / name)
        assert collection.names == ["x/a.png", "00001.png", "b"]
        assert collection.account.names == f"column '{column}'; numbers where there is none"
        assert said(collection.account.left_out) == {"column": ["text"]}


def test_paths_go_before_columns_of_names(tmp_path: Path) -> None:
    put(tmp_path / "a.parquet", image=rows(0, 1), file_name=["x.png"], name=["x"])
    collection = open_collection(tmp_path / "a.parquet")
    assert collection.names == ["0.png"]
    assert said(collection.account.left_out) == {"column": ["file_name", "name"]}


def test_columns_of_names_have_an_order_and_are_texts(tmp_path: Path) -> None:
    images = [grey(0), grey(1)]
    put(tmp_path / "a.parquet", image=images, path=["p", "q"], name=["n", "m"], file_name=[1, 2], filename=["", None])
    collection = open_collection(tmp_path / "a.parquet")
    assert collection.names == ["n", "m"]
    assert said(collection.account.left_out) == {"column": ["path", "file_name", "filename"]}


def test_original_names_go_before_paths_and_stay_as_they_are(tmp_path: Path) -> None:
    original = ["a.jpg", "./x//y", "", None, "C:\\a", "a\nb", "../up.png", "/home/me/b.png"]
    put(tmp_path / "a.parquet", image=rows(0, 8), original_name=original)
    collection = open_collection(tmp_path / "a.parquet")
    assert collection.names == ["a.jpg", "./x//y", "", "3.png", "C:\\a", "a_b", "../up.png", "/home/me/b.png"]
    assert said(collection.account.changed) == {PLAIN: ["a_b"]}
    assert collection.account.names == "column 'original_name'; paths in column 'image'"
    assert collection.account.is_complete


def test_files_without_names_are_numbered_from_the_first_file_on(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    put(tmp_path / "data" / "0.parquet", image=rows(0, 2))
    put(tmp_path / "data" / "1.parquet", image=[grey(1), grey(2)])
    put(tmp_path / "data" / "2.parquet", image=[grey(1)], name=["n"])
    collection = open_collection(tmp_path / "data")
    assert collection.names == ["0.png", "1.png", "00002.png", "00003.png", "n"]
    assert collection.account.names == "paths in column 'image'; column 'name'; numbers where there is none"
