"""Labels: integers or texts, one for each image.

They come from files of their own, or from where the images lie.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compressnet.errors import InputError
from compressnet.images.names import tidy_path

LABELS_FILE = "labels.csv"
"""At the top of a folder or packed file: a line `name,label` for each picture."""


def labels_by_name(data: bytes, names: Sequence[str], source: str) -> NDArray[Any]:
    """Labels from a CSV file of two columns, an image's name and its label.

    They are integers where all are, otherwise texts.

    Lines that name none of these images, such as a header, are passed over. Raises InputError
    where an image has no label or two.
    """
    wanted = set(names)
    found: dict[str, str] = {}
    try:
        for row in csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")):
            if len(row) not in (0, 2):
                raise InputError(f"{source}: {','.join(row)[:60]!r} is not two columns, a file's name and its label")
            name = tidy_path(row[0]) if row else ""
            if name in wanted and found.setdefault(name, row[1]) != row[1]:
                raise InputError(f"{source}: has two labels for {name}; leave one")
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{source}: cannot be read as CSV in UTF-8 ({error})") from error
    without = next((name for name in names if name not in found), None)
    if without is not None:
        raise InputError(f"{source}: has no label for {without}; add a line '{without},LABEL'")
    return labels_from_texts([found[name] for name in names])


def csv_of_labels(names: Sequence[str], labels: NDArray[Any]) -> bytes:
    """The CSV file that `labels_by_name` reads."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(("name", "label"))
    writer.writerows(zip(names, labels.tolist(), strict=True))
    return text.getvalue().encode()


def labels_of_members(
    names: Sequence[str], labels_csv: bytes | None, classes: dict[str, str], source: str
) -> NDArray[Any] | None:
    """The labels of pictures in a folder or packed file, or none.

    They come from the first of these that is there:

    labels_csv: what is in `labels.csv` at the top;
    classes: WebDataset's, the text of `KEY.cls` by KEY;
    the sub-folders, which are labels where every picture lies exactly one level down.

    Raises InputError.
    """
    if labels_csv is not None:
        return labels_by_name(labels_csv, names, f"{source}: {LABELS_FILE}")
    if classes:
        return np.array([_class_of(name, classes, source) for name in names], np.int64)
    if all(name.count("/") == 1 for name in names):
        return np.array([name.partition("/")[0] for name in names], np.str_)
    return None


def sample_key(name: str) -> str:
    """WebDataset's key of a member: its path up to the first dot of the file's name."""
    folder, slash, file = name.rpartition("/")
    return folder + slash + file.partition(".")[0]


def _class_of(name: str, classes: dict[str, str], source: str) -> int:
    key = sample_key(name)
    if key not in classes:
        raise InputError(f"{source}: {name} has no {key}.cls, though others have; add it, or leave out all of them")
    try:
        return int(np.int64(int(classes[key])))
    except (ValueError, OverflowError) as error:
        raise InputError(f"{source}: {key}.cls holds {classes[key][:40]!r}, which is no integer label") from error


def labels_from_texts(texts: Sequence[str]) -> NDArray[Any]:
    """int64 where every text is the plain decimal writing of an integer, else the texts.

    So `01`, `1_1` and ` 1` stay what they are.
    """
    try:
        values = np.array([int(text) for text in texts], np.int64)
    except (ValueError, OverflowError):
        return np.array(texts, np.str_)
    plain = all(str(value) == text for value, text in zip(values.tolist(), texts, strict=True))
    return values if plain else np.array(texts, np.str_)


def plain_labels(array: NDArray[Any]) -> NDArray[Any] | None:
    """An array (N,) or (N,1) of integers or texts as (N,) int64 or texts; None for any other."""
    flat = array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array
    if flat.ndim != 1:
        return None
    if flat.dtype.kind == "U":
        return flat
    if flat.dtype.kind not in "bui" or (flat.dtype.kind == "u" and flat.size and flat.max() > np.iinfo(np.int64).max):
        return None
    return flat.astype(np.int64)
