"""Parquet files with a column of pictures, as Hugging Face's data sets have them; needs pyarrow.

The column is a struct of `bytes` and `path`, or plain bytes by the name `image` or `img`. A column
`label` of integers or texts gives the labels. Reading goes by batches of rows, writing by row
groups.
"""

from __future__ import annotations

import functools
import io
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from compressnet.errors import InputError, MissingExtraError
from compressnet.images.account import Ledger
from compressnet.images.collection import Collection
from compressnet.images.formats.members import Member, rows_collection
from compressnet.images.formats.pictures import encode_png
from compressnet.images.kinds import Images
from compressnet.images.labels import plain_labels
from compressnet.images.names import tidy_path
from compressnet.images.reading import AS_IT_IS, Reading
from compressnet.images.untrusted import input_errors, require_bounded

PARQUET_MAGIC = b"PAR1"
PARQUET_SUFFIX = ".parquet"
LABEL_COLUMN = "label"
_BYTES_COLUMNS = ("image", "img")
_READ_ROWS = 256
_GROUP_ROWS = 1024
_GROUP_BYTES = 1 << 26


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageColumn:
    """Where the pictures are: in a column, or in fields of its structs.

    With `has_struct` they are in the field `bytes` and, with `has_path`, their paths in the field
    `path`.
    """

    name: str
    has_struct: bool
    has_path: bool


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


def parquet_collection(source: str, paths: Sequence[Path], reading: Reading = AS_IT_IS) -> Collection:
    """The pictures in Parquet files, one file after the other.

    Names and labels where all files have them.

    Raises InputError, MissingExtraError.
    """
    columns = [(path, _find_column(path)) for path in paths]
    names: list[str | None] = []
    labels: list[NDArray[Any] | None] = []
    for path, column in columns:
        names += _read_names(path, column)
        labels.append(_read_labels(path))
    if not names:
        raise InputError(f"{source}: holds no rows")
    arrays = [array for array in labels if array is not None]
    whole = len(arrays) == len(labels) and len({array.dtype.kind for array in arrays}) == 1

    def members() -> Iterator[Member]:
        for path, column in columns:
            for where, data in _read_pictures(path, column):
                yield Member(path="", where=where, file_bytes=len(data), open=functools.partial(io.BytesIO, data))

    return rows_collection(
        source,
        members,
        reading,
        Ledger(),
        names=None if None in names else [name for name in names if name is not None],
        labels=np.concatenate(arrays) if whole else None,
        said=("", ""),
    )


def _find_column(path: Path) -> ImageColumn:
    arrow, _ = import_pyarrow()
    with _opened(path) as file:
        fields: list[Any] = list(file.schema_arrow)

    def is_bytes(kind: Any) -> bool:
        return arrow.types.is_binary(kind) or arrow.types.is_large_binary(kind)

    fields.sort(key=lambda field: field.name not in _BYTES_COLUMNS)
    for field in fields:
        if arrow.types.is_struct(field.type):
            kinds = {inner.name: inner.type for inner in field.type}
            if is_bytes(kinds.get("bytes", arrow.null())):
                has_path = arrow.types.is_string(kinds.get("path", arrow.null()))
                return ImageColumn(name=field.name, has_struct=True, has_path=has_path)
        elif field.name in _BYTES_COLUMNS and is_bytes(field.type):
            return ImageColumn(name=field.name, has_struct=False, has_path=False)
    raise InputError(
        f"{path}: no column with pictures; it has to be a struct of bytes and path, or bytes by the name 'image'; "
        f"there are {', '.join(field.name for field in fields)[:200]}"
    )


def _opened(path: Path) -> Any:
    _, parquet = import_pyarrow()
    with input_errors(str(path)):
        return parquet.ParquetFile(path, page_checksum_verification=True)


def _read_column(path: Path, column: str, field: str | None = None) -> Iterator[list[Any]]:
    """The values of a column, or of a field of its structs, some rows at a time.

    Raises InputError.
    """
    wanted = column if field is None else f"{column}.{field}"
    with input_errors(str(path)), _opened(path) as file:
        for batch in file.iter_batches(batch_size=_READ_ROWS, columns=[wanted], use_threads=False):
            values = batch.column(0)
            yield (values if field is None else values.field(field)).to_pylist()


def _read_names(path: Path, column: ImageColumn) -> list[str | None]:
    """A tidy name for each row, None for those without."""
    with _opened(path) as file:
        rows: int = file.metadata.num_rows
    if not column.has_path:
        return [None] * rows
    return [_plain_name(value) for values in _read_column(path, column.name, "path") for value in values]


def _plain_name(value: str | None) -> str | None:
    """A path without the parts that tell of the machine on which it was made."""
    if not value:
        return None
    path = tidy_path(value)
    foreign = value.startswith("/") or re.match(r"[A-Za-z]:", value) or ".." in path.split("/")
    return (path.rpartition("/")[2] if foreign else path) or None


def _read_labels(path: Path) -> NDArray[Any] | None:
    arrow, _ = import_pyarrow()
    with _opened(path) as file:
        schema = file.schema_arrow
    if LABEL_COLUMN not in schema.names:
        return None
    kind = schema.field(LABEL_COLUMN).type
    if not (arrow.types.is_integer(kind) or arrow.types.is_string(kind) or arrow.types.is_boolean(kind)):
        return None
    values = [value for part in _read_column(path, LABEL_COLUMN) for value in part]
    return None if None in values else plain_labels(np.array(values))


def _read_pictures(path: Path, column: ImageColumn) -> Iterator[tuple[str, bytes]]:
    row = 0
    for values in _read_column(path, column.name, "bytes" if column.has_struct else None):
        for value in values:
            where = f"{path}: row {row}"
            if value is None:
                raise InputError(f"{where}: holds no picture, only a path at most; embed the files' bytes")
            require_bounded(len(value), where)
            yield where, value
            row += 1


def write_parquet(
    stream: BinaryIO, batches: Iterable[Images], names: Sequence[str], labels: NDArray[Any] | None
) -> None:
    """Write PNGs as Hugging Face's data sets read them.

    They go into a column `image` of bytes and path; labels go into a column `label`.

    Raises MissingExtraError.
    """
    arrow, parquet = import_pyarrow()
    image_type = arrow.struct([("bytes", arrow.binary()), ("path", arrow.string())])
    integers = labels is not None and labels.dtype.kind in "iu"
    label_type = arrow.int64() if integers else arrow.string()
    features = {"image": {"_type": "Image"}}
    fields = [("image", image_type)]
    if labels is not None:
        features[LABEL_COLUMN] = {"dtype": "int64" if integers else "string", "_type": "Value"}
        fields.append((LABEL_COLUMN, label_type))
    schema = arrow.schema(fields, metadata={"huggingface": json.dumps({"info": {"features": features}})})
    options: dict[str, Any] = {"use_dictionary": False, "write_statistics": False, "write_page_checksum": True}
    with parquet.ParquetWriter(stream, schema, **options) as writer:
        first = 0
        for pngs in _groups(batches):
            last = first + len(pngs)
            pictures = [{"bytes": png, "path": name} for png, name in zip(pngs, names[first:last], strict=True)]
            columns = [arrow.array(pictures, image_type)]
            if labels is not None:
                columns.append(arrow.array(labels[first:last].tolist(), label_type))
            writer.write_table(arrow.Table.from_arrays(columns, schema=schema))
            first = last


def _groups(batches: Iterable[Images]) -> Iterator[list[bytes]]:
    """PNGs of a row group each."""
    group: list[bytes] = []
    group_bytes = 0
    for image in (image for batch in batches for image in batch):
        group.append(encode_png(image))
        group_bytes += len(group[-1])
        if len(group) == _GROUP_ROWS or group_bytes >= _GROUP_BYTES:
            yield group
            group, group_bytes = [], 0
    if group:
        yield group
