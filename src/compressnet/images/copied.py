"""Collections behind URLs: they are gone through several times, so they are copied first."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from compressnet.files import temporary_folder
from compressnet.images.collection import Collection
from compressnet.images.formats.arrays.beside import names_beside
from compressnet.images.kinds import Pictures
from compressnet.images.reading import Reading
from compressnet.remote import Url, told_as

_ARRAYS = (".npy", "-ubyte", "-ubyte.gz")
"""Endings of files that may have labels and names beside them."""


class _Copy:
    """A file or folder of a URL on this machine, which vanishes when nothing uses it any more."""

    def __init__(self, url: Url) -> None:
        held = ExitStack()
        weakref.finalize(self, held.close)
        self._url, self.path = url, held.enter_context(temporary_folder()) / (url.name or "unnamed")
        self.total_bytes = url.copy_to(self.path)
        for name in names_beside(url.name) if url.name.lower().endswith(_ARRAYS) else []:
            if (other := url.with_name(name)).exists():
                self.total_bytes += other.copy_to(self.path.with_name(name))

    def batches(self, read: Callable[[], Iterator[Pictures]]) -> Iterator[Pictures]:
        """What is read of the copy, with errors that name the URL."""
        with told_as(self.path, self._url):
            yield from read()


def open_copied(url: Url, reading: Reading, opened: Callable[[Path, Reading], Collection]) -> Collection:
    """The images of a copy of what is at a URL. Raises InputError, MissingExtraError."""
    copy = _Copy(url)
    with told_as(copy.path, url):
        collection = opened(copy.path, reading)
    account = replace(collection.account, copied=f"{copy.total_bytes:,} bytes of {url}, to a temporary folder")
    batches = lambda: copy.batches(collection.batches)  # noqa: E731
    return replace(collection, name=str(url), batches=batches, span=None, account=account)


@contextmanager
def local_copy(place: Path | Url) -> Generator[Path]:
    """A path of this machine, or a copy of a URL's file for as long as the block lasts."""
    if isinstance(place, Path):
        yield place
        return
    copy = _Copy(place)
    with told_as(copy.path, place):
        yield copy.path
