"""Pictures among other files, in a folder, ZIP or tar alike: one pass finds out what is there.

members -> look at each -> names, labels, account -> Collection, which decodes them again
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compressnet.errors import InputError, PictureError
from compressnet.images.account import Ledger
from compressnet.images.collection import Collection, in_batches
from compressnet.images.formats.pictures.members import Member, Members, counted, decoded, frame_names, look_at_member
from compressnet.images.formats.pictures.pictures import look_at
from compressnet.images.formats.pictures.sniffing import HEAD_BYTES, is_named_like_a_picture, may_be_a_picture
from compressnet.images.manifest import NAMES_FILE, names_by_file
from compressnet.images.member_labels import (
    CLASS_SUFFIX,
    CLASSES_FILE,
    LabelSources,
    is_label_file,
    labels_of_members,
    stem_of,
)
from compressnet.images.names import is_hidden, is_renamed, leads_out, tidy_path
from compressnet.images.reading import Reading
from compressnet.images.untrusted import input_errors, read_bounded, require_bounded

NO_PICTURE = "no picture, or of a format that is not read"
HIDDEN = "hidden, or of the system"
RENAMED = "named so, as the path that stands there is none for every system"
_CLASS_BYTES_LIMIT = 512


def members_collection(source: str, members: Members, reading: Reading, ledger: Ledger) -> Collection:
    """The pictures among a source's files, in their order.

    ledger: has what the source left out already. Raises InputError where there are none, and for
    the first picture that cannot be taken, unless `reading` has it skipped.
    """
    scan = _Scan(source, reading, ledger)
    for member in members():
        scan.take(member)
    scan.require_pictures()
    names, said_names = scan.image_names()
    labels, said = scan.labels() if reading.labels else (None, "none: not wanted")
    classes = None
    if labels is not None and labels.dtype.kind == "i" and scan.class_names is not None:
        classes = scan.class_names
        said += f"; {CLASSES_FILE}"
    return Collection(
        name=source,
        count=len(names),
        batches=lambda: in_batches(decoded(source, members, scan.frames, reading)),
        names=names,
        labels=labels,
        class_names=classes,
        account=ledger.account(labels=said, names=said_names),
    )


@dataclass(slots=True)
class _Scan:
    """What a source's files are, one after the other."""

    source: str
    reading: Reading
    ledger: Ledger
    frames: array[int] = field(default_factory=lambda: array("I"))
    """How many images each file gives; 0 for what is no picture, or not taken."""
    class_names: list[str] | None = None
    _files: list[str] = field(default_factory=list)
    """The path of each file that is taken."""
    _sources: LabelSources = field(default_factory=LabelSources)
    _bad: list[PictureError] = field(default_factory=list)
    _given: dict[str, str] | None = None
    """Names in place of those of the files."""

    def take(self, member: Member) -> None:
        """Look at a file."""
        path = tidy_path(member.path)
        try:
            frames = self._look(member, path)
        except PictureError as error:
            frames = 0
            if self.reading.skip_bad:
                self.ledger.skip(error.why, path)
            else:
                self._bad.append(error)
        self.frames.append(frames)
        if frames:
            self._files.append(path)
            if is_renamed(member.path, path):
                self.ledger.change(RENAMED, path)

    def _look(self, member: Member, path: str) -> int:
        """How many images a file gives. Raises PictureError."""
        if is_hidden(path) and not leads_out(path):
            self.ledger.leave_out(HIDDEN, path)
            return 0
        if self._is_about_pictures(member, path):
            return 0
        try:
            return self._look_inside(member, path)
        except PictureError:
            raise
        except InputError as error:
            raise PictureError(str(error), "unreadable") from error

    def _is_about_pictures(self, member: Member, path: str) -> bool:
        """Take in a file of labels or names."""
        if is_label_file(path):
            self._sources.tables.append((path, member.read()))
        elif path == CLASSES_FILE:
            self.class_names = _text_of(member).removesuffix("\n").split("\n")
        elif path.endswith(CLASS_SUFFIX) and member.file_bytes <= _CLASS_BYTES_LIMIT:
            self._sources.classes.setdefault(stem_of(path), []).append(_text_of(member).strip())
        elif path == NAMES_FILE:
            given = names_by_file(member.read(), member.where)
            if given is None:
                self.ledger.leave_out(NO_PICTURE, path)
            elif self._given is not None:
                raise InputError(f"{self.source}: has {NAMES_FILE} twice; read its parts one by one")
            else:
                self._given = given
        else:
            return False
        return True

    def _look_inside(self, member: Member, path: str) -> int:
        with input_errors(member.where):
            stream = member.open()
            head = stream.read(HEAD_BYTES)
            if not may_be_a_picture(path, head):
                self.ledger.leave_out(NO_PICTURE, path)
                return 0
            if leads_out(path):
                raise PictureError(
                    f"{member.where}: leads out of the collection; pack it again with plain relative paths",
                    "paths that lead out",
                )
            require_bounded(member.file_bytes, member.where)
            data = head + read_bounded(stream, member.where)
        try:
            return look_at_member(data, path, member.where, self.reading, self.ledger)
        except PictureError:
            if is_named_like_a_picture(path) or _is_picture(data, path, member.where):
                raise
        self.ledger.leave_out(NO_PICTURE, path)
        return 0

    def require_pictures(self) -> None:
        """Raises InputError for the first bad picture, or where there are no pictures."""
        if self._bad:
            raise counted(self._bad, len(self._files) + len(self._bad))
        if not self._files:
            account = self.ledger.account(labels="", names="")
            notes = [note.text() for note in (*account.skipped, *account.left_out)]
            there = f"; there are {'; '.join(notes)}" if notes else ""
            raise InputError(f"{self.source}: no pictures in it that can be taken{there}")

    def image_names(self) -> tuple[list[str], str]:
        """A name for each image: its file's, or with the number of its frame; and what is said."""
        given = self._given or {}
        frames = filter(None, self.frames)
        names: list[str] = []
        for file, count in zip(self._files, frames, strict=True):
            names += frame_names(given.get(file, file), count)
        return names, "those of the files" if self._given is None else NAMES_FILE

    def labels(self) -> tuple[NDArray[Any] | None, str]:
        """The label of each image, or None; and where they come from."""
        self._sources.folders = self._given is None
        labels, said = labels_of_members(self._files, self._sources, self.source, self.ledger)
        return None if labels is None else np.repeat(labels, list(filter(None, self.frames))), said


def _text_of(member: Member) -> str:
    """A file's text. Raises InputError where it is not UTF-8."""
    try:
        return member.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{member.where}: is not UTF-8 ({error}); write it so") from error


def _is_picture(data: bytes, path: str, where: str) -> bool:
    """Whether a file that is not named like a picture is one, even if it is not taken."""
    try:
        look_at(data, path, where, Reading(convert=True))
    except PictureError:
        return False
    return True
