"""Names of pictures in Parquet files: their paths, or a column of texts."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from compressnet.images.account import Ledger
from compressnet.images.formats.parquet.columns import Column, Table, in_one_line, read_column
from compressnet.images.names import tidy_path


@dataclass(frozen=True, slots=True)
class _Name:
    name: str
    is_changed: bool


def read_names(tables: Sequence[Table], ledger: Ledger) -> tuple[list[str] | None, str, set[str]]:
    """A name for each row of all files, or none; where from, in words; the columns taken.

    Rows without a name are called by their number, where others have one. What was changed goes
    into the ledger. Raises InputError for files that cannot be read.
    """
    found = [_names_of_file(table) for table in tables]
    sources = dict.fromkeys((source.name, source.field) for _, taken in found for source in taken)
    if not sources:
        return None, "none: no paths in the column of pictures, and no column of names", set()
    digits = max(5, len(str(sum(table.rows for table in tables) - 1)))
    names: list[str] = []
    numbered = False
    for table, (rows, taken) in zip(tables, found, strict=True):
        for raw in rows if taken else [None] * table.rows:
            name = f"{len(names):0{digits}d}.png" if raw is None else raw.name
            names.append(name)
            if raw is None:
                numbered = True
                ledger.change("named by its number, as it has no name", name)
            elif raw.is_changed:
                ledger.change("name made a plain relative path", name)
    where = [f"{'paths in ' if field else ''}column '{in_one_line(column)}'" for column, field in sources]
    where += ["numbers where there is none"] if numbered else []
    return names, "; ".join(where), {column for column, field in sources if field is None}


def _names_of_file(table: Table) -> tuple[list[_Name | None], list[Column]]:
    """A name for each row that has one, and the columns that gave any.

    A row's name is its original name, else its path. Only where no row has either does another
    column of names count.
    """
    original, paths = table.original_names, table.paths
    rows: list[_Name | None] = list(_read(table, original, _exact_name)) if original else []
    taken = [original] if original and any(rows) else []
    if paths and (None in rows or not rows):
        others = list(_read(table, paths, _plain_name))
        rows = [row or other for row, other in zip(rows, others, strict=True)] if rows else others
        taken += [paths] if any(others) else []
    for column in table.names:
        if taken:
            break
        rows = list(_read(table, column, _plain_name))
        taken = [column] if any(rows) else []
    return rows, taken


def _read(table: Table, column: Column, tidy: Callable[[str], str | None]) -> Iterator[_Name | None]:
    for raw in (value for values in read_column(table, column) for value in values):
        name = None if raw is None else tidy(raw)
        yield None if name is None else _Name(name, name != raw)


def _plain_name(value: str) -> str | None:
    """A path without the parts that tell of the machine on which it was made."""
    path = tidy_path(value)
    foreign = value.startswith(("/", "\\")) or re.match(r"[A-Za-z]:", value) or ".." in path.split("/")
    return (path.rpartition("/")[2] if foreign else path) or None


def _exact_name(value: str) -> str | None:
    """An image's own name as it stands, but for line breaks: an archive keeps one a line."""
    return value.replace("\n", "_")
