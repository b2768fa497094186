"""Columns of Parquet files: which hold pictures, of whatever type, and what is left out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from compressnet.errors import InputError
from compressnet.images import open_collection
from compressnet.images.formats.parquet.columns import IMAGE_COLUMNS, find_columns
from parquet_files import BYTES, IMAGE, TEXTS, kind_of, put, rows, said
from picture_files import grey, singles


@pytest.mark.parametrize("path_kind", [*TEXTS, None])
@pytest.mark.parametrize("bytes_kind", BYTES)
def test_structs_of_every_type(tmp_path: Path, bytes_kind: str, path_kind: str | None) -> None:
    fields = [("bytes", kind_of(bytes_kind)), *([] if path_kind is None else [("path", kind_of(path_kind))])]
    pictures = [{"bytes": grey(i % 3), "path": f"{i}.png"} for i in range(5)]
    put(tmp_path / "a.parquet", image=pa.array(pictures, pa.struct(fields)))
    collection = open_collection(tmp_path / "a.parquet")
    assert [int(image[0, 0]) for image in singles(collection)] == [0, 1, 2, 0, 1]
    assert collection.names == (None if path_kind is None else [f"{i}.png" for i in range(5)])
    assert collection.account.is_complete
    assert collection.account.changed == ()


@pytest.mark.parametrize("name", [*IMAGE_COLUMNS, "Image", "scan"])
@pytest.mark.parametrize("kind", BYTES)
def test_plain_bytes_of_every_type_and_name(tmp_path: Path, name: str, kind: str) -> None:
    put(tmp_path / "a.parquet", **{"text": ["a"] * 3, name: pa.array([grey(i) for i in range(3)], kind_of(kind))})
    collection = open_collection(tmp_path / "a.parquet")
    assert [int(image[0, 0]) for image in singles(collection)] == [0, 1, 2]
    assert collection.names is None
    assert collection.account.names == "none: no paths in the column of pictures, and no column of names"


@pytest.mark.parametrize(
    ("columns", "others"),
    [
        ({"mask": rows(5, 2), "image": rows(7, 2)}, ["mask"]),
        ({"img": [grey(1)] * 2, "bytes": [b"x"] * 2, "image": [grey(7), grey(8)]}, ["img", "bytes"]),
        ({"scan": rows(7, 2), "mask": rows(1, 2)}, ["mask"]),
        ({"label": rows(1, 2), "image": rows(7, 2)}, ["label"]),
        ({"data": [b"x"] * 2, "jpg": [grey(7), grey(8)]}, None),
    ],
)
def test_one_of_several_columns_is_taken(tmp_path: Path, columns: dict[str, Any], others: list[str] | None) -> None:
    put(tmp_path / "a.parquet", **columns)
    collection = open_collection(tmp_path / "a.parquet")
    assert [int(image[0, 0]) for image in singles(collection)] == [7, 8]
    expected = {"column": ["data"]} if others is None else {"another column of pictures": others}
    assert said(collection.account.left_out) == expected


def test_every_other_column_is_named(tmp_path: Path) -> None:
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string()), ("height", pa.int64())])
    pictures = pa.array([{"bytes": grey(1), "path": "a.png", "height": 8}], kind)
    (tmp_path / "data").mkdir()
    for i in range(2):
        path = tmp_path / "data" / f"{i}.parquet"
        put(path, image=pictures, label=[i], **{"image.bytes": [1], "boxes": [[1, 2]], "label.x": ["y"], "name": ["n"]})
    collection = open_collection(tmp_path / "data")
    assert collection.count == len(singles(collection)) == 2
    columns = ["image.bytes", "boxes", "label.x", "name", "image.height"]
    assert said(collection.account.left_out) == {"column": columns}
    with pytest.raises(InputError, match=r"data: --strict: 5 left out, column .*image\.bytes, boxes"):
        collection.account.require_complete(collection.name)


def test_of_two_columns_by_one_name_the_first_counts(tmp_path: Path) -> None:
    table = pa.Table.from_arrays([rows(7, 1), rows(8, 1), pa.array([1]), pa.array([2])], ["image"] * 2 + ["label"] * 2)
    pa.parquet.write_table(table, tmp_path / "a.parquet")
    collection = open_collection(tmp_path / "a.parquet")
    assert int(collection.load().max()) == 7
    assert collection.labels is not None
    assert collection.labels.tolist() == [1]
    assert said(collection.account.left_out) == {"another column by the same name": ["image", "label"]}


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"text": ["x"], "label": [1]}, r"no column with pictures; .* there are text \(string\), label \(int64\)"),
        ({"image": ["a.png"]}, r"no column with pictures; .* there are image \(string\)"),
        ({"a": [b"x"], "b": [b"y"]}, r"no column with pictures; .* there are a \(binary\), b \(binary\)"),
        ({"label": [b"x"]}, r"no column with pictures; .* there are label \(binary\)"),
        ({"pixel_values": [[1, 2]]}, r"no column with pictures; .* there are pixel_values \(list"),
        (
            {"images": pa.array([[{"bytes": grey(1), "path": None}] * 2], pa.list_(IMAGE))},
            r"column 'images' holds several pictures a row; .* frame\.explode\('images'\)",
        ),
        ({"photos": [[grey(1), grey(2)]]}, "column 'photos' holds several pictures a row"),
        ({"a\n\x1b": ["x"]}, r"no column with pictures; .* there are a__ \(string\)$"),
        ({"image": rows(0, 0)}, "holds no rows"),
        ({"image": pa.array([{"bytes": None, "path": "a.png"}], IMAGE)}, "row 0: holds no picture, only a path"),
        ({"image": pa.array([{"bytes": None, "path": "a.png"}])}, "row 0: holds no picture, only a path"),
        ({"image": pa.array([None], IMAGE)}, "row 0: holds no picture, only a path"),
        ({"image": [grey(0), grey(1), grey(2), None]}, "row 3: holds no picture, only a path"),
        ({"image": [grey(1), b"text"]}, "row 1: not a picture"),
    ],
)
def test_what_is_no_collection(tmp_path: Path, columns: dict[str, Any], message: str) -> None:
    put(tmp_path / "a.parquet", **columns)
    with pytest.raises(InputError, match=rf"a\.parquet: {message}"):
        open_collection(tmp_path / "a.parquet").load()


def test_names_of_columns_are_said_in_one_line(tmp_path: Path) -> None:
    put(tmp_path / "a.parquet", **{"a\nb": [1], "sc\tan": rows(7, 1)})
    collection = open_collection(tmp_path / "a.parquet")
    assert int(collection.load().max()) == 7
    assert collection.account.lines() == [
        "1 left out, column: a_b",
        f"labels: {collection.account.labels}",
        "names: paths in column 'sc_an'",
    ]


def test_lists_beside_a_column_of_pictures_are_left_out(tmp_path: Path) -> None:
    put(tmp_path / "a.parquet", views=[[grey(1), grey(2)]], image=rows(7, 1))
    collection = open_collection(tmp_path / "a.parquet")
    assert int(collection.load().max()) == 7
    assert said(collection.account.left_out) == {"column": ["views"]}


@pytest.mark.parametrize("damage", [slice(0, 0), slice(0, 100), slice(0, -1), slice(0, -9)])
def test_damage_is_said_in_one_line(tmp_path: Path, damage: slice) -> None:
    put(tmp_path / "a.parquet", image=rows(0, 5))
    data = (tmp_path / "a.parquet").read_bytes()[damage]
    (tmp_path / "b.parquet").write_bytes(data)
    with pytest.raises(
        InputError, match=r"^[^\n]*b\.parquet: cannot be read \([^\n]*\); is the file damaged or cut off\?$"
    ):
        find_columns(tmp_path / "b.parquet")
