"""Labels of Parquet files: of every type, or a word on why there are none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from compressnet.images import Collection, Reading, open_collection
from compressnet.images.formats.parquet.columns import LABEL_COLUMNS
from compressnet.images.formats.parquet.parquet import parquet_collection
from parquet_files import TEXTS, kind_of, put, put_table, rows, said

INTEGERS = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "dictionary of int64"]


def labels_of(collection: Collection) -> list[Any] | None:
    return None if collection.labels is None else collection.labels.tolist()


def opened(path: Path, **columns: Any) -> Collection:
    count = len(next(iter(columns.values())))
    put(path / "a.parquet", image=rows(0, count), **columns)
    return open_collection(path / "a.parquet")


@pytest.mark.parametrize("kind", INTEGERS)
def test_integers_of_every_type(tmp_path: Path, kind: str) -> None:
    collection = opened(tmp_path, label=pa.array([3, 0, 127], kind_of(kind)))
    assert collection.labels is not None
    assert collection.labels.dtype == "int64"
    assert labels_of(collection) == [3, 0, 127]
    assert collection.account.labels == f"column 'label' ({kind.removeprefix('dictionary of ')})"
    assert collection.account.is_complete
    assert collection.account.changed == ()


@pytest.mark.parametrize("kind", TEXTS)
def test_texts_of_every_type(tmp_path: Path, kind: str) -> None:
    texts = ["cat", "007", "", "7", "a.b", "日本", " x"]
    collection = opened(tmp_path, label=pa.array(texts, kind_of(kind)))
    assert labels_of(collection) == texts
    assert collection.account.is_complete
    assert collection.account.changed == ()


@pytest.mark.parametrize(
    ("labels", "expected", "kind"),
    [
        (pa.array([True, False]), [1, 0], "bool"),
        (pa.array([1.0, -2.0], pa.float16()), [1, -2], "halffloat"),
        (pa.array([1.0, -2.0], pa.float32()), [1, -2], "float"),
        (pa.array([2.0**53, -0.0]), [2**53, 0], "double"),
    ],
)
def test_truth_values_and_whole_floats_become_integers(
    tmp_path: Path, labels: pa.Array, expected: list[int], kind: str
) -> None:
    collection = opened(tmp_path, label=labels)
    assert labels_of(collection) == expected
    assert said(collection.account.changed) == {f"labels of type {kind} made integers": ["a.parquet"]}
    assert collection.account.is_complete


@pytest.mark.parametrize(
    ("labels", "why"),
    [
        (pa.array([1, None, None, 4]), "has no value in 2 of 4 rows"),
        (pa.array(["a", None, "c"]), "has no value in 1 of 3 rows"),
        (pa.array(["a", None]).dictionary_encode(), "has no value in 1 of 2 rows"),
        (pa.array([0.5, 1.0, 2.5]), "has values that are no integers of 64 bits in 2 of 3 rows"),
        (pa.array([1.0, float("nan"), float("inf")]), "has values that are no integers of 64 bits in 2 of 3 rows"),
        (pa.array([1, 2**63], pa.uint64()), "has values that are no integers of 64 bits in 1 of 2 rows"),
        (pa.array([[1], [2]]), "is of type list<"),
        (pa.array([{"a": 1}]), "is of type struct<"),
        (pa.array([b"cat", b"dog"]), "is of type binary, neither integers nor texts"),
        (pa.array([None, None]), "is of type null"),
    ],
)
def test_labels_that_are_not_one_for_each_are_dropped_with_a_word(tmp_path: Path, labels: pa.Array, why: str) -> None:
    collection = opened(tmp_path, label=labels)
    assert labels_of(collection) is None
    assert len(collection.account.dropped) == 1
    note = collection.account.dropped[0]
    assert note.what.startswith(f"labels, as column 'label' {why}")
    assert note.names == ("a.parquet",)
    assert collection.account.labels.startswith(f"none: column 'label' {why}")
    assert collection.account.left_out == ()


@pytest.mark.parametrize("name", [*LABEL_COLUMNS, "Label"])
def test_columns_of_every_name(tmp_path: Path, name: str) -> None:
    collection = opened(tmp_path, **{name: [3, 4]})
    assert labels_of(collection) == [3, 4]
    assert collection.account.labels == f"column '{name}' (int64)"


@pytest.mark.parametrize(
    ("columns", "taken"),
    [
        ({"coarse_label": [1], "fine_label": [2]}, "fine_label"),
        ({"category": ["x"], "class": [2], "label": [3]}, "label"),
        ({"label": [[1, 2]], "category": ["x"]}, "category"),
        ({"y": [1], "target": [2]}, "target"),
    ],
)
def test_of_several_columns_one_is_taken_and_the_others_named(
    tmp_path: Path, columns: dict[str, Any], taken: str
) -> None:
    collection = opened(tmp_path, **columns)
    assert labels_of(collection) == columns[taken]
    assert said(collection.account.left_out) == {"column": [name for name in columns if name != taken]}


def test_no_column_of_labels(tmp_path: Path) -> None:
    collection = opened(tmp_path, text=["a"])
    assert labels_of(collection) is None
    assert collection.account.labels.startswith("none: no column is called label, labels, class")
    assert collection.account.dropped == ()


def test_labels_are_not_looked_for_where_they_are_not_wanted(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    put(path, image=rows(0, 2), label=[1, None], class_names={"label": ["a", "b"]})
    collection = parquet_collection(str(path), [path], Reading(labels=False))
    assert (collection.labels, collection.class_names) == (None, None)
    assert collection.account.labels == "none: not looked for, as asked"
    assert collection.account.is_complete


@pytest.mark.parametrize("name", ["label", "fine_label"])
def test_names_of_classes(tmp_path: Path, name: str) -> None:
    put(tmp_path / "a.parquet", image=rows(0, 3), **{name: [1, -1, 0]}, class_names={name: ["cat", "dog", "a b", "ä"]})
    collection = open_collection(tmp_path / "a.parquet")
    assert labels_of(collection) == [1, -1, 0]
    assert collection.class_names == ("cat", "dog", "a b", "ä")
    assert collection.account.labels == f"column '{name}' (classes cat, dog, a b, ...)"


@pytest.mark.parametrize("names", ["ab", [], [1, 2], ["a", "a"], {"0": "a"}, None, ["\ud800"]])
def test_names_of_classes_that_are_none(tmp_path: Path, names: Any) -> None:
    put(tmp_path / "a.parquet", image=rows(0, 2), label=[0, 1], class_names={"label": names})
    collection = open_collection(tmp_path / "a.parquet")
    assert labels_of(collection) == [0, 1]
    assert collection.class_names is None
    assert said(collection.account.dropped) == {"names of classes, which are no list of different texts": ["a.parquet"]}


@pytest.mark.parametrize("notes", ["no JSON", "[" * 100_000])
def test_notes_that_are_no_json(tmp_path: Path, notes: str) -> None:
    put_table(tmp_path / "a.parquet", {"image": rows(0, 1), "label": [0]}, notes)
    collection = open_collection(tmp_path / "a.parquet")
    assert labels_of(collection) == [0]
    assert said(collection.account.dropped) == {"Hugging Face's notes, which are no JSON": ["a.parquet"]}


@pytest.mark.parametrize(
    "notes",
    [
        *("[]", "3", "{}", '{"info": 3}', '{"info": {"features": []}}', '{"info": {"features": {"label": 3}}}'),
        '{"info": {"features": {"label": {"dtype": "int64", "_type": "Value"}}}}',
    ],
)
def test_notes_that_name_no_classes(tmp_path: Path, notes: str) -> None:
    put_table(tmp_path / "a.parquet", {"image": rows(0, 1), "label": [0]}, notes)
    collection = open_collection(tmp_path / "a.parquet")
    assert (labels_of(collection), collection.class_names) == ([0], None)
    assert collection.account.is_complete


def shards(tmp_path: Path, *tables: dict[str, Any]) -> Collection:
    (tmp_path / "data").mkdir()
    for i, columns in enumerate(tables):
        put(tmp_path / "data" / f"{i}.parquet", image=rows(2 * i, 2), **columns)
    return open_collection(tmp_path / "data")


def test_types_of_integers_may_differ_between_files(tmp_path: Path) -> None:
    collection = shards(tmp_path, {"label": [1, 2]}, {"label": pa.array([3, 4], pa.int8())}, {"target": [5, 6]})
    assert labels_of(collection) == [1, 2, 3, 4, 5, 6]
    assert collection.account.labels == "column 'label' (int64); column 'label' (int8); column 'target' (int64)"


@pytest.mark.parametrize(
    ("columns", "dropped", "labels"),
    [
        ({}, "labels of all files, as this one has none", "none: 1.parquet has none that can be kept"),
        (
            {"label": ["a", "b"]},
            "labels of all files, as those of this one are texts and others are integers",
            "none: texts in some files and integers in others",
        ),
        (
            {"label": [1, None]},
            "labels, as column 'label' has no value in 1 of 2 rows",
            "none: 1.parquet has none that can be kept",
        ),
    ],
)
def test_a_file_that_lacks_labels_is_named(tmp_path: Path, columns: dict[str, Any], dropped: str, labels: str) -> None:
    collection = shards(tmp_path, {"label": [1, 2]}, columns)
    assert labels_of(collection) is None
    assert said(collection.account.dropped) == {dropped: ["1.parquet"]}
    assert collection.account.labels == labels


def test_a_file_without_rows_does_not_speak_against_the_others(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    put(tmp_path / "data" / "0.parquet", image=rows(0, 0))
    put(tmp_path / "data" / "1.parquet", image=rows(0, 1), label=[7])
    assert labels_of(open_collection(tmp_path / "data")) == [7]


@pytest.mark.parametrize(
    ("second", "labels", "class_names"),
    [
        ({"label": [0, 1], "class_names": {"label": ["a", "b"]}}, [1, 0, 0, 1], ("a", "b")),
        ({"label": [0, -1], "class_names": {"label": ["b", "a"]}}, ["b", "a", "b", "-1"], None),
        ({"label": ["a", "c"]}, ["b", "a", "a", "c"], None),
        ({"label": [0, 1]}, [1, 0, 0, 1], None),
    ],
)
def test_classes_have_one_meaning_in_all_files(
    tmp_path: Path, second: dict[str, Any], labels: list[Any], class_names: tuple[str, ...] | None
) -> None:
    collection = shards(tmp_path, {"label": [1, 0], "class_names": {"label": ["a", "b"]}}, second)
    assert labels_of(collection) == labels
    assert collection.class_names == class_names
    dropped, changed = said(collection.account.dropped), said(collection.account.changed)
    assert changed.pop("shards, read as one collection") == ["0.parquet", "1.parquet"]
    if class_names is not None:
        assert (dropped, changed) == ({}, {})
    elif isinstance(labels[0], str):
        files = ["0.parquet", "1.parquet"] if "class_names" in second else ["0.parquet"]
        notes = {"labels made the texts of their classes, as the files differ in them": files}
        if "-1" in labels:
            notes["labels of no class made texts of their digits"] = ["1.parquet"]
        assert (dropped, changed) == ({}, notes)
    else:
        what = "names of classes, as other files have integers without them"
        assert (dropped, changed) == ({what: ["0.parquet"]}, {})


def test_one_long_text_takes_no_more_memory_than_there_may_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("compressnet.images.formats.parquet.labels.TEXTS_BYTES_LIMIT", 4 * 3 * 10)
    assert labels_of(opened(tmp_path, label=["a", "b", "x" * 10])) == ["a", "b", "x" * 10]
    collection = opened(tmp_path, label=["a", "b", "x" * 11])
    assert labels_of(collection) is None
    assert said(collection.account.dropped) == {
        "labels, as the longest of these texts has 11 characters": ["a.parquet"]
    }


def test_nuls_at_the_end_of_texts_go_with_a_word(tmp_path: Path) -> None:
    collection = opened(tmp_path, label=["a\0", "\0b"])
    assert labels_of(collection) == ["a", "\0b"]
    assert said(collection.account.changed) == {"labels without the NULs at their ends": ["a.parquet"]}
