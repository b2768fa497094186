"""Parquet files with a column of pictures, as Hugging Face's data sets have them; needs pyarrow.

The column is a struct of `bytes` and `path`, or plain bytes; a column `label` of integers or texts
gives the labels (`parquet_columns` has the other names that columns may have). Reading goes by
batches of rows, writing by row groups.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from compressnet.errors import InputError, PictureError
from compressnet.images.account import Ledger
from compressnet.images.collection import Collection
from compressnet.images.formats.parquet.columns import (
    ORIGINAL_NAME,
    Table,
    find_columns,
    import_pyarrow,
    in_one_line,
    read_pictures,
)
from compressnet.images.formats.parquet.labels import Labels, read_labels
from compressnet.images.formats.parquet.names import read_names
from compressnet.images.formats.pictures.members import Member, rows_collection
from compressnet.images.formats.pictures.pictures import encode_png
from compressnet.images.kinds import Pictures
from compressnet.images.reading import AS_IT_IS, Reading
from compressnet.images.untrusted import Readable

PARQUET_MAGIC = b"PAR1"
PARQUET_SUFFIX = ".parquet"
_GROUP_ROWS = 1024
_GROUP_BYTES = 1 << 26


def parquet_collection(source: str, paths: Sequence[Path], reading: Reading = AS_IT_IS) -> Collection:
    """The pictures in Parquet files, one file after the other.

    Names where any row has one, labels where all files have them; columns that are left out, and
    whatever else is not taken as it stands, are in its account.

    Raises InputError, MissingExtraError.
    """
    ledger = Ledger()
    tables = [find_columns(path) for path in paths]
    if not any(table.rows for table in tables):
        raise InputError(f"{source}: holds no rows")
    names, names_where, name_columns = read_names(tables, ledger)
    # A file without rows has nothing that could speak against the others.
    filled = [table for table in tables if table.rows]
    unread = Labels(values=None, class_names=None, where="none: not looked for, as asked")
    labels = read_labels(filled, ledger) if reading.labels else unread
    _note_columns(tables, name_columns, ledger)

    def members() -> Iterator[Member]:
        rows = (row for table in tables for row in read_pictures(table))
        for i, (where, data) in enumerate(rows):
            yield _member("" if names is None else names[i], where, data)

    return rows_collection(
        source,
        members,
        reading,
        ledger,
        names=names,
        labels=labels.values,
        class_names=labels.class_names,
        said=(labels.where, names_where),
    )


def _member(name: str, where: str, data: bytes | None) -> Member:
    """A row's picture, which may be missing."""

    def opened() -> Readable:
        if data is None:
            message = f"{where}: holds no picture, only a path at most; embed the files' bytes"
            raise PictureError(message, "no picture, only a path at most")
        return io.BytesIO(data)

    return Member(path=name, where=where, file_bytes=len(data or b""), open=opened)


def _note_columns(tables: Sequence[Table], name_columns: set[str], ledger: Ledger) -> None:
    """Each column that is in no use, once, however many files have it."""
    for name in dict.fromkeys(name for table in tables for name in table.same_names):
        ledger.leave_out("another column by the same name", in_one_line(name))
    for name in dict.fromkeys(name for table in tables for name in table.other_images):
        ledger.leave_out("another column of pictures", in_one_line(name))
    for name in dict.fromkeys(name for table in tables for name in table.others):
        if name not in name_columns:
            ledger.leave_out("column", in_one_line(name))


def write_parquet(
    stream: BinaryIO,
    batches: Iterable[Pictures],
    names: Sequence[str] | None,
    labels: NDArray[Any] | None,
    class_names: Sequence[str] | None = None,
    original_names: Sequence[str] | None = None,
) -> None:
    """Write PNGs as Hugging Face's data sets read them.

    They go into a column `image` of bytes and path; labels into a column `label`, int64 or string.

    names: of PNG files, the paths; without them paths are null. class_names: what integer labels
    stand for, all different; `label` is then a `ClassLabel`. original_names: of the images, where
    they are not the paths; they go into a column `original_name`. Raises MissingExtraError.
    """
    arrow, parquet = import_pyarrow()
    integers = labels is not None and labels.dtype.kind in "bui"
    image_type = arrow.struct([("bytes", arrow.binary()), ("path", arrow.string())])
    fields: list[tuple[str, Any]] = [("image", image_type)]
    features: dict[str, Any] = {"image": {"_type": "Image"}}
    columns: list[tuple[Any, Any]] = []
    if labels is not None:
        label_type = arrow.int64() if integers else arrow.string()
        fields.append(("label", label_type))
        features["label"] = {"dtype": str(label_type), "_type": "Value"}
        if integers and class_names is not None:
            features["label"] = {"names": list(class_names), "_type": "ClassLabel"}
        columns.append((label_type, labels.astype(np.int64) if integers else labels))
    if original_names is not None:
        fields.append((ORIGINAL_NAME, arrow.string()))
        features[ORIGINAL_NAME] = {"dtype": "string", "_type": "Value"}
        columns.append((arrow.string(), original_names))
    schema = arrow.schema(fields, metadata={"huggingface": json.dumps({"info": {"features": features}})})
    options: dict[str, Any] = {"use_dictionary": False, "write_statistics": False, "write_page_checksum": True}
    with parquet.ParquetWriter(stream, schema, **options) as writer:
        first = 0
        for pngs in _groups(batches):
            rows = slice(first, first + len(pngs))
            paths = [None] * len(pngs) if names is None else names[rows]
            pictures = [{"bytes": png, "path": path} for png, path in zip(pngs, paths, strict=True)]
            arrays = [arrow.array(pictures, image_type)]
            arrays += [arrow.array(list(values[rows]), kind) for kind, values in columns]
            writer.write_table(arrow.Table.from_arrays(arrays, schema=schema))
            first = rows.stop


def _groups(batches: Iterable[Pictures]) -> Iterator[list[bytes]]:
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
