"""Folders of pictures."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from compressnet.errors import InputError
from compressnet.files import current_umask
from compressnet.images.collection import Collection
from compressnet.images.formats.pictures import picture_collection
from compressnet.images.labels import LABELS_FILE, labels_of_members
from compressnet.images.names import order_of_path, picture_name
from compressnet.images.untrusted import input_errors, read_bounded


def folder_collection(folder: Path, paths: list[str]) -> Collection:
    """The pictures in a folder and below, sorted by their relative paths.

    `paths` are all its files.

    Raises InputError.
    """
    found = ((picture_name(path, str(folder / path)), path) for path in paths)
    named = sorted(((name, path) for name, path in found if name is not None), key=lambda pair: order_of_path(pair[0]))
    if not named:
        raise InputError(f"{folder}: no pictures in it (PNG, JPEG, WebP, BMP, GIF, TIFF)")
    with input_errors(f"{folder / LABELS_FILE}"):
        labels_csv = (folder / LABELS_FILE).read_bytes() if LABELS_FILE in paths else None
    names = [name for name, _ in named]
    labels = labels_of_members(names, labels_csv, {}, str(folder))

    def read_files() -> Iterator[tuple[str, bytes]]:
        for _, path in named:
            file = folder / path
            with input_errors(str(file)), file.open("rb") as stream:
                yield str(file), read_bounded(stream, str(file))

    return picture_collection(str(folder), names, len(names), labels, read_files)


def files_below(folder: Path) -> list[str]:
    """All files in a folder and below, as relative paths with `/`.

    Links to files count, links to folders do not.
    """
    found: list[str] = []
    with input_errors(str(folder)):
        for where, _, files in os.walk(folder, onerror=_raise):
            below = Path(where).relative_to(folder).as_posix()
            found += files if below == "." else [f"{below}/{file}" for file in files]
    return found


def _raise(error: OSError) -> None:
    raise error


def write_folder(target: Path, files: Iterable[tuple[str, bytes]]) -> None:
    """Write files of relative names into a new folder, which appears at the end with all of them.

    If the folder exists and is not empty, the files go into it at the end, and what else is in it
    stays. Raises OSError.
    """
    parent = target.absolute().parent
    temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".tmp", dir=parent))
    try:
        made: set[str] = set()
        for name, data in files:
            folder = name.rpartition("/")[0]
            if folder and folder not in made:
                (temporary / folder).mkdir(parents=True, exist_ok=True)
                made.add(folder)
            (temporary / name).write_bytes(data)
        temporary.chmod(0o777 & ~current_umask())
        if target.is_dir() and not any(target.iterdir()):
            target.rmdir()
        if not target.is_dir():
            temporary.replace(target)
            return
        for name in files_below(temporary):
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            (temporary / name).replace(target / name)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
