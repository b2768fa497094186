"""Codecs and primers that several archives have in common: carried once, by a file beside them.

CodecEntries -> shared.cnet, an archive without images    an archive that names them -> opened
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from compressnet.archive.embedding import SHARED_NAME
from compressnet.container.container import Container
from compressnet.container.entries import CodecEntry
from compressnet.container.sources import FileSource
from compressnet.limits import DEFAULT_LIMITS, Limits


def read_shared(folder: Path, limits: Limits) -> dict[bytes, CodecEntry]:
    """What the file in a folder carries, by identity; nothing where there is no such file.

    Raises FormatError, CorruptError.
    """
    path = folder / SHARED_NAME
    if not path.is_file():
        return {}
    with Container(FileSource(path), limits) as container:
        return {entry.identity: entry for entry in container.codecs if entry.embedded is not None}


def open_file(path: Path, limits: Limits = DEFAULT_LIMITS) -> Container:
    """An archive's structure, with what it shares with others in its folder.

    Raises InputError, FormatError, CorruptError.
    """
    container = Container(FileSource(path), limits)
    try:
        take_shared(container, path.parent)
    except BaseException:
        container.close()
        raise
    return container


def take_shared(container: Container, folder: Path) -> None:
    """Give an archive what it names and does not carry, as if it did carry it.

    What is not there stays as it is. Raises FormatError, CorruptError.
    """
    if all(entry.embedded is not None for entry in container.codecs):
        return
    shared = read_shared(folder, container.limits)
    container.codecs = [
        replace(shared[entry.identity], name=entry.name)
        if entry.embedded is None and entry.identity in shared
        else entry
        for entry in container.codecs
    ]
