"""Writing files whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from compressnet.errors import InputError


@contextmanager
def atomic_open(path: Path) -> Generator[BinaryIO]:
    """A binary file that takes the place of `path` if the block ends well, and otherwise vanishes.

    It is a temporary file beside the target, which is flushed, fsynced and renamed.
    """
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        temporary.chmod(0o666 & ~current_umask())
        temporary.replace(path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise


@contextmanager
def open_target(path: Path) -> Generator[BinaryIO]:
    """`atomic_open` for what a user asked for.

    Raises InputError, naming the file, where it cannot be written.
    """
    try:
        with atomic_open(path) as stream:
            yield stream
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror})") from error


def atomic_write(path: Path, data: bytes) -> None:
    """Write all of a file, or leave what was there."""
    with atomic_open(path) as stream:
        stream.write(data)


def current_umask() -> int:
    """The process's umask; reading it takes setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
