"""Some images of an open archive as blocks of another one.

Blocks are copied whole, or made anew from the same symbols or pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from compressnet.archive.archive import Archive
from compressnet.archive.codings import Coding
from compressnet.coding.coder import WITHOUT_CODEC, Values
from compressnet.container.block import Block
from compressnet.container.container import Container
from compressnet.container.entries import CodecEntry
from compressnet.container.writer import ContainerWriter
from compressnet.errors import DefectError

NEW_BLOCK_IMAGES = 256
"""Images of a block that is made anew from parts of others, at most."""
Codecs = dict[bytes, CodecEntry]
"""What an archive says of each codec, by identity."""


def add_renumbered(writer: ContainerWriter, block: Block, container: Container, codecs: Codecs) -> None:
    """Append a block of another archive, its codec and its kind numbered as the new one does."""
    codec = 0
    if block.method not in WITHOUT_CODEC:
        codec = writer.codec_number(codecs[container.codecs[block.codec].identity])
    writer.add(replace(block, codec=codec, kind=writer.kind_number(container.kinds[block.kind])))


def copy_blocks(
    container: Container, writer: ContainerWriter, codecs: Codecs, report: Callable[[int], None] = lambda _: None
) -> NDArray[np.uint32]:
    """Append all blocks; gives the places (N,) in the new archive of the images of the old one."""
    first = writer.images
    for number in range(len(container.blocks)):
        add_renumbered(writer, container.read_block(number), container, codecs)
        report(writer.images)
    return (container.places_of(np.arange(container.images)) + first).astype(np.uint32)


def copy_images(
    archive: Archive, chosen: NDArray[np.int64], writer: ContainerWriter, report: Callable[[int], None]
) -> NDArray[np.uint32]:
    """Append the images at positions; gives their places (n,) in the new archive.

    Each place is written once. Blocks that are taken whole are copied; parts of blocks that were
    coded alike are put together.
    """
    container = archive.container
    places = container.places_of(chosen)
    wanted = np.unique(places)
    numbers, starts = np.unique(container.blocks_of(wanted), return_index=True)
    parts = _Parts(container, writer, len(wanted))
    for number, rows in zip(numbers.tolist(), np.split(np.arange(len(wanted)), starts[1:]), strict=True):
        block = container.read_block(number)
        if len(rows) == block.images:
            parts.flush_like(block)
            parts.place(rows)
            add_renumbered(writer, block, container, parts.codecs)
        else:
            (piece,) = archive.reader.pieces(wanted[rows])
            parts.add(piece.coding, piece.values, rows)
        report(writer.images)
    parts.flush()
    report(writer.images)
    return parts.places[np.searchsorted(wanted, places)]


class _Parts:
    """Parts of blocks on their way into new ones."""

    def __init__(self, container: Container, writer: ContainerWriter, images: int) -> None:
        self._container, self._writer = container, writer
        self.codecs = {entry.identity: entry for entry in container.codecs}
        self.places = np.zeros(images, np.uint32)
        """The new place of each wanted image."""
        self._waiting: dict[Coding, list[tuple[Values, NDArray[np.int64]]]] = {}

    def place(self, rows: NDArray[np.int64]) -> None:
        """Give the next places to the wanted images."""
        self.places[rows] = np.arange(self._writer.images, self._writer.images + len(rows), dtype=np.uint32)

    def add(self, coding: Coding, values: Values, rows: NDArray[np.int64]) -> None:
        """Let images wait, and write what fills a block."""
        self._waiting.setdefault(coding, []).append((values, rows))
        block_images = coding.coder.block_images(NEW_BLOCK_IMAGES)
        while sum(len(part) for _, part in self._waiting.get(coding, [])) >= block_images:
            self._write(coding, block_images)

    def flush_like(self, block: Block) -> None:
        """Write what waits and was coded like a block, so that images keep their order."""
        for coding in list(self._waiting):
            like = (coding.coder.method, coding.coder.quality, coding.kind, coding.codec)
            if like == (block.method, block.quality, block.kind, block.codec):
                self._write(coding, coding.coder.block_images(NEW_BLOCK_IMAGES))

    def flush(self) -> None:
        """Write all that waits."""
        for coding in list(self._waiting):
            self._write(coding, coding.coder.block_images(NEW_BLOCK_IMAGES))

    def _write(self, coding: Coding, images: int) -> None:
        """Write the first images that wait as a block; what is left goes on waiting."""
        waiting = self._waiting.pop(coding)
        values = np.concatenate([part for part, _ in waiting])
        rows = np.concatenate([part for _, part in waiting])
        if len(rows) > images:
            self._waiting[coding] = [(values[images:], rows[images:])]
        values, rows = values[:images], rows[:images]
        self.place(rows)
        (payload,) = coding.coder.write(values, [len(rows)])
        if not np.array_equal(coding.coder.read([payload], [len(rows)]), values):
            raise DefectError(f"{self._container.name}: a block made anew does not hold the same values")
        block = Block(
            method=coding.coder.method,
            quality=coding.coder.quality,
            kind=coding.kind,
            codec=coding.codec,
            images=len(rows),
            payload=payload,
        )
        add_renumbered(self._writer, block, self._container, self.codecs)
