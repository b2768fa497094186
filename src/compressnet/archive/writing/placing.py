"""Blocks appended to an archive, and where each image is then.

Axes: N images that differ from all others.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from compressnet.archive.embedding import CodecEntries
from compressnet.archive.writing.bins import Way
from compressnet.archive.writing.cheaper import BLOCK_BYTES
from compressnet.coding.coder import WITHOUT_CODEC, Coder
from compressnet.coding.lockstep import Payloads
from compressnet.container.block import Block
from compressnet.container.chunks import CHUNK_OVERHEAD_BYTES
from compressnet.container.entries import pack_codec
from compressnet.container.writer import ContainerWriter


class BlockPlacer:
    """Writes blocks.

    A codec's part and a kind are written before the first block that needs them.
    """

    def __init__(self, writer: ContainerWriter, entries: CodecEntries) -> None:
        """entries: what the archive says of its codec."""
        self._writer, self._entries = writer, entries
        self._places_N = np.zeros(0, np.uint32)

    @property
    def bytes_written(self) -> int:
        """Of the archive, so far."""
        return self._writer.bytes_written

    def places(self, numbers: NDArray[np.uint32]) -> NDArray[np.uint32]:
        """Where images of these numbers are among those in the blocks."""
        return self._places_N[numbers]

    def fixed_bytes(self, coder: Coder) -> int:
        """What the archive takes for a coder besides its images.

        That is a block and, once, the codec's part; 0 for a method that needs no codec.
        """
        if coder.method in WITHOUT_CODEC:
            return 0
        entry = self._entries.entry(coder.method)
        known = self._writer.has_codec(entry)
        return BLOCK_BYTES + (0 if known else CHUNK_OVERHEAD_BYTES + len(pack_codec(entry)))

    def add(self, way: Way, written: Payloads, numbers: NDArray[np.int64]) -> None:
        """Append blocks of images of these numbers, which came in a way."""
        if not len(numbers):
            return
        coder, codec = way.coder, 0
        if coder.method not in WITHOUT_CODEC:
            codec = self._writer.codec_number(self._entries.entry(coder.method))
        kind = self._writer.kind_number(way.form)
        if (missing := int(numbers.max()) + 1 - len(self._places_N)) > 0:
            self._places_N = np.concatenate([self._places_N, np.zeros(max(missing, len(self._places_N)), np.uint32)])
        first = self._writer.images
        self._places_N[numbers] = np.arange(first, first + len(numbers), dtype=np.uint32)
        for images, payload in written.blocks:
            self._writer.add(
                Block(
                    method=coder.method,
                    quality=coder.quality,
                    kind=kind,
                    codec=codec,
                    images=images,
                    payload=payload,
                )
            )
