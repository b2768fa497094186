"""Writing files whole or not at all."""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from compressnet.errors import InputError
from compressnet.remote import Url, located, staged

try:
    import fcntl
except ModuleNotFoundError:  # on Windows, where a file that is open cannot be replaced
    fcntl = None


@contextmanager
def atomic_open(path: Path | Url) -> Generator[BinaryIO]:
    """A binary file that takes the place of `path` when the block ends well, else vanishes.

    It can be read as well, but for a device. A temporary file beside the target, flushed, fsynced,
    renamed. A link is followed, and a file that was there leaves its permissions. A character
    device, such as /dev/null, is written to as it is. What is for a URL is made on this machine,
    and put there at the end. Raises InputError for a pipe and for all else that cannot be
    replaced.
    """
    if isinstance(path, Url):
        with staged(path) as local, local.open("w+b") as stream:
            yield stream
        return
    status = path.stat() if path.exists() else None
    if status is not None and stat.S_ISCHR(status.st_mode):
        with path.open("wb") as stream:
            yield stream
        return
    if status is not None and stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if status is not None and not stat.S_ISREG(status.st_mode):
        raise InputError(f"{path}: is no regular file; write to standard output (-) and redirect that")
    path = path.resolve()
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "w+b") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        temporary.chmod(0o666 & ~current_umask() if status is None else stat.S_IMODE(status.st_mode))
        temporary.replace(path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise


@contextmanager
def open_target(path: str | os.PathLike[str] | Url) -> Generator[BinaryIO]:
    """`atomic_open` for what a user asked for, by path or URL.

    Raises InputError, naming the file, where it cannot be written.
    """
    try:
        with atomic_open(located(path)) as stream:
            yield stream
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror})") from error


def atomic_write(path: Path | Url, data: bytes) -> None:
    """Write all of a file, or leave what was there."""
    with atomic_open(path) as stream:
        stream.write(data)


@contextmanager
def locked(path: Path | Url) -> Generator[Callable[[], None]]:
    """A file that is read and then replaced within the block.

    Gives what to call before replacing it, which raises InputError where the file was changed
    meanwhile. Where the system has advisory locks, that does not happen among those who ask for
    the lock: the second waits for the first, and then reads what that one wrote. URLs have no
    locks: of a change there, it is known what the other side says.
    """
    with _lock(path):
        before = version_of(path)

        def require_unchanged() -> None:
            if version_of(path) != before:
                raise InputError(f"{path}: somebody else changed it meanwhile; nothing was written, so run it again")

        yield require_unchanged


def version_of(path: Path | Url) -> object:
    """What tells a file from another one in its place; None where there is none."""
    if isinstance(path, Url):
        return path.version()
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size


@contextmanager
def _lock(path: Path | Url) -> Generator[None]:
    """Wait for the lock of a file, of which another process may put a new one in its place."""
    if fcntl is None or isinstance(path, Url) or not path.is_file():
        yield
        return
    while True:
        with path.open("rb") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            if os.path.samestat(os.fstat(stream.fileno()), path.stat()):
                yield
                return


def is_same_file(one: Path | Url, other: Path | Url) -> bool:
    """Whether two paths lead to one file that exists; URLs are the same where they are equal."""
    if isinstance(one, Url) or isinstance(other, Url):
        return one == other
    with suppress(OSError):
        return one.samefile(other)
    return False


def current_umask() -> int:
    """The process's umask; reading it takes setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
