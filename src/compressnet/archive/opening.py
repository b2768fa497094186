"""Archives opened: from a path, from bytes, or from what is open already; and sets of archives.

Nothing here, nor anything that it imports, is about writing, so that opening takes no time for it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

from compressnet.archive.archive import Archive
from compressnet.archive.embedding import resolve_codec
from compressnet.archive.sharing import open_file
from compressnet.codec.codec import BackendName, Codec
from compressnet.codec.shipped import PathLike
from compressnet.container.container import Container
from compressnet.container.entries import CodecEntry
from compressnet.container.sources import BytesSource
from compressnet.limits import DEFAULT_LIMITS, Limits, Spending
from compressnet.remote import absolute, located


def open(  # noqa: A001 - the library's name for it, as in gzip.open
    path: PathLike | bytes,
    codec: PathLike | Codec | None = None,
    backend: BackendName | None = None,
    threads: int | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> Archive:
    """Open an archive by path or URL, or from bytes; or a set of archives by its folder's path.

    Of a URL, ranges are read: the end with the index, what is before the first block, and blocks.

    codec: a name or a path, for an archive that neither embeds its codec nor uses one that ships
    with the package. limits: what opening it, and then reading one image, may take at most; those
    by default are for files from strangers. Raises FormatError for bytes that are no archive,
    CorruptError for a damaged archive, BeyondLimitsError for one that takes more than the limits,
    CodecNotFoundError where a codec is not at hand, CodecError where the given codec is not the
    one that the archive needs, InputError for what cannot be read, MissingExtraError for a URL
    without fsspec.
    """
    if isinstance(path, bytes):
        return open_container(Container(BytesSource(path, "<bytes>"), limits), codec, backend, threads)
    kept = codec.source if isinstance(codec, Codec) else codec
    reopen = functools.partial(open, absolute(path), kept, backend, threads, limits)
    place = located(path)
    if isinstance(place, Path) and place.is_dir():
        from compressnet.archive.shards import open_set  # most archives are files

        return open_set(place, codec, backend, threads, limits, reopen)
    return open_container(open_file(place, limits=limits), codec, backend, threads, reopen)


def open_container(
    container: Container,
    codec: PathLike | Codec | None,
    backend: BackendName | None,
    threads: int | None,
    reopen: Callable[[], Archive] | None = None,
) -> Archive:
    """An archive from its container; closes it where a codec is missing."""
    spending = Spending(container.limits)

    def resolve(entry: CodecEntry) -> Codec:
        return resolve_codec(entry, codec, container.name, backend, threads, spending)

    try:
        return Archive(container, resolve, reopen)
    except BaseException:
        container.close()
        raise
