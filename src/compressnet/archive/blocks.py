"""Blocks of an open archive, decoded together and kept for a while.

Images have two numbers: their position in the collection, and their place among the images in the
blocks (`Container.places_of`). This module knows places alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from compressnet.archive.cache import BlockCache, Kept
from compressnet.archive.codings import Coding, Codings
from compressnet.codec.codec import Codec
from compressnet.coding.coder import WITHOUT_CODEC, Coder, Values
from compressnet.coding.lockstep import LockstepPart, lockstep_parts, together_of
from compressnet.container.block import Block
from compressnet.container.container import Container
from compressnet.errors import CorruptError
from compressnet.images.kinds import Images, count_text, size_text
from compressnet.limits import Limits
from compressnet.threads import spread

CACHE_BYTES = 64 << 20
"""Values that an open archive keeps."""

_FIRST = np.zeros(1, np.int64)


def _distinct(images: NDArray[np.int64]) -> NDArray[np.int64]:
    """In order; a lone image does without np.unique, which imports masked arrays."""
    return images if len(images) == 1 else np.unique(images)


def _none() -> NDArray[np.int64]:
    return np.zeros(0, np.int64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Images of blocks that were coded alike, among those asked for."""

    coding: Coding
    rows: NDArray[np.int64]
    """Which of the places asked for."""
    values: Values
    """Theirs, in the order of rows."""

    def images(self) -> Images:
        """Decoded, uint8 (n,H,W,C), the channels that were coded."""
        return self.coding.coder.images_of(self.values)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Task:
    """Images of a block that are asked for, and what has to be read for them."""

    number: int
    rows: NDArray[np.int64]
    """Which of the places asked for they are."""
    images: NDArray[np.int64]
    """Which of the block's images they are."""
    known: Kept
    """What was read of the block before."""
    payload: bytes = b""
    """The block's, if something has to be read."""
    missing: NDArray[np.int64] = field(default_factory=_none)
    """Which of the block's images have to be read."""
    ahead: NDArray[np.int64] = field(default_factory=_none)
    """Which others are read along with them."""

    @property
    def to_read(self) -> NDArray[np.int64]:
        """All of the block's images that are read."""
        return np.concatenate([self.missing, self.ahead])


def _cut(task: _Task) -> list[_Task]:
    """A task, in parts where it has more images, each coded alone, than are coded together."""
    coder, missing = task.known.coding.coder, task.missing
    together = together_of(coder) if coder.codes_alone and len(missing) > 1 else len(missing)
    if len(missing) <= together:
        return [task]
    places = np.searchsorted(missing, task.images)
    is_missing = missing[np.minimum(places, len(missing) - 1)] == task.images
    part_of = np.where(is_missing, places // together, 0)
    parts: list[_Task] = []
    for number, start in enumerate(range(0, len(missing), together)):
        own = part_of == number
        some = replace(task, rows=task.rows[own], images=task.images[own], missing=missing[start : start + together])
        parts.append(some if number == 0 else replace(some, ahead=_none()))
    return parts


class BlockReader:
    """Reads the blocks of a container; may be used by several threads.

    Of a block whose images are coded alone, it reads those that are asked for, and more of them
    only where a block is asked for bit by bit (`_reading_ahead`).
    """

    def __init__(self, container: Container, codecs: Sequence[Codec], limits: Limits) -> None:
        """limits: of what reading one image may take."""
        self._container, self._codecs, self._limits = container, codecs, limits
        self._codings = Codings(container, codecs)
        self._cache = BlockCache(CACHE_BYTES)

    def for_each(self, places: NDArray[np.int64], take: Callable[[Piece], object]) -> None:
        """Call `take` with all images at some places, on all threads.

        Raises CorruptError.
        """
        tasks = [part for task in self._reading_ahead(self._tasks(places)) for part in _cut(task)]
        threads = max((codec.threads for codec in self._codecs), default=1)

        def read(part: LockstepPart) -> None:
            for piece in self._pieces(tasks[part.first : part.first + len(part.counts)]):
                take(piece)

        counts = [len(task.to_read) or len(task.rows) for task in tasks]
        together = {coder: together_of(coder) for coder in {task.known.coding.coder for task in tasks}}
        spread(read, lockstep_parts(counts, threads, [together[task.known.coding.coder] for task in tasks]), threads)

    def piece(self, place: int) -> Piece:
        """The image at one place, which takes no more than its block. Raises CorruptError."""
        places = np.array([place])
        number = int(self._container.blocks_of(places)[0])
        return next(self._pieces(self._reading_ahead(self._made({number: _FIRST}, places))))

    def pieces(self, places: NDArray[np.int64]) -> list[Piece]:
        """The images at some places, one piece for each way in which they were coded.

        Raises CorruptError.
        """
        pieces: list[Piece] = []
        self.for_each(places, pieces.append)
        return pieces

    def coding(self, number: int) -> Coding:
        """How a block was coded. Raises CorruptError."""
        return self._codings.of(number, self._container.read_block(number))

    def ideal_bits(self, number: int) -> float:
        """The ideal code length of a block's values; 0 where no codec coded them."""
        coder, blocks = self.coding(number).coder, self._container.blocks
        if coder.method in WITHOUT_CODEC:
            return 0.0
        (piece,) = self.pieces(blocks.firsts[number] + np.arange(blocks.counts[number]))
        return float(coder.bits(piece.values).sum())

    def _tasks(self, places: NDArray[np.int64]) -> list[_Task]:
        """One for each block that has images at some places."""
        blocks_of = self._container.blocks_of(places)
        order = np.argsort(blocks_of, kind="stable")
        numbers, starts = np.unique(blocks_of[order], return_index=True)
        rows_of_block = np.split(order, starts[1:])[: len(numbers)]
        return self._made(dict(zip(numbers.tolist(), rows_of_block, strict=True)), places)

    def _made(self, rows_of: dict[int, NDArray[np.int64]], places: NDArray[np.int64]) -> list[_Task]:
        """One for each block, of which the places of some rows are asked for.

        All blocks that are needed are read together. Raises CorruptError.
        """
        images_of = {number: places[rows] - self._container.blocks.firsts[number] for number, rows in rows_of.items()}
        known_of = {number: self._cache.get(number) for number in rows_of}
        to_read = [
            number for number, known in known_of.items() if known is None or not known.has(images_of[number]).all()
        ]
        block_of = dict(zip(to_read, self._container.read_blocks(to_read), strict=True))
        return [
            self._task(number, rows, images_of[number], known_of[number], block_of.get(number))
            for number, rows in rows_of.items()
        ]

    def _task(
        self, number: int, rows: NDArray[np.int64], images: NDArray[np.int64], known: Kept | None, block: Block | None
    ) -> _Task:
        """For images of a block; it is None where all of them are known. Raises CorruptError."""
        if block is None:
            assert known is not None
            return _Task(number=number, rows=rows, images=images, known=known)
        known = known or Kept.nothing(self._codings.of(number, block), block.images)
        coder = known.coding.coder
        what = f"{self._container.name}: block {number}"
        if (values := block.images * math.prod(coder.kind)) > coder.read_values:
            raise CorruptError(f"{what} holds {values} values, beyond the limit of {coder.read_values}")
        read = 1 if coder.codes_alone else block.images
        self._limits.require(coder.cost_of(read), f"{what}: {count_text(read)} of {size_text(coder.kind)}")
        wanted = _distinct(images) if coder.codes_alone else np.arange(block.images)
        missing = wanted[~known.has(wanted)]
        return _Task(number=number, rows=rows, images=images, known=known, payload=block.payload, missing=missing)

    def _reading_ahead(self, tasks: list[_Task]) -> list[_Task]:
        """The tasks, with images to read ahead of blocks that are asked for bit by bit.

        These are blocks of which something was read before, and those that go on where such a
        block ends. Images that are read together share most of the work. So whoever asks for one
        after the other waits hardly longer than for whole blocks.
        """
        together = sum(len(task.missing) for task in tasks)
        for i, task in enumerate(tasks):
            room = task.known.coding.coder.ahead_images - together
            if room > 0 and len(task.missing) and (len(task.known.values) or self._goes_on(task)):
                others = np.setdiff1d(np.flatnonzero(task.known.rows < 0), task.missing)
                later = others > task.missing[0]
                ahead = np.concatenate([others[later], others[~later]])[:room]
                tasks[i] = replace(task, ahead=ahead)
                together += len(ahead)
        return tasks

    def _goes_on(self, task: _Task) -> bool:
        """Whether a task begins where a block ends that was read."""
        before = self._cache.get(task.number - 1) if task.missing[0] == 0 else None
        return before is not None and bool(before.rows[-1] >= 0)

    def _pieces(self, tasks: list[_Task]) -> Iterator[Piece]:
        """The images of some tasks, read together where they were coded alike."""
        alike: dict[Coding, list[_Task]] = {}
        for task in tasks:
            alike.setdefault(task.known.coding, []).append(task)
        for coding, some in alike.items():
            to_read = [i for i, task in enumerate(some) if len(task.missing)]
            read = dict(zip(to_read, self._read(coding.coder, [some[i] for i in to_read]), strict=True))
            values = [read.get(i, task.known).of(task.images) for i, task in enumerate(some)]
            rows = [task.rows for task in some]
            yield Piece(coding=coding, rows=np.concatenate(rows), values=np.concatenate(values))

    def _read(self, coder: Coder, tasks: list[_Task]) -> list[Kept]:
        """What is known of each task's block once its images were read; all were coded alike.

        Raises CorruptError naming the first bad one.
        """
        chosen = [task.to_read for task in tasks]
        counts = [len(images) for images in chosen]
        if tasks and sum(counts) * math.prod(coder.kind) <= coder.read_values:
            try:
                values = self._values(coder, tasks, chosen)
            except CorruptError as error:
                if len(tasks) == 1 and not len(tasks[0].ahead):
                    raise CorruptError(f"{self._container.name}: block {tasks[0].number}: {error}") from error
            else:
                parts = zip(tasks, chosen, np.split(values, np.cumsum(counts)[:-1]), strict=True)
                read = [task.known.with_more(images, part) for task, images, part in parts]
                for task, kept in zip(tasks, read, strict=True):
                    self._cache.put(task.number, kept)
                return read
        return [kept for task in tasks for kept in self._read(coder, [replace(task, ahead=_none())])]

    @staticmethod
    def _values(coder: Coder, tasks: list[_Task], chosen: list[NDArray[np.int64]]) -> Values:
        """The values of these images of the tasks' blocks, one after the other."""
        payloads, counts = [task.payload for task in tasks], [len(task.known.rows) for task in tasks]
        return coder.read_some(payloads, counts, chosen) if coder.codes_alone else coder.read(payloads, counts)
