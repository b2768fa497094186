"""Where an archive's bytes come from: a file, read by position, a stream, or memory."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO, Protocol

from compressnet.errors import InputError
from compressnet.threads import Lock


class Source(Protocol):
    """Bytes that can be read from anywhere."""

    name: str
    total_bytes: int

    def read_at(self, offset: int, count_bytes: int) -> bytes:
        """Up to `count_bytes` from an offset."""
        ...

    def close(self) -> None:
        """Free what it holds."""
        ...


class FileSource:
    """A file, read by position.

    It is safe for several threads, and for processes that forked from one.
    """

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        try:
            if stat.S_ISFIFO(path.stat().st_mode):  # opening it would wait for a writer
                raise InputError(f"{path}: is a pipe, and archives are read by position; give - to read standard input")
            self._stream = path.open("rb")
            self.total_bytes = os.fstat(self._stream.fileno()).st_size
        except OSError as error:
            raise InputError(f"{path}: cannot be opened ({error.strerror})") from error
        self._lock = Lock()

    def read_at(self, offset: int, count_bytes: int) -> bytes:
        """Up to `count_bytes` from an offset."""
        try:
            if hasattr(os, "pread"):
                return os.pread(self._stream.fileno(), count_bytes, offset)
            with self._lock:
                self._stream.seek(offset)
                return self._stream.read(count_bytes)
        except (OSError, ValueError) as error:
            raise InputError(f"{self.name}: cannot be read ({error})") from error

    def close(self) -> None:
        """Close the file."""
        self._stream.close()


class StreamSource:
    """A file that is open, such as one that is being written, and that stays open.

    Reading moves its position.
    """

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self.name, self._stream, self._lock = name, stream, Lock()
        self.total_bytes = stream.seek(0, os.SEEK_END)

    def read_at(self, offset: int, count_bytes: int) -> bytes:
        """Up to `count_bytes` from an offset."""
        with self._lock:
            self._stream.seek(offset)
            return self._stream.read(count_bytes)

    def close(self) -> None:
        """Leave the file to whom it belongs."""


class BytesSource:
    """An archive in memory."""

    def __init__(self, data: bytes, name: str) -> None:
        self.name, self._data, self.total_bytes = name, data, len(data)

    def read_at(self, offset: int, count_bytes: int) -> bytes:
        """Up to `count_bytes` from an offset."""
        return self._data[offset : offset + count_bytes]

    def close(self) -> None:
        """Nothing to free."""
