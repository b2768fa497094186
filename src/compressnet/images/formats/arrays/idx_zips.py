"""ZIP files of IDX files, as data sets come from Kaggle and NIST."""

from __future__ import annotations

import gzip
import zipfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from compressnet.images.account import Ledger
from compressnet.images.collection import Collection
from compressnet.images.formats.arrays.common import Opener
from compressnet.images.formats.arrays.files import ArrayFile, array_files_collection
from compressnet.images.names import order_of_path, tidy_path
from compressnet.images.packers import require_readable_member
from compressnet.images.reading import AS_IT_IS, Reading
from compressnet.images.untrusted import as_binary, input_errors

_ENDINGS = ("-ubyte", ".ubyte")
_GZIP = ".gz"


def zip_of_idx_collection(path: Path, reading: Reading = AS_IT_IS) -> Collection | None:
    """The images of all IDX files in a ZIP, plain or gzipped, in the order of their names.

    None where it holds no such files. Raises InputError.
    """
    ledger = Ledger()
    files: list[ArrayFile] = []
    with input_errors(str(path)), zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            name = tidy_path(member.filename)
            if member.is_dir():
                continue
            if name.lower().removesuffix(_GZIP).endswith(_ENDINGS) and "__MACOSX/" not in name:
                require_readable_member(member, f"{path}: {name}")
                files.append(ArrayFile(path=name, where=f"{path}: {name}", open=_opener(path, member)))
            else:
                ledger.leave_out("no IDX file", name)
    if not files:
        return None
    files.sort(key=lambda file: order_of_path(file.path))
    return array_files_collection(str(path), files, reading, ledger)


def _opener(path: Path, member: zipfile.ZipInfo) -> Opener:
    """What opens a member as a stream of its bytes, unpacked."""

    @contextmanager
    def open_member() -> Generator[BinaryIO]:
        with zipfile.ZipFile(path) as archive, archive.open(member) as stream:
            if member.filename.lower().endswith(_GZIP):
                with gzip.open(stream) as unpacked:
                    yield as_binary(unpacked)
            else:
                yield as_binary(stream)

    return open_member
