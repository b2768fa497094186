"""Labels of pictures in a folder or packed file, from what lies beside them and where they lie."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from compressnet.errors import InputError
from compressnet.images.account import Ledger
from compressnet.images.labels import LABELS_FILE, LabelTable, labels_from_texts
from compressnet.images.names import tidy_path

METADATA_FILES = ("metadata.csv", "metadata.jsonl")
"""Hugging Face's, in an image folder: a column `file_name`, and others."""
LABEL_COLUMNS = ("label", "labels", "class", "category", "target")
CLASSES_FILE = "classes.txt"
"""What integer labels stand for, one class a line."""
CLASS_SUFFIX = ".cls"
"""Of WebDataset: `KEY.cls` beside `KEY.png`."""
_SPLITS = frozenset({"train", "test", "val", "valid", "validation", "training", "testing", "dev", "eval"})
_NAMED_CLASSES = 6


@dataclass(slots=True)
class LabelSources:
    """Where labels may come from, gathered while a source is gone through."""

    tables: list[tuple[str, bytes]] = field(default_factory=list)
    """Path and content of each `labels.csv`, `metadata.csv` and `metadata.jsonl`."""
    classes: dict[str, list[str]] = field(default_factory=dict)
    """The text of each `.cls`, by its path without the ending; several where tar files follow one
    another."""
    folders: bool = True
    """Whether folders may be classes."""


def is_label_file(path: str) -> bool:
    """Whether a tidy path is that of a table of labels."""
    return path.rpartition("/")[2] in (LABELS_FILE, *METADATA_FILES)


def labels_of_members(
    files: Sequence[str], sources: LabelSources, source: str, ledger: Ledger
) -> tuple[NDArray[Any] | None, str]:
    """The label of each file, int64 or texts, or None; and where they come from, in words.

    files: the path of each picture's file. They come from the first of these that is there:
    `labels.csv`, Hugging Face's metadata, WebDataset's `.cls`, and the folders where these are
    classes. Raises InputError.
    """
    own = [one for one in sources.tables if one[0].rpartition("/")[2] == LABELS_FILE]
    others = [one for one in sources.tables if one not in own]
    table = LabelTable()
    wanted = set(files)
    for path, data in own:
        table.add(data, wanted, f"{source}: {path}", path.rpartition("/")[0] + "/" if "/" in path else "")
    for name in table.unknown:
        ledger.drop(f"label in {LABELS_FILE} without a picture", name)
    if own:
        _leave_out(ledger, others, sources.classes)
        return table.labels(files, f"{source}: {own[0][0]}"), _listed([path for path, _ in own])
    found = [path for path, data in others if _add_metadata(table, path, data, wanted, source, ledger)]
    if found:
        _leave_out(ledger, [], sources.classes)
        return table.labels(files, f"{source}: {found[0]}"), _listed(found)
    if sources.classes:
        return labels_from_texts(_classes_of(files, sources.classes, source, ledger)), "files .cls"
    if not sources.folders:
        return None, "none"
    classes, said = classes_of_folders(files, ledger)
    return None if classes is None else labels_from_texts(classes), said


def _leave_out(ledger: Ledger, tables: Sequence[tuple[str, bytes]], classes: dict[str, list[str]]) -> None:
    """Labels that are there, but of which others are taken."""
    for path in (*(path for path, _ in tables), *(key + CLASS_SUFFIX for key in classes)):
        ledger.leave_out("labels, as others are taken", path)


def _listed(paths: Sequence[str]) -> str:
    return paths[0] if len(paths) == 1 else f"{paths[0]} and {len(paths) - 1} more"


def _add_metadata(table: LabelTable, path: str, data: bytes, wanted: set[str], source: str, ledger: Ledger) -> bool:
    """Take the labels of one metadata file; False where it has no column of labels."""
    where = f"{source}: {path}"
    rows = _rows_of(path, data, where)
    below = path.rpartition("/")[0] + "/" if "/" in path else ""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    rest = [column for column in columns if column != "file_name"]
    if "file_name" not in columns:
        ledger.leave_out("metadata without a column file_name", path)
        return False
    chosen = next((column for column in LABEL_COLUMNS if column in rest), rest[0] if len(rest) == 1 else None)
    for column in rest:
        if column != chosen:
            ledger.drop("column of metadata", f"{path}: {column}")
    if chosen is None:
        return False
    for row in rows:
        name = below + tidy_path(str(row.get("file_name", "")))
        if name in wanted and row.get(chosen) is not None:  # without one, the picture lacks it
            table.set(name, _text(row[chosen]), where)
        elif name in wanted:
            continue
        else:
            ledger.drop("label in metadata without a picture", name)
    return True


def _text(value: object) -> str:
    """A value of JSON as a label's text."""
    return value if isinstance(value, str) else json.dumps(value)


def _rows_of(path: str, data: bytes, where: str) -> list[dict[str, Any]]:
    try:
        text = data.decode("utf-8-sig")
        if path.endswith(".csv"):
            return list(csv.DictReader(io.StringIO(text, newline="")))
        rows = [json.loads(line) for line in text.splitlines() if line.strip()]
    except (ValueError, csv.Error, RecursionError) as error:
        raise InputError(f"{where}: cannot be read ({error}); mend it, or move it away") from error
    if not all(isinstance(row, dict) for row in rows):
        raise InputError(f"{where}: has a line that is no JSON object; mend it, or move it away")
    return rows


def sample_key(name: str) -> str:
    """WebDataset's key of a member: its path up to the first dot of the file's name."""
    folder, slash, file = name.rpartition("/")
    return folder + slash + file.partition(".")[0]


def stem_of(path: str) -> str:
    """A path without the ending of its file."""
    folder, slash, file = path.rpartition("/")
    stem, dot, _ = file.rpartition(".")
    return folder + slash + (stem if dot else file)


def _classes_of(files: Sequence[str], classes: dict[str, list[str]], source: str, ledger: Ledger) -> list[str]:
    """The class of each file: of its own stem, else of its key.

    Where a stem comes several times, as in tar files that follow one another, each of its files
    takes the class that comes in its turn.
    """
    turns: Counter[str] = Counter()
    found: list[str] = []
    for file in files:
        key = next((key for key in (stem_of(file), sample_key(file)) if key in classes), None)
        if key is None:
            raise InputError(
                f"{source}: {file} has no {stem_of(file)}.cls, though others have; add it, "
                "or take no labels (--no-labels)"
            )
        texts = classes[key]
        if len(texts) > 1 and turns[key] >= len(texts):
            raise InputError(f"{source}: {key} has {len(texts)} files .cls for more pictures; leave one for each")
        found.append(texts[turns[key] if len(texts) > 1 else 0])
        turns[key] += 1
    for key, texts in classes.items():
        for _ in texts[max(1, turns[key]) if turns[key] else 0 :]:
            ledger.drop("label in .cls without a picture", key + CLASS_SUFFIX)
    return found


def classes_of_folders(files: Sequence[str], ledger: Ledger) -> tuple[list[str] | None, str]:
    """The folder of each picture as its class, or None where folders are no classes; and why.

    Folders are classes where pictures lie just below them. A single folder around all of them, and
    folders `train`, `test` and the like, are passed over. A picture without a class does not
    change that of the others, if there are few of them.
    """
    parts = [file.split("/") for file in files]
    said = ""
    while len({path[0] for path in parts}) == 1 and max(map(len, parts)) > 2 and min(map(len, parts)) > 1:
        parts = [path[1:] for path in parts]
    splits = {path[0] for path in parts}
    if max(map(len, parts)) > 2 and all(split.lower() in _SPLITS for split in splits):
        said = f"; of {', '.join(sorted(splits))} put together"
        parts = [path[1:] for path in parts]
    elif splits and all(split.lower() in _SPLITS for split in splits) and len(splits) > 1:
        return None, f"none: no labels.csv, and the folders {', '.join(sorted(splits))} are splits"
    inside = [path for path in parts if len(path) == 2]
    odd = len(parts) - len(inside)
    folders = sorted({path[0] for path in inside})
    if not inside or (odd and (len(folders) < 2 or odd >= len(inside))):
        return None, "none: no labels.csv, no class folders"
    for path, file in zip(parts, files, strict=True):
        if len(path) == 1:
            ledger.drop("class, as it lies in no class folder", file)
        elif len(path) > 2:
            ledger.change("below its class folder", file)
    named = ", ".join(folders[:_NAMED_CLASSES]) + (", ..." if len(folders) > _NAMED_CLASSES else "")
    return ["" if len(path) == 1 else path[0] for path in parts], f"{len(folders)} class folders ({named}){said}"
