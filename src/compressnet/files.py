"""Writing files whole or not at all.

What is being written is a temporary file or folder beside its target, which its process holds a
lock on. Where a process was killed, the next one that writes into that folder finds what it left:
nobody holds the lock, so it is removed.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
import tempfile
import time
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

TEMPORARY = ".compressnet-tmp"
"""How the names of temporary files and folders end; they begin with a dot."""
NAME_BYTES = 200
"""Of a target's name, which is a part of the temporary one's, at most."""
OLD_S = 24 * 60 * 60
"""Where there are no locks, what is left of so long ago is nobody's."""


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
    temporary, handle = _make_temporary(path, folder=False)
    try:
        with os.fdopen(handle, "w+b") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
            temporary.chmod(0o666 & ~current_umask() if status is None else stat.S_IMODE(status.st_mode))
            if fcntl is not None:  # before it is closed, which gives the lock back
                temporary.replace(path)
        if fcntl is None:
            temporary.replace(path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise


@contextmanager
def temporary_folder(beside: Path | None = None) -> Generator[Path]:
    """A new folder beside a target, or where the system has temporary files; removed at the end.

    It may be moved away before.
    """
    target = Path(tempfile.gettempdir()) / "compressnet" if beside is None else beside.absolute()
    path, handle = _make_temporary(target, folder=True)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
        if handle >= 0:
            os.close(handle)


def _make_temporary(target: Path, *, folder: bool) -> tuple[Path, int]:
    """A temporary file or folder beside a target, and its descriptor, which holds a lock.

    The descriptor of a folder is -1 where there are no locks.
    """
    _remove_left(target.parent)
    prefix = f".{target.name}." if len(os.fsencode(target.name)) <= NAME_BYTES else "."
    while True:
        handle = -1
        if folder:
            name = tempfile.mkdtemp(prefix=prefix, suffix=TEMPORARY, dir=target.parent)
            if fcntl is not None:
                handle = os.open(name, os.O_RDONLY)
        else:
            handle, name = tempfile.mkstemp(prefix=prefix, suffix=TEMPORARY, dir=target.parent)
        if fcntl is None:
            return Path(name), handle
        with suppress(OSError):  # some file systems have no locks; then nothing is removed there
            fcntl.flock(handle, fcntl.LOCK_EX)
        with suppress(FileNotFoundError):  # another process may have taken it for one that was left
            if os.path.samestat(os.fstat(handle), Path(name).stat()):
                return Path(name), handle
        os.close(handle)


def _remove_left(folder: Path) -> None:
    """Remove temporary files and folders of processes that ended before they could."""
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(".") and entry.name.endswith(TEMPORARY):
                with suppress(OSError):
                    _remove_if_left(Path(entry.path), is_folder=entry.is_dir(follow_symlinks=False))


def _remove_if_left(path: Path, *, is_folder: bool) -> None:
    """Remove a temporary file or folder that nobody holds. Raises OSError."""
    if fcntl is None:
        if time.time() - path.stat().st_mtime < OLD_S:
            return
        handle = -1
    else:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        if fcntl is not None:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if is_folder:
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink()
    finally:
        if handle >= 0:
            os.close(handle)


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
