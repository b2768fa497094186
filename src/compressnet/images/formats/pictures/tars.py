"""Tar files of pictures, WebDataset's shards among them.

They are packed with gzip, xz, bzip2 or not at all.
"""

from __future__ import annotations

import codecs
import functools
import io
import os
import posixpath
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from compressnet.errors import InputError
from compressnet.images.account import Ledger
from compressnet.images.collection import Collection
from compressnet.images.formats.pictures.members import Member
from compressnet.images.formats.pictures.scanning import members_collection
from compressnet.images.formats.pictures.written import WrittenFiles
from compressnet.images.names import tidy_path
from compressnet.images.packers import open_unpacked
from compressnet.images.reading import AS_IT_IS, Reading
from compressnet.images.untrusted import Readable, as_binary, input_errors, require_bounded

_HEADER_BYTES = tarfile.BLOCKSIZE


def is_tar(header: bytes) -> bool:
    """Whether the first 512 bytes of a file are a tar member's header."""
    try:
        tarfile.TarInfo.frombuf(header, "utf-8", "surrogateescape")
    except (tarfile.TarError, ValueError):
        return False
    return True


def tar_collection(path: Path, reading: Reading = AS_IT_IS) -> Collection:
    """The pictures in a tar file, or in several that were put one after the other, in order.

    Labels from `labels.csv`, or WebDataset's `KEY.cls`. Links are followed within the file.

    Raises InputError.
    """
    ledger = Ledger()
    encoding = _known_encoding(reading.names_encoding, path)
    links = _find_links(path, encoding, ledger)

    def members() -> Iterator[Member]:
        kept: dict[int, bytes] = {}
        for number, (member, stream) in enumerate(_entries(path, encoding)):
            target = links.target_of.get(number)
            if target is not None:
                if target < number:  # else it follows its target
                    yield _kept_member(path, member.name, kept[target])
                    links.forget(kept, target, number)
            elif member.isfile():
                where = f"{path}: {tidy_path(member.name)}"
                if number in links.last_use:
                    kept[number] = _read(stream(), member.size, where)
                    yield _kept_member(path, member.name, kept[number])
                    for name in links.before.get(number, ()):
                        yield _kept_member(path, name, kept[number])
                    links.forget(kept, number, number)
                else:
                    yield Member(path=member.name, where=where, file_bytes=member.size, open=stream)

    return members_collection(str(path), members, reading, ledger)


def _kept_member(path: Path, name: str, data: bytes) -> Member:
    where = f"{path}: {tidy_path(name)}"
    return Member(path=name, where=where, file_bytes=len(data), open=lambda: io.BytesIO(data))


def _read(stream: Readable, member_bytes: int, where: str) -> bytes:
    require_bounded(member_bytes, where)
    data = stream.read()
    if len(data) != member_bytes:
        raise InputError(f"{where}: cut off")
    return data


@dataclass(slots=True)
class _Links:
    """Links of a tar file whose targets are in it, by the numbers of its entries."""

    target_of: dict[int, int] = field(default_factory=dict)
    """The file that each link is a copy of."""
    before: dict[int, list[str]] = field(default_factory=dict)
    """For a file, the names of links to it that came before it: they are taken right after it."""
    last_use: dict[int, int] = field(default_factory=dict)
    """For a file that has links, the entry that needs its bytes last."""

    def forget(self, kept: dict[int, bytes], target: int, number: int) -> None:
        """Drop a file's bytes after their last use."""
        if self.last_use[target] <= number:
            kept.pop(target, None)


def _find_links(path: Path, encoding: str, ledger: Ledger) -> _Links:
    """Go through a tar file's headers. Raises InputError."""
    number_of: dict[str, int] = {}
    pointing: list[tuple[int, str, str]] = []
    folders: set[str] = set()
    for number, (member, _) in enumerate(_entries(path, encoding)):
        name = tidy_path(member.name)
        if member.isfile():
            number_of[name] = number
        elif member.isdir():
            folders.add(name)
        elif member.islnk():
            pointing.append((number, member.name, tidy_path(member.linkname)))
        elif member.issym():
            inside = posixpath.normpath(posixpath.join(posixpath.dirname(name), member.linkname))
            pointing.append((number, member.name, inside))
        else:
            ledger.leave_out("no regular file", name)
    via = {tidy_path(name): target for _, name, target in pointing}
    links = _Links()
    for number, name, target in pointing:
        seen = {tidy_path(name)}
        while target in via and target not in number_of and target not in seen:
            seen.add(target)
            target = via[target]
        if target not in number_of:
            below = any(known.startswith(target + "/") for known in number_of)
            ledger.leave_out("link to a folder" if target in folders or below else "link to nothing", tidy_path(name))
            continue
        file = number_of[target]
        links.target_of[number] = file
        links.last_use[file] = max(links.last_use.get(file, file), number)
        if number < file:
            links.before.setdefault(file, []).append(name)
    return links


def _known_encoding(encoding: str | None, path: Path) -> str:
    try:
        return codecs.lookup(encoding or "utf-8").name
    except LookupError as error:
        raise InputError(f"{path}: --names-encoding {encoding}: no encoding that is known") from error


def _entries(path: Path, encoding: str) -> Iterator[tuple[tarfile.TarInfo, Callable[[], Readable]]]:
    """Each entry and what opens it, in one pass and in little memory. Raises InputError.

    Tar files that were put one after the other (`cat a.tar b.tar`) are read to the end. One that
    lacks its end, or has a damaged header in the middle, is refused: tarfile takes both for the
    end.
    """
    with input_errors(str(path)), open_unpacked(path) as stream:
        source = _Watched(stream, str(path))
        while True:
            options: Any = {"fileobj": source, "mode": "r:", "encoding": encoding, "errors": "surrogateescape"}
            with tarfile.open(**options) as archive:
                while (member := archive.next()) is not None:
                    _forget_members(archive)
                    yield member, functools.partial(_opened, archive, member)
            if source.last.count(0) != _HEADER_BYTES:
                raise InputError(f"{path}: damaged or cut off: its end is missing")
            if not source.goes_on():
                return


def _opened(archive: tarfile.TarFile, member: tarfile.TarInfo) -> Readable:
    stream = archive.extractfile(member)
    return io.BytesIO() if stream is None else as_binary(stream)


class _Watched:
    """A stream that limits how much tarfile reads at once, and remembers the last read.

    The limit is what a picture may take. It goes forward only, so that packed bytes are unpacked
    once.
    """

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self._stream, self._name = stream, name
        self._position, self._ahead = 0, b""
        self.last = b""

    def read(self, size: int) -> bytes:
        require_bounded(size, self._name)
        self.last, self._ahead = self._ahead[:size], self._ahead[size:]
        self.last += self._stream.read(size - len(self.last))
        self._position += len(self.last)
        return self.last

    def seek(self, position: int) -> int:
        """Only forward, but for members that are empty."""
        forward = position - self._position
        if forward < 0:
            raise InputError(f"{self._name}: cannot be read backwards; it is damaged, or was changed meanwhile")
        taken = min(forward, len(self._ahead))
        self._ahead = self._ahead[taken:]
        if forward > taken:
            self._stream.seek(forward - taken, os.SEEK_CUR)
        self._position = position
        return position

    def tell(self) -> int:
        return self._position

    def goes_on(self) -> bool:
        """Whether another tar file follows the end of one; what pads a tar file is passed over.

        Raises InputError where something else follows.
        """
        while block := self._stream.read(_HEADER_BYTES):
            if any(block):
                if not is_tar(block):
                    raise InputError(f"{self._name}: more than a tar file follows the end of one; cut it off")
                self._ahead = block
                return True
            self._position += len(block)
        return False


def write_tar(stream: BinaryIO, written: WrittenFiles) -> None:
    """Write pictures as a tar file, a WebDataset where labels are integers.

    It has no times or owners, so that equal images give equal bytes.
    """
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, data in written.each(webdataset=True):
            _add(archive, name, data)


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    archive.addfile(info, io.BytesIO(data))
    _forget_members(archive)


def _forget_members(archive: tarfile.TarFile) -> None:
    """Drop what tarfile keeps of each member, which is a gigabyte for a million of them."""
    archive.members.clear()  # pyright: ignore[reportAttributeAccessIssue]
