"""Reading bytes that nobody vouches for.

There is one error, which names the file, and a bound on what is taken into memory.
"""

from __future__ import annotations

import gzip
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Generator
from contextlib import contextmanager
from typing import BinaryIO, Protocol

from compressnet.errors import InputError

GZIP_MAGIC = b"\x1f\x8b"

FILE_BYTES_LIMIT = 1 << 27
"""A picture, or a file of labels, as it lies in a folder or packed file; twice the pixels of the
largest image."""

# The standard library's parsers document few of the errors that damaged files bring out of them.
_UNREADABLE = (
    OSError,
    EOFError,
    ValueError,
    LookupError,
    ArithmeticError,
    RuntimeError,
    SyntaxError,
    struct.error,
    zlib.error,
    lzma.LZMAError,
    zipfile.BadZipFile,
    tarfile.TarError,
)


class Readable(Protocol):
    """What has `read`, as files do."""

    def read(self, size: int = -1, /) -> bytes:
        """Up to `size` bytes, fewer only at the end."""
        ...


@contextmanager
def input_errors(name: str) -> Generator[None]:
    """Turn any error of reading into an InputError that names the file."""
    try:
        yield
    except InputError:
        raise
    except _UNREADABLE as error:
        raise InputError(f"{name}: cannot be read ({error}); is the file damaged or cut off?") from error


def read_bounded(stream: Readable, name: str) -> bytes:
    """All that is left of a stream.

    Raises InputError where that is more than a picture may take.
    """
    data = stream.read(FILE_BYTES_LIMIT + 1)
    require_bounded(len(data), name)
    return data


def require_bounded(file_bytes: int, name: str) -> None:
    """Raises InputError for more bytes than a picture may take."""
    if file_bytes > FILE_BYTES_LIMIT:
        raise InputError(
            f"{name}: more than {FILE_BYTES_LIMIT >> 20} MiB; no picture within the limits takes that much"
        )


def gunzipped(data: bytes, name: str) -> bytes:
    """The content of gzipped bytes, or the bytes themselves. Raises InputError."""
    if data[:2] != GZIP_MAGIC:
        return data
    with input_errors(name):
        return gzip.decompress(data)


def as_binary(stream: object) -> BinaryIO:
    """A gzip or ZIP stream as what the type checker calls a binary file."""
    return stream  # pyright: ignore[reportReturnType]
