"""Labels: integers or texts, one for each image.

They come from tables, by the images' names, or from where the images lie.
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
"""In a folder or packed file: a line `name,label` for each picture, named from where it lies."""
FREE_LETTERS, LETTERS_EACH = 1 << 22, 16
"""Letters that an array of texts has room for in any case, and else for each letter of them."""
_TEXT_HEADER = "text label"
"""In the first line, in place of `label`: labels stay texts even if all of them are numbers."""


def labels_by_name(data: bytes, names: Sequence[str], source: str) -> NDArray[Any]:
    """Labels from a CSV file of two columns, an image's name and its label.

    They are integers where all are, otherwise texts.

    Lines that name none of these images, such as a header, are passed over. Raises InputError
    where an image has no label or two.
    """
    table = LabelTable()
    table.add(data, set(names), source)
    return table.labels(names, source)


def texts_of(texts: Sequence[str]) -> NDArray[Any]:
    """Texts as an array (N,) of strings; of objects where one long text would make that large."""
    room = len(texts) * max(map(len, texts), default=0)
    if room > FREE_LETTERS and room > LETTERS_EACH * sum(map(len, texts)):
        return np.array(texts, np.object_)
    return np.array(texts, np.str_)


def are_texts(labels: NDArray[Any]) -> bool:
    """Whether labels are texts, see `texts_of`."""
    return labels.dtype.kind in "UO"


def string_array(texts: Sequence[str], target: str, what: str) -> NDArray[np.str_]:
    """Texts as files of NumPy hold them, each as long as the longest.

    what: they are. Raises InputError where that would be large.
    """
    array = texts_of(texts)
    if array.dtype == np.object_:
        raise InputError(
            f"{target}: {what} of up to {max(map(len, texts)):,} letters are too long for an array; write a folder, "
            ".zip, .tar or .parquet, or fewer images with --select"
        )
    return array


class LabelTable:
    """Labels by name, from one or several CSV files of two columns."""

    def __init__(self) -> None:
        self._found: dict[str, str] = {}
        self._are_texts = False
        self.unknown: list[str] = []
        """Names that no image has."""

    def add(self, data: bytes, wanted: set[str], source: str, below: str = "") -> None:
        """Take the labels of `wanted` names from a file.

        below: the folder that its names are relative to. Raises InputError where a name has two
        labels, or for what is no such file.
        """
        try:
            rows = list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")))
        except (UnicodeDecodeError, csv.Error) as error:
            raise InputError(f"{source}: cannot be read as CSV in UTF-8 ({error})") from error
        for i, row in enumerate(rows):
            if not row:
                continue
            if len(row) != 2:
                raise InputError(f"{source}: {','.join(row)[:60]!r} is not two columns, a file's name and its label")
            name = tidy_path(row[0])
            name = below + name if below + name in wanted else name
            if name in wanted:
                self.set(name, row[1], source)
            elif i == 0:
                self._are_texts |= row[1] == _TEXT_HEADER
            else:
                self.unknown.append(below + name)

    def set(self, name: str, label: str, source: str) -> None:
        """Note a label. Raises InputError where the name has another one, or for several lines."""
        if "\n" in label:
            raise InputError(f"{source}: the label of {name} has a line break; write it in one line")
        if self._found.setdefault(name, label) != label:
            raise InputError(f"{source}: has two labels for {name}; leave one")

    def labels(self, names: Sequence[str], source: str) -> NDArray[Any]:
        """The label of each name. Raises InputError where one has none."""
        without = next((name for name in names if name not in self._found), None)
        if without is not None:
            raise InputError(f"{source}: has no label for {without}; add a line '{without},LABEL'")
        texts = [self._found[name] for name in names]
        return texts_of(texts) if self._are_texts else labels_from_texts(texts)


def csv_of_labels(names: Sequence[str], labels: NDArray[Any]) -> bytes:
    """The CSV file that `labels_by_name` reads."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    looks_whole = are_texts(labels) and labels_from_texts(labels.tolist()).dtype.kind == "i"
    writer.writerow(("name", _TEXT_HEADER if looks_whole else "label"))
    writer.writerows(zip(names, labels.tolist(), strict=True))
    return text.getvalue().encode()


def labels_from_texts(texts: Sequence[str]) -> NDArray[Any]:
    """int64 where every text is the plain decimal writing of an integer, else the texts.

    So `01`, `1_1` and ` 1` stay what they are.
    """
    try:
        values = np.array([int(text) for text in texts], np.int64)
    except (ValueError, OverflowError):
        return texts_of(texts)
    plain = all(str(value) == text for value, text in zip(values.tolist(), texts, strict=True))
    return values if plain else texts_of(texts)
