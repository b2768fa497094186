"""Where an archive's bytes come from: a file, read by position, a URL, a stream, or memory."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, Protocol

from compressnet.errors import InputError
from compressnet.remote import Url, located
from compressnet.threads import Lock

KEPT_BYTES = 1 << 24
"""What is read ahead of a URL at once, at most."""
RECENT_BYTES = 1 << 22
"""Of what was read last of a URL, what stays at hand."""
WINDOW_BYTES = 1 << 22
"""What is read of a URL at once where all of it is read."""


class Source(Protocol):
    """Bytes that can be read from anywhere."""

    name: str
    total_bytes: int

    def read_at(self, offset: int, count_bytes: int) -> bytes:
        """Up to `count_bytes` from an offset."""
        ...

    def read_each(self, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
        """Up to so many bytes from several offsets."""
        return [self.read_at(offset, count_bytes) for offset, count_bytes in ranges]

    def expect(self, offset: int, count_bytes: int) -> None:
        """Fetch bytes that will be read in small parts, where each reading costs."""

    def close(self) -> None:
        """Free what it holds."""


class FileSource(Source):
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


class StreamSource(Source):
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


class BytesSource(Source):
    """An archive in memory."""

    def __init__(self, data: bytes, name: str) -> None:
        self.name, self._data, self.total_bytes = name, data, len(data)

    def read_at(self, offset: int, count_bytes: int) -> bytes:
        """Up to `count_bytes` from an offset."""
        return self._data[offset : offset + count_bytes]

    def close(self) -> None:
        """Nothing to free."""


class UrlSource(Source):
    """A file behind a URL, of which exactly those bytes are fetched that are asked for.

    It is safe for several threads, and for processes that forked from one.
    """

    def __init__(self, url: Url) -> None:
        """One request, for the size. Raises InputError, MissingExtraError."""
        self._url, self.name = url, str(url)
        self.total_bytes = url.file_bytes()
        self._kept: list[tuple[int, bytes]] = []
        self._recent: dict[tuple[int, int], bytes] = {}
        self._lock = Lock()

    def expect(self, offset: int, count_bytes: int) -> None:
        """Fetch bytes and keep them; none that are kept already, if these are the last of them."""
        end = min(offset + min(count_bytes, KEPT_BYTES), self.total_bytes)
        if end <= offset or self._found(offset, end - offset) is not None:
            return
        for start, data in self._kept:
            if offset < start < end <= start + len(data):
                self._kept.append((offset, self._url.read_range(offset, start - offset) + data))
                return
        self._kept.append((offset, self._url.read_range(offset, end - offset)))

    def read_at(self, offset: int, count_bytes: int) -> bytes:
        """Up to `count_bytes` from an offset: one request, or none for what is kept."""
        return self.read_each([(offset, count_bytes)])[0]

    def read_each(self, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
        """Up to so many bytes from several offsets; what follows on one another is one request."""
        within = [(start, max(0, min(count, self.total_bytes - start))) for start, count in ranges]
        found = {one: data for one in within if (data := self._found(*one)) is not None}
        missing = sorted({one for one in within if one not in found})
        runs: list[list[tuple[int, int]]] = []
        for one in missing:
            if runs and sum(runs[-1][-1]) == one[0] and sum(one) - runs[-1][0][0] <= KEPT_BYTES:
                runs[-1].append(one)
            else:
                runs.append([one])
        fetched = self._url.read_ranges([(run[0][0], sum(run[-1]) - run[0][0]) for run in runs]) if runs else []
        for run, data in zip(runs, fetched, strict=True):
            first = run[0][0]
            found.update({(start, count): data[start - first : start - first + count] for start, count in run})
        self._remember({one: found[one] for one in missing})
        return [found[one] for one in within]

    def _remember(self, ranges: dict[tuple[int, int], bytes]) -> None:
        """Keep what was read last, as images of one block are asked for one after the other."""
        with self._lock:
            self._recent.update(ranges)
            left_bytes = sum(map(len, self._recent.values())) - RECENT_BYTES
            for one in list(self._recent):
                if left_bytes <= 0:
                    break
                left_bytes -= len(self._recent.pop(one))

    def _found(self, offset: int, count_bytes: int) -> bytes | None:
        """Bytes that are kept."""
        if (recent := self._recent.get((offset, count_bytes))) is not None:
            return recent
        end = offset + count_bytes
        held = ((start, data) for start, data in self._kept if start <= offset and end <= start + len(data))
        start, data = next(held, (offset, b"" if not count_bytes else None))
        return None if data is None else data[offset - start : end - start]


class WindowSource(Source):
    """A source of which all is read, about in order: each read of it takes a large window."""

    def __init__(self, source: Source) -> None:
        self._source, self.name, self.total_bytes = source, source.name, source.total_bytes
        self._window = (0, b"")

    def read_at(self, offset: int, count_bytes: int) -> bytes:
        """Up to `count_bytes` from an offset."""
        start, data = self._window
        if not start <= offset <= offset + count_bytes <= start + len(data):
            start, data = offset, self._source.read_at(offset, max(count_bytes, WINDOW_BYTES))
            self._window = (start, data)
        return data[offset - start : offset - start + count_bytes]

    def close(self) -> None:
        """Close what it reads."""
        self._source.close()


def open_source(path: str | os.PathLike[str] | Url, *, whole: bool = False) -> Source:
    """A file of this machine or behind a URL.

    whole: whether all of it is going to be read. Raises InputError, MissingExtraError.
    """
    place = located(path)
    if not isinstance(place, Url):
        return FileSource(place)
    return WindowSource(UrlSource(place)) if whole else UrlSource(place)


def in_windows(source: Source) -> Source:
    """The same source, for reading all of it."""
    return WindowSource(source) if isinstance(source, UrlSource) else source
