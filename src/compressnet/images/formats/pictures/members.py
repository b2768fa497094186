"""Picture files of any source: one look at each, then their images as often as they are wanted.

A source is a function that gives its files anew each time, always in the same order.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compressnet.errors import InputError, PictureError
from compressnet.images.account import Ledger
from compressnet.images.collection import Collection, in_batches
from compressnet.images.formats.pictures.pictures import decode_picture, look_at
from compressnet.images.kinds import Pictures
from compressnet.images.names import ending_of, tidy_path
from compressnet.images.reading import Reading
from compressnet.images.untrusted import Readable, input_errors, read_bounded, require_bounded


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A file of a source."""

    path: str
    """As it stands there."""
    where: str
    """What errors call it."""
    file_bytes: int
    open: Callable[[], Readable]
    """A stream of its bytes, which is good until the next member is asked for."""

    def read(self) -> bytes:
        """All of it. Raises InputError, also for more than a picture may take."""
        require_bounded(self.file_bytes, self.where)
        with input_errors(self.where):
            return read_bounded(self.open(), self.where)


Members = Callable[[], Iterable[Member]]


def look_at_member(data: bytes, path: str, where: str, reading: Reading, ledger: Ledger) -> int:
    """How many images a picture's file gives, its account noted in the ledger.

    path: its name, which the account calls it by. Raises PictureError; with `skip_bad` for damage
    within the pixels as well, as the number of images has to be known before they are read.
    """
    look = look_at(data, path, where, reading)
    if reading.skip_bad:
        for _ in decode_picture(data, path, where, reading):
            pass
    for what in look.changed:
        ledger.change(what, path)
    for what in look.dropped:
        ledger.drop(what, path)
    return look.frames


def decoded(source: str, members: Members, frames: Sequence[int], reading: Reading) -> Iterator[Pictures]:
    """All images of a source, one by one.

    frames: how many each file gives; 0 for one that is passed over. Raises InputError; where
    several pictures are damaged it says so, and so it comes at the end.
    """
    bad: list[PictureError] = []
    found = 0
    for found, member in enumerate(members(), 1):
        count = frames[found - 1] if found <= len(frames) else 0
        if not count:
            continue
        try:
            images = decode_picture(member.read(), tidy_path(member.path), member.where, reading)
            number = 0
            for image in images:
                number += 1
                if not bad:
                    yield image
            if number != count:
                raise _changed(source)
        except PictureError as error:
            bad.append(error)
    if bad:
        raise counted(bad, sum(map(bool, frames)))
    if found != len(frames):
        raise _changed(source)


def _changed(source: str) -> InputError:
    return InputError(f"{source}: has changed since it was opened; let nothing change it meanwhile")


def counted(bad: Sequence[PictureError], pictures: int) -> PictureError:
    """The first of several errors, which says how many pictures are like that one."""
    alike = Counter(error.why for error in bad)[bad[0].why]
    others = f", {len(bad) - alike:,} cannot be taken for other reasons" if len(bad) > alike else ""
    be = "is" if alike == 1 else "are"
    return PictureError(
        f"{bad[0]} ({alike:,} of {pictures:,} pictures {be} so{others}; --skip-bad leaves them out)", bad[0].why
    )


def frame_names(name: str, frames: int) -> list[str]:
    """A name for each image of a file.

    Of several, `walk.gif` is `walk-07.gif`, say: in order also where names are sorted.
    """
    if frames == 1:
        return [name]
    ending = ending_of(name)
    stem, digits = name[: len(name) - len(ending)], len(str(frames - 1))
    return [f"{stem}-{frame:0{digits}d}{name[len(stem) :]}" for frame in range(frames)]


def rows_collection(
    source: str,
    members: Members,
    reading: Reading,
    ledger: Ledger,
    *,
    names: Sequence[str] | None,
    labels: NDArray[Any] | None,
    class_names: Sequence[str] | None = None,
    said: tuple[str, str],
) -> Collection:
    """Pictures that are all a source has, with a name and a label for each of them, or none.

    said: where labels and names come from. Raises InputError for the first picture that cannot be
    taken, unless `reading` has it skipped.
    """
    frames = array("I")
    bad: list[PictureError] = []
    for row, member in enumerate(members()):
        name = str(row) if names is None else names[row]
        try:
            frames.append(look_at_member(member.read(), name, member.where, reading, ledger))
        except InputError as error:
            frames.append(0)
            problem = error if isinstance(error, PictureError) else PictureError(str(error), "unreadable")
            if reading.skip_bad:
                ledger.skip(problem.why, name)
            else:
                bad.append(problem)
    if bad:
        raise counted(bad, len(frames))
    count = sum(frames)
    if not count:
        raise InputError(f"{source}: holds no pictures that can be taken")
    per_image = (
        None if names is None else [n for name, k in zip(names, frames, strict=True) if k for n in frame_names(name, k)]
    )
    return Collection(
        name=source,
        count=count,
        batches=lambda: in_batches(decoded(source, members, frames, reading)),
        names=per_image,
        labels=None if labels is None else np.repeat(labels, frames),
        class_names=class_names,
        account=ledger.account(labels=said[0], names=said[1]),
    )
