"""Folders of pictures."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from compressnet.errors import InputError
from compressnet.files import current_umask, temporary_folder
from compressnet.images.account import Ledger
from compressnet.images.collection import Collection
from compressnet.images.formats.pictures.members import Member
from compressnet.images.formats.pictures.scanning import members_collection
from compressnet.images.labels import LABELS_FILE
from compressnet.images.manifest import NAMES_FILE, names_by_file
from compressnet.images.member_labels import CLASSES_FILE
from compressnet.images.names import FOLDERS_LIMIT, order_of_path, tidy_path
from compressnet.images.reading import AS_IT_IS, Reading
from compressnet.images.untrusted import input_errors


def folder_collection(folder: Path, paths: list[str], ledger: Ledger, reading: Reading = AS_IT_IS) -> Collection:
    """The pictures in a folder and below, sorted by their relative paths.

    In the order of `names.csv`, where there is one. `paths` are all its files, and `ledger` has
    what was left out already, both as `files_below` gives them.

    Raises InputError.
    """
    ordered = sorted(paths, key=lambda path: order_of_path(tidy_path(path)))
    if NAMES_FILE in paths:
        with input_errors(str(folder / NAMES_FILE)):
            given = names_by_file((folder / NAMES_FILE).read_bytes(), str(folder / NAMES_FILE)) or {}
        places = {file: place for place, file in enumerate(given)}
        ordered.sort(key=lambda path: places.get(path, len(places)))

    def members() -> Iterator[Member]:
        for path in ordered:
            file = folder / path
            with ExitStack() as stack:  # a file stays open until the next one is asked for

                def opened(file: Path = file, stack: ExitStack = stack):
                    return stack.enter_context(file.open("rb"))

                with input_errors(str(file)):
                    file_bytes = file.stat().st_size
                yield Member(path=path, where=str(file), file_bytes=file_bytes, open=opened)

    return members_collection(str(folder), members, reading, ledger)


def picture_collection(path: Path, reading: Reading = AS_IT_IS) -> Collection:
    """One picture's file, all frames of it. Raises InputError."""
    return replace(folder_collection(path.parent, [path.name], Ledger(), reading), name=str(path))


def files_below(folder: Path) -> tuple[list[str], Ledger]:
    """All files in a folder and below, as relative paths with `/`, and what is left out.

    Links to files count. Links to folders are followed where these lie in the folder, too; others
    are left out, as are links to nothing. Raises InputError.
    """
    found: list[str] = []
    ledger = Ledger()
    with input_errors(str(folder)):
        _walk(folder, "", (folder.resolve(),), found, ledger)
    return found, ledger


def _walk(folder: Path, below: str, around: tuple[Path, ...], found: list[str], ledger: Ledger) -> None:
    """Add the files of a folder. around: the real folders that it lies in, from the top one on."""
    with os.scandir(folder) as entries:
        sorted_entries = sorted(entries, key=lambda entry: entry.name)
    for entry in sorted_entries:
        path = below + entry.name
        if entry.is_dir():
            real = Path(entry.path).resolve() if entry.is_symlink() else around[-1] / entry.name
            if entry.is_symlink() and not real.is_relative_to(around[0]):
                ledger.leave_out("link to a folder outside", path)
            elif len(around) > FOLDERS_LIMIT:
                ledger.leave_out(f"more than {FOLDERS_LIMIT} folders deep", path)
            elif entry.is_symlink() and real in around:
                ledger.leave_out("link to a folder that it lies in", path)
            else:
                _walk(Path(entry.path), path + "/", (*around, real), found, ledger)
        elif entry.is_file():
            found.append(path)
        else:
            ledger.leave_out("link to nothing" if entry.is_symlink() else "no regular file", path)


def write_folder(target: Path, files: Iterable[tuple[str, bytes]]) -> None:
    """Write files of relative names into a new folder, which appears at the end with all of them.

    If the folder exists and is not empty, the files go into it at the end, and what else is in it
    stays. Raises OSError; and InputError where labels or names would stay that are of no file that
    was written.
    """
    with temporary_folder(target) as temporary:
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
        new = files_below(temporary)[0]
        about = (LABELS_FILE, NAMES_FILE, CLASSES_FILE)
        stale = [name for name in about if name not in new and (target / name).exists()]
        if stale:
            raise InputError(f"{target}: has a {stale[0]} from before, which is not of these images; move it away")
        for name in new:
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            (temporary / name).replace(target / name)
