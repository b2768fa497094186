"""Codecs and primers that several archives have in common: carried once, by a file beside them.

CodecEntries -> shared.cnet, an archive without images    an archive that names them -> opened
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from compressnet.archive.embedding import SHARED_NAME
from compressnet.codec.shipped import PathLike, shipped_name
from compressnet.container.container import Container
from compressnet.container.entries import PRIMER_NAME, CodecEntry
from compressnet.container.sources import open_source
from compressnet.limits import DEFAULT_LIMITS, Limits
from compressnet.remote import Url, located


def read_shared(path: Path | Url, limits: Limits) -> dict[bytes, CodecEntry]:
    """What a shared file carries, by identity; nothing where there is no such file.

    Raises InputError, FormatError, CorruptError.
    """
    if not path.exists():
        return {}
    with Container(open_source(path, whole=True), limits) as container:
        return {entry.identity: entry for entry in container.codecs if entry.embedded is not None}


def open_file(path: PathLike | Url, *, whole: bool = False, limits: Limits = DEFAULT_LIMITS) -> Container:
    """An archive's structure, with what it shares with others in its folder.

    whole: whether all of it is going to be read. Raises InputError, FormatError, CorruptError,
    MissingExtraError.
    """
    place = located(path)
    container = Container(open_source(place, whole=whole), limits)
    try:
        take_shared(container, place.with_name(SHARED_NAME))
    except BaseException:
        container.close()
        raise
    return container


def take_shared(container: Container, path: Path | Url) -> None:
    """Give an archive what it names and does not carry, as if it did carry it.

    path: the shared file's, which is read where a codec does not come with the package. What is
    not there stays as it is. Raises InputError, FormatError, CorruptError.
    """
    # To see that a file is missing costs less than reading what ships; of a URL, it is a request.
    if (isinstance(path, Path) and not path.exists()) or all(map(_is_at_hand, container.codecs)):
        return
    shared = read_shared(path, container.limits)
    container.codecs = [
        replace(shared[entry.identity], name=entry.name)
        if entry.embedded is None and entry.identity in shared
        else entry
        for entry in container.codecs
    ]


def _is_at_hand(entry: CodecEntry) -> bool:
    """Whether a codec is carried, or comes with the package."""
    if entry.embedded is not None:
        return True
    return entry.name != PRIMER_NAME and shipped_name(entry.identity, entry.name) is not None
