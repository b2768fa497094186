"""`names.csv`: the names of images whose files are named otherwise, in order.

It is written where a folder or packed file alone would not give names, order or the lack of labels
back: where names had to be changed for a file system, say.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from compressnet.errors import InputError

NAMES_FILE = "names.csv"
"""At the top of a folder or packed file: a line `file,name` for each picture."""
_HEADER = ["file", "name"]


def csv_of_names(files: Sequence[str], names: Sequence[str]) -> bytes:
    """The file that `names_by_file` reads."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(_HEADER)
    writer.writerows(zip(files, names, strict=True))
    return text.getvalue().encode()


def names_by_file(data: bytes, source: str) -> dict[str, str] | None:
    """The name of each file, in the order of the images; None for a CSV file of another kind.

    Raises InputError for what is damaged.
    """
    try:
        rows = list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")))
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{source}: cannot be read as CSV in UTF-8 ({error})") from error
    if not rows or rows[0] != _HEADER:
        return None
    odd = next((row for row in rows if len(row) not in (0, 2)), None)
    if odd is not None:
        raise InputError(f"{source}: {','.join(odd)[:60]!r} is not two columns, a file and the name of its image")
    return {row[0]: row[1] for row in rows[1:] if row}
