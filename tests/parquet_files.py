"""What the tests of Parquet share: files by pyarrow, with columns as other programs write them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from compressnet.images.account import Note
from picture_files import grey

IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
TEXTS = ["string", "large_string", "string_view", "dictionary of string", "dictionary of large_string"]
BYTES = ["binary", "large_binary", "binary_view", "dictionary of binary", "dictionary of large_binary"]
GROUP_ROWS = 2


def kind_of(name: str) -> pa.DataType:
    """A type by its name, such as `string` or `dictionary of string`."""
    if name.startswith("dictionary of "):
        return pa.dictionary(pa.int32(), kind_of(name.removeprefix("dictionary of ")))
    return getattr(pa, name)()


def rows(first: int, count: int, name: str = "{}.png") -> pa.Array:
    """Pictures of one grey value, their number, with paths."""
    return with_paths([name.format(i) for i in range(first, first + count)], first)


def with_paths(paths: list[str | None], first: int = 0) -> pa.Array:
    return pa.array([{"bytes": grey(first + i), "path": path} for i, path in enumerate(paths)], IMAGE)


def put(path: Path, /, class_names: dict[str, Any] | None = None, **columns: Any) -> None:
    """A file of two rows a group; class_names: by column, as Hugging Face notes them."""
    features = {key: {"names": names, "_type": "ClassLabel"} for key, names in (class_names or {}).items()}
    put_table(path, columns, json.dumps({"info": {"features": features}}) if features else None)


def put_table(path: Path, columns: dict[str, Any], hugging_face: str | None = None) -> None:
    table = pa.table(columns).replace_schema_metadata({"huggingface": hugging_face} if hugging_face else None)
    values = [column.to_pylist() for column in table.columns]
    with pq.ParquetWriter(path, table.schema) as writer:
        # pyarrow cannot cut a table with structs of views into groups
        for first in range(0, max(1, len(table)), GROUP_ROWS):
            parts = [
                pa.array(found[first : first + GROUP_ROWS], kind)
                for found, kind in zip(values, table.schema.types, strict=True)
            ]
            writer.write_table(pa.Table.from_arrays(parts, schema=table.schema))


def said(notes: tuple[Note, ...]) -> dict[str, list[str]]:
    """What an account says, and of which files or columns."""
    return {note.what: list(note.names) for note in notes}
