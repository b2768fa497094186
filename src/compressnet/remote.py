"""Files by URL, such as `s3://`, `https://` or `zip://a.cnet::https://...`.

All that knows fsspec is here. It is imported when the first URL is met, and what it says of a URL
becomes one of compressnet's errors. Archives are read in exact ranges; what has to be there as a
whole is copied to a temporary folder, and what is written is made in one and then put whole.
"""

from __future__ import annotations

import os
import re
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from compressnet.errors import CompressnetError, InputError, MissingExtraError

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*(://|::.*://)", re.DOTALL)
_FILE = "file://"
_LINKS = ("http", "https")
"""Protocols whose addresses may end in a query."""
_ANYWHERE: tuple[type[Exception], ...] = (Exception,)
"""What file systems raise: each has its client library's own errors, and no common root."""


def is_url(path: object) -> bool:
    """Whether a path is the URL of a file, or a chain of URLs, and no path of this machine."""
    return isinstance(path, str) and _URL.match(path) is not None


def located(path: str | os.PathLike[str] | Url) -> Path | Url:
    """A path of this machine, also for a URL `file://`, or a URL."""
    if isinstance(path, Url):
        return path
    if isinstance(path, str) and path.startswith(_FILE) and "::" not in path:
        from urllib.request import url2pathname

        return Path(url2pathname(path.removeprefix(_FILE)))
    return Url(path) if isinstance(path, str) and is_url(path) else Path(path)


def absolute(path: str | os.PathLike[str]) -> str | Path:
    """What leads to the same file from any folder and in any process."""
    place = located(path)
    return str(place) if isinstance(place, Url) else place.absolute()


class Url:
    """A file, or a folder, behind a URL; has what is used of a `Path`.

    It may be used by several threads, and connects anew in a process that forked. Whatever asks
    the other side raises InputError, which names the URL, and MissingExtraError.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._connected: tuple[int, Any, str] | None = None

    def __str__(self) -> str:
        return self._text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Url) and str(other) == self._text

    def __hash__(self) -> int:
        return hash(self._text)

    @property
    def name(self) -> str:
        """The last part of its path, without a query; of a chain, that of its first path."""
        return PurePosixPath(self._parts()[1]).name

    @property
    def suffix(self) -> str:
        """The ending of its name."""
        return PurePosixPath(self.name).suffix

    def with_name(self, name: str) -> Url:
        """What is called so beside it."""
        before, path, after = self._parts()
        folder, slash, _ = path.rstrip("/").rpartition("/")
        return Url(before + folder + slash + name + after)

    def _parts(self) -> tuple[str, str, str]:
        """What comes before, in and after the path that its name is in."""
        links = self._text.split("::")
        number = next(number for number, link in enumerate(links) if "://" in link)
        protocol, path = links[number].split("://", 1)
        query = min((path.find(mark) for mark in "?#" if mark in path), default=len(path))
        cut = query if protocol in _LINKS else len(path)
        before = "::".join([*links[:number], f"{protocol}://"])
        return before, path[:cut], "::".join([path[cut:], *links[number + 1 :]])

    def _system(self) -> tuple[Any, str]:
        """The file system, connected by this process, and the path there."""
        if self._connected is None or self._connected[0] != os.getpid():
            try:
                from fsspec.core import url_to_fs
            except ModuleNotFoundError as error:
                raise MissingExtraError(
                    f"{self}: fsspec is not installed, and URLs are read by it; pip install 'compressnet[remote]'"
                ) from error
            try:
                self._connected = (os.getpid(), *url_to_fs(self._text))
            except ImportError as error:
                raise MissingExtraError(f"{self}: a package for such URLs is not installed ({error})") from error
            except _ANYWHERE as error:
                raise InputError(f"{self}: no URL that can be opened ({_said(error)})") from error
        return self._connected[1:]

    @contextmanager
    def _asked(self, verb: str) -> Generator[tuple[Any, str]]:
        """The file system and the path, with errors that name the URL."""
        system = self._system()
        try:
            yield system
        except CompressnetError:
            raise
        except _ANYWHERE as error:
            if isinstance(error, FileNotFoundError) and verb == "read":
                raise InputError(f"{self}: no such file or folder") from error
            raise InputError(f"{self}: cannot be {verb} ({_said(error)})") from error

    def _info(self) -> dict[str, Any]:
        """What the other side says of it: one request."""
        with self._asked("read") as (system, path):
            system.invalidate_cache()  # of listings, in which a file keeps the size that it had
            return system.info(path)

    def exists(self) -> bool:
        """Whether there is something."""
        with self._asked("looked for") as (system, path):
            system.invalidate_cache()
            return bool(system.exists(path))

    def file_bytes(self) -> int:
        """The size of the file: one request."""
        info = self._info()
        if info["type"] == "directory" or info.get("size") is None:
            what = "is a folder" if info["type"] == "directory" else "the server does not tell its size"
            raise InputError(f"{self}: {what}; give a file, or download it first")
        return int(info["size"])

    def version(self) -> str:
        """What tells the file from another one in its place, as far as the other side says."""
        info = self._info()
        return repr([info.get(key) for key in ("size", "ETag", "mtime", "LastModified", "generation", "created")])

    def read_range(self, offset: int, count_bytes: int) -> bytes:
        """The bytes from an offset, all of which the file has: one request."""
        return self.read_ranges([(offset, count_bytes)])[0]

    def read_ranges(self, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
        """The bytes of several ranges, offset and count, all within the file.

        One request for each, side by side.
        """
        with self._asked("read") as (system, path):
            starts, ends = [start for start, _ in ranges], [start + count for start, count in ranges]
            if len(ranges) == 1:
                found = [system.cat_file(path, start=starts[0], end=ends[0])]
            else:
                found = system.cat_ranges([path] * len(ranges), starts, ends, on_error="raise")
        for data, (_, count) in zip(found, ranges, strict=True):
            if len(data) != count:
                raise InputError(
                    f"{self}: {len(data)} bytes came where {count} were asked for; the file changed, or its server "
                    "does not send parts of files: download it first"
                )
        return [bytes(data) for data in found]

    def read_bytes(self) -> bytes:
        """The whole file."""
        with self._asked("read") as (system, path):
            return bytes(system.cat_file(path))

    def copy_to(self, local: Path) -> int:
        """Copy a file, or a folder with all below it, to where nothing is; gives its bytes."""
        is_folder = self._info()["type"] == "directory"
        with self._asked("read") as (system, path):
            found, targets = [path], [local]
            if is_folder:
                found = [one for one in system.find(path) if not one.endswith("/")]  # the mark of an empty folder
                targets = [local / self._below(one, path) for one in found]
                local.mkdir()
            for folder in {target.parent for target in targets}:
                folder.mkdir(parents=True, exist_ok=True)
            system.get(found, [str(target) for target in targets])
            return sum(target.stat().st_size for target in targets)

    def _below(self, path: str, folder: str) -> str:
        """A path below a folder, relative to it."""
        relative = path.removeprefix(folder).strip("/")
        if ".." in relative.split("/") or PurePosixPath(relative).is_absolute():
            raise InputError(f"{self}: holds the name {relative!r}, which leads out of the folder; rename it")
        return relative

    def put(self, local: Path) -> None:
        """Put a file there, in place of what was."""
        with self._asked("written") as (system, path):
            system.put_file(str(local), path)

    def unlink(self, *, missing_ok: bool = False) -> None:
        """Remove the file."""
        if not missing_ok or self.exists():
            with self._asked("removed") as (system, path):
                system.rm_file(path)


def _said(error: Exception) -> str:
    """An error of another library, in a line."""
    return " ".join(str(error).split()) or type(error).__name__


@contextmanager
def staged(url: Url) -> Generator[Path]:
    """A path of this machine for what is to be at a URL.

    When the block ends well, what is there and beside it is put there, each file whole. Raises
    InputError.
    """
    import tempfile  # reading does without

    with tempfile.TemporaryDirectory(prefix="compressnet-") as folder:
        local = Path(folder) / (url.name or "unnamed")
        with told_as(local, url):
            yield local
        for path in sorted(Path(folder).iterdir()):
            url.with_name(path.name).put(path)


@contextmanager
def told_as(local: Path, url: Url) -> Generator[None]:
    """Let errors name a URL where they name the path that stands for it."""
    try:
        yield
    except CompressnetError as error:
        error.args = (str(error).replace(str(local), str(url)), *error.args[1:])
        raise
