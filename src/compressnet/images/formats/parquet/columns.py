"""Which columns of a Parquet file hold pictures, labels and names, and what is in them.

Types of columns are Arrow's. Polars, pandas and Hugging Face write texts and bytes as several of
them; here `string`, `large_string` and `string_view` are texts, and `binary`, `large_binary` and
`binary_view` are bytes, in a dictionary or not.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from compressnet.errors import InputError, MissingExtraError
from compressnet.images.untrusted import require_bounded

IMAGE_COLUMNS = (
    *("image", "img", "images", "picture", "photo"),
    *("jpg", "jpeg", "png", "webp", "pixel_values", "bytes"),
)
"""The first that there is holds the pictures; the case of letters does not matter."""
LABEL_COLUMNS = ("label", "labels", "class", "target", "y", "fine_label", "category", "cls")
NAME_COLUMNS = ("file_name", "filename", "name", "image_path", "path")
"""Names are there where the pictures have no paths."""
ORIGINAL_NAME = "original_name"
"""A column of the names that images had before they were written; it goes before their paths."""

INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
OTHER_NUMBERS = ("bool", "halffloat", "float", "double")
_TEXTS = ("string", "large_string", "string_view")
_BYTES = ("binary", "large_binary", "binary_view")
_READ_ROWS = 256
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column, or with `field` a field of its structs."""

    name: str
    kind: str
    """The type of its values; of a dictionary, those that it stands for."""
    field: str | None = None

    @property
    def text(self) -> str:
        """What messages call it."""
        return f"column '{in_one_line(self.name)}'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A Parquet file, and the columns that matter here."""

    path: Path
    rows: int
    images: Column
    paths: Column | None
    """Of the pictures, in the same structs."""
    original_names: Column | None
    names: Sequence[Column]
    """Columns that may hold names, where pictures have no paths."""
    labels: Column | None
    same_names: Sequence[str]
    """Columns by a name that one before them has."""
    other_images: Sequence[str]
    others: Sequence[str]
    """All other columns but that of labels, and other fields of the structs with the pictures."""
    hugging_face: bytes | None
    """What Hugging Face's `datasets` notes of the columns, JSON."""


def import_pyarrow() -> tuple[ModuleType, ModuleType]:
    """The modules `pyarrow` and `pyarrow.parquet`.

    Raises MissingExtraError where pyarrow is not installed.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ModuleNotFoundError as error:
        message = "Parquet needs pyarrow, which is not installed; pip install 'compressnet[parquet]'"
        raise MissingExtraError(message) from error
    return pyarrow, pyarrow.parquet


def in_one_line(text: str) -> str:
    """The text with `_` for each control character: names and messages are lines of text."""
    return _CONTROL.sub("_", text)


def find_columns(path: Path) -> Table:
    """What is where in a file. Raises InputError, also where no column holds pictures."""
    with _opened(path) as file:
        rows: int = file.metadata.num_rows
        schema = file.schema_arrow
        names: list[str] = schema.names
        fields = {name: schema.types[names.index(name)] for name in dict.fromkeys(names)}
        metadata: dict[bytes, bytes] = schema.metadata or {}
    columns = [Column(name=name, kind=_kind_of(kind)) for name, kind in fields.items()]
    images = _image_columns(fields)
    if not images:
        raise InputError(f"{path}: {_why_no_pictures(fields)}")
    chosen, inner = images[0], _fields_of(fields[images[0].name])
    image_names = [image.name for image in images]
    columns = [column for column in columns if column.name not in image_names]
    labels = _label_column(columns)
    others = [column for column in columns if column is not labels]
    texts = {column.name.lower(): column for column in reversed(others) if column.kind in _TEXTS}
    has_path = inner.get("path") in (*_TEXTS, "null")
    unused = [f"{chosen.name}.{name}" for name in inner if name != "bytes" and not (name == "path" and has_path)]
    return Table(
        path=path,
        rows=rows,
        images=chosen,
        paths=Column(name=chosen.name, kind=inner["path"], field="path") if has_path else None,
        original_names=texts.get(ORIGINAL_NAME),
        names=[texts[name] for name in NAME_COLUMNS if name in texts],
        labels=labels,
        same_names=[name for name in fields if names.count(name) > 1],
        other_images=image_names[1:],
        others=[*(column.name for column in others), *unused],
        hugging_face=metadata.get(b"huggingface"),
    )


def _kind_of(kind: Any) -> str:
    arrow, _ = import_pyarrow()
    return str(kind.value_type if arrow.types.is_dictionary(kind) else kind)


def _fields_of(kind: Any) -> dict[str, str]:
    """The fields of structs and their types; none for any other type."""
    arrow, _ = import_pyarrow()
    return {inner.name: _kind_of(inner.type) for inner in kind} if arrow.types.is_struct(kind) else {}


def _image_columns(fields: dict[str, Any]) -> list[Column]:
    """All columns that may hold pictures, the likeliest first.

    By name; then structs by other names; or else bytes by any other name, where they are the only.
    """
    named: list[tuple[int, Column]] = []
    unnamed: list[Column] = []
    for name, kind in fields.items():
        rank = _rank(name, IMAGE_COLUMNS)
        inner = _fields_of(kind).get("bytes")
        if inner in (*_BYTES, "null"):
            named.append((rank, Column(name=name, kind=inner, field="bytes")))
        elif _kind_of(kind) in _BYTES:
            column = Column(name=name, kind=_kind_of(kind))
            if rank < len(IMAGE_COLUMNS):
                named.append((rank, column))
            elif name.lower() not in (*LABEL_COLUMNS, *NAME_COLUMNS, ORIGINAL_NAME):
                unnamed.append(column)
    if named:
        return [column for _, column in sorted(named, key=lambda found: found[0])]
    return unnamed if len(unnamed) == 1 else []


def _label_column(columns: Iterable[Column]) -> Column | None:
    """The likeliest column of labels: one of a type that labels have, before any other."""
    named = [column for column in columns if column.name.lower() in LABEL_COLUMNS]
    named.sort(key=lambda column: (not is_label_kind(column.kind), _rank(column.name, LABEL_COLUMNS)))
    return named[0] if named else None


def is_label_kind(kind: str) -> bool:
    """Whether values of a type may be labels: integers, truth values, floats or texts."""
    return kind in (*INTEGERS, *OTHER_NUMBERS, *_TEXTS)


def _rank(name: str, names: Sequence[str]) -> int:
    return names.index(name.lower()) if name.lower() in names else len(names)


def _why_no_pictures(fields: dict[str, Any]) -> str:
    for name, kind in fields.items():
        inner = getattr(kind, "value_type", None)
        pictures = inner is not None and ("bytes" in _fields_of(inner) or _kind_of(inner) in _BYTES)
        if pictures and str(kind).startswith(("list", "large_list", "fixed_size_list")):
            return (
                f"{Column(name=name, kind='').text} holds several pictures a row; write a row for each of them, "
                f"for example with Polars: frame.explode('{in_one_line(name)}')"
            )
    there = ", ".join(f"{name} ({str(kind)[:40]})" for name, kind in fields.items())
    return (
        "no column with pictures; it has to be a struct of bytes and path, or bytes by the name 'image'; "
        f"there are {in_one_line(there)[:200]}"
    )


@contextmanager
def _opened(path: Path) -> Generator[Any]:
    """A file by pyarrow; any error of it within the block becomes an InputError."""
    _, parquet = import_pyarrow()
    try:
        with parquet.ParquetFile(path, page_checksum_verification=True) as file:
            yield file
    except InputError:
        raise
    except Exception as error:  # pyarrow raises its own errors and Python's, of one line or several
        why = " ".join(str(error).split())
        raise InputError(f"{path}: cannot be read ({in_one_line(why)}); is the file damaged or cut off?") from error


def read_column(table: Table, column: Column) -> Iterator[list[Any]]:
    """The values of a column, some rows at a time; None for null.

    Raises InputError, also where they are not as many as the file has rows.
    """
    wanted = column.name if column.field is None else f"{column.name}.{column.field}"
    rows = 0
    with _opened(table.path) as file:
        for group in range(file.num_row_groups):
            # By groups: pyarrow cannot join the dictionaries of two of them within structs.
            options = {"row_groups": [group], "columns": [wanted], "use_threads": False}
            for batch in file.iter_batches(batch_size=_READ_ROWS, **options):
                values = batch.column(batch.schema.get_all_field_indices(column.name)[0])
                found: list[Any] = (values if column.field is None else values.field(column.field)).to_pylist()
                rows += len(found)
                yield found
    if rows != table.rows:
        raise InputError(
            f"{table.path}: {rows} rows of {in_one_line(wanted)}, but {table.rows} in all; is the file damaged?"
        )


def read_pictures(table: Table) -> Iterator[tuple[str, bytes | None]]:
    """What errors call each row's picture, and its file; None where there is none.

    Raises InputError, also for a file of more bytes than a picture may take.
    """
    row = 0
    for values in read_column(table, table.images):
        for value in values:
            where = f"{table.path}: row {row}"
            require_bounded(0 if value is None else len(value), where)
            yield where, value
            row += 1
