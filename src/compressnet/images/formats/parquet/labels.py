"""Labels of Parquet files, from a column of integers or texts, and what the integers stand for."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from compressnet.images.account import Ledger
from compressnet.images.formats.parquet.columns import (
    INTEGERS,
    LABEL_COLUMNS,
    OTHER_NUMBERS,
    Column,
    Table,
    in_one_line,
    is_label_kind,
    read_column,
)
from compressnet.images.labels import texts_of

TEXTS_BYTES_LIMIT = 1 << 31
"""Of all texts as an array, where each takes as much as the longest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """The labels of all rows, or none."""

    values: NDArray[Any] | None
    """(N,) int64 or texts."""
    class_names: tuple[str, ...] | None
    where: str
    """Where they come from, or why there are none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _FileLabels:
    """Those of one file: integers, texts, or neither."""

    file: str
    where: str
    integers: NDArray[np.int64] | None = None
    texts: list[str] | None = None
    class_names: tuple[str, ...] | None = None
    has_column: bool = True


class _UnfitError(Exception):
    """A column that holds no labels; why."""


def read_labels(tables: Sequence[Table], ledger: Ledger) -> Labels:
    """The labels of files, one after the other, where all have them in one type.

    What is not kept goes into the ledger. Raises InputError for files that cannot be read.
    """
    files = [_read_file(table, ledger) for table in tables]
    if not any(file.has_column for file in files):
        return _none(f"no column is called {', '.join(LABEL_COLUMNS[:-1])} or {LABEL_COLUMNS[-1]}")
    bare = [file for file in files if file.integers is None and file.texts is None]
    if bare:
        if len(bare) == len(files):
            return _none("; ".join(dict.fromkeys(file.where for file in files)))
        for file in (file for file in bare if not file.has_column):
            ledger.drop("labels of all files, as this one has none", file.file)
        return _none(f"{bare[0].file} has none that can be kept")
    files = _with_one_meaning(files, ledger)
    where = "; ".join(dict.fromkeys(file.where for file in files))
    integers = [file.integers for file in files if file.integers is not None]
    texts = [text for file in files for text in file.texts or ()]
    if integers and texts:
        for file in (file for file in files if file.texts is not None):
            ledger.drop("labels of all files, as those of this one are texts and others are integers", file.file)
        return _none("texts in some files and integers in others")
    if integers:
        return Labels(values=np.concatenate(integers), class_names=files[0].class_names, where=where)
    longest = max(map(len, texts))
    if 4 * longest * len(texts) > TEXTS_BYTES_LIMIT:
        for file in files:
            ledger.drop(f"labels, as the longest of these texts has {longest} characters", file.file)
        return _none(f"the longest text has {longest} characters, too much for an array of {len(texts)}")
    for file in files:
        if any(text.endswith("\0") for text in file.texts or ()):
            ledger.change("labels without the NULs at their ends", file.file)
    return Labels(values=texts_of(texts), class_names=None, where=where)


def _none(why: str) -> Labels:
    return Labels(values=None, class_names=None, where=f"none: {why}")


def _with_one_meaning(files: list[_FileLabels], ledger: Ledger) -> list[_FileLabels]:
    """The same labels, where an integer has the same class in all files, or the classes' texts."""
    named = [file for file in files if file.class_names is not None]
    if not named or (len(named) == len(files) and len({file.class_names for file in named}) == 1):
        return files
    if any(file.integers is not None and file.class_names is None for file in files):
        for file in named:
            ledger.drop("names of classes, as other files have integers without them", file.file)
        return [replace(file, class_names=None) for file in files]
    for file in named:
        ledger.change("labels made the texts of their classes, as the files differ in them", file.file)
    return [_as_texts(file, ledger) for file in files]


def _as_texts(file: _FileLabels, ledger: Ledger) -> _FileLabels:
    """Names of classes instead of integers; one that has none, such as -1, as it is written."""
    if file.integers is None or file.class_names is None:
        return file
    names = file.class_names
    if file.integers.min() < 0 or file.integers.max() >= len(names):
        ledger.change("labels of no class made texts of their digits", file.file)
    texts = [names[value] if 0 <= value < len(names) else str(value) for value in file.integers.tolist()]
    return replace(file, integers=None, texts=texts, class_names=None)


def _read_file(table: Table, ledger: Ledger) -> _FileLabels:
    column, file = table.labels, table.path.name
    if column is None:
        return _FileLabels(file=file, where="no column of labels", has_column=False)
    where = f"{column.text} ({column.kind})"
    try:
        if not is_label_kind(column.kind):
            raise _UnfitError(f"is of type {in_one_line(column.kind)[:60]}, neither integers nor texts")
        if column.kind in (*INTEGERS, *OTHER_NUMBERS):
            integers = np.concatenate([np.empty(0, np.int64), *_integers(table, column)])
            class_names = _class_names(table, column, ledger) if column.kind in INTEGERS else None
            if column.kind in OTHER_NUMBERS:
                ledger.change(f"labels of type {column.kind} made integers", file)
            if class_names is not None:
                first = in_one_line(", ".join(class_names[:3]))
                where = f"{column.text} (classes {first}{', ...' if len(class_names) > 3 else ''})"
            return _FileLabels(file=file, where=where, integers=integers, class_names=class_names)
        texts = [text for values in _without_null(table, column) for text in values]
    except _UnfitError as error:
        ledger.drop(f"labels, as {column.text} {error}", file)
        return _FileLabels(file=file, where=f"{column.text} {error}")
    return _FileLabels(file=file, where=where, texts=texts)


def _without_null(table: Table, column: Column) -> Iterator[list[Any]]:
    """The column's values. Raises _UnfitError at the end where some are null."""
    missing = 0
    for values in read_column(table, column):
        missing += values.count(None)
        yield values
    if missing:
        raise _UnfitError(f"has no value in {missing} of {table.rows} rows")


def _integers(table: Table, column: Column) -> Iterator[NDArray[np.int64]]:
    """The column's values as int64.

    Raises _UnfitError at the end where some are no integers of 64 bits.
    """
    unfit = 0
    for values in _without_null(table, column):
        present = [value for value in values if value is not None]
        # Floats of this size and all integers within it are exactly what they say.
        fit = [value for value in present if -(2**63) <= value < 2**63 and value == int(value)]
        unfit += len(present) - len(fit)
        yield np.array([int(value) for value in fit], np.int64)
    if unfit:
        raise _UnfitError(f"has values that are no integers of 64 bits in {unfit} of {table.rows} rows")


def _class_names(table: Table, column: Column, ledger: Ledger) -> tuple[str, ...] | None:
    """What the integers of a column stand for, as Hugging Face's `ClassLabel` says."""
    if table.hugging_face is None:
        return None
    feature: Any = None
    try:
        feature = json.loads(table.hugging_face)["info"]["features"][column.name]
    except (KeyError, TypeError):  # it does not speak of this column
        return None
    except (ValueError, RecursionError):
        ledger.drop("Hugging Face's notes, which are no JSON", table.path.name)
        return None
    if not isinstance(feature, dict) or cast("dict[str, Any]", feature).get("_type") != "ClassLabel":
        return None
    names: Any = cast("dict[str, Any]", feature).get("names")
    if not _are_class_names(names):
        ledger.drop("names of classes, which are no list of different texts", table.path.name)
        return None
    return tuple(names)


def _are_class_names(names: Any) -> bool:
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in cast("list[Any]", names)):
        return False
    texts = cast("list[str]", names)
    # JSON may hold halves of characters, which no file takes.
    return len(set(texts)) == len(texts) and not any(
        "\ud800" <= letter <= "\udfff" for text in texts for letter in text
    )
