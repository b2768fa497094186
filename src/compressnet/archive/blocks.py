"""Blocks of an open archive, decoded together and kept for a while.

Images have two numbers: their position in the collection, and their place among the images in the blocks
(`Container.places_of`). This module knows places alone.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from compressnet.codec.codec import Codec
from compressnet.coding.coder import LOSSLESS, LOSSLESS_QUALITY, LOSSY, STORED, STORED_QUALITY
from compressnet.coding.lockstep import LockstepPart, lockstep_parts
from compressnet.coding.stored import unpack_stored
from compressnet.container.block import Block
from compressnet.container.container import Container
from compressnet.errors import CorruptError, InputError
from compressnet.images.kinds import Images, kind_of
from compressnet.limits import BLOCK_PIXELS_LIMIT, LOSSLESS_VALUES_LIMIT
from compressnet.lossy.coder import CodecNetwork
from compressnet.threads import spread

CACHE_BYTES = 64 << 20
"""Symbols, and pixels of stored and lossless blocks, that an open archive keeps."""

Values = NDArray[np.int16 | np.uint8]
"""What a block holds: symbols (n,D) of a lossy one, pixels (n,H,W,C) of a stored or a lossless one."""


@dataclass(frozen=True, slots=True)
class Coding:
    """How a block was coded: by a network at a quality, by a pixel model, or stored in steps."""

    method: int
    kind: int
    codec: int
    quality: int
    network: CodecNetwork | None
    step: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Images of blocks that were coded alike, among those asked for."""

    coding: Coding
    rows: NDArray[np.int64]
    """Which of the places asked for."""
    values: Values
    """Theirs, in the order of rows."""


def decoded(piece: Piece) -> Images:
    """A piece's images, uint8 (n,H,W,C)."""
    coding = piece.coding
    if coding.network is None:
        return piece.values.astype(np.uint8, copy=False)
    return coding.network.decode(piece.values.astype(np.int32), coding.quality)


class BlockReader:
    """Reads the blocks of a container; may be used by several threads."""

    def __init__(self, container: Container, codecs: Sequence[Codec]) -> None:
        self._container, self._codecs = container, codecs
        self._cache: OrderedDict[int, tuple[Coding, Values]] = OrderedDict()
        self._cache_bytes = 0
        self._lock = threading.Lock()

    def for_each(self, places: NDArray[np.int64], take: Callable[[Piece], object]) -> None:
        """Have `take` called with all images at some places, on all threads."""
        blocks_of = self._container.blocks_of(places)
        order = np.argsort(blocks_of, kind="stable")
        numbers, starts = np.unique(blocks_of[order], return_index=True)
        counts = self._container.blocks.counts[numbers].tolist()
        rows_of_block = np.split(order, starts[1:])
        threads = max((codec.threads for codec in self._codecs), default=1)

        def read(part: LockstepPart) -> None:
            chosen = slice(part.first, part.first + len(part.counts))
            for piece in self._pieces(places, rows_of_block[chosen], numbers[chosen].tolist()):
                take(piece)

        spread(read, lockstep_parts(counts, threads), threads)

    def pieces(self, places: NDArray[np.int64]) -> list[Piece]:
        """The images at some places, one piece for each way in which they were coded. Raises CorruptError."""
        pieces: list[Piece] = []
        self.for_each(places, pieces.append)
        return pieces

    def _pieces(
        self, places: NDArray[np.int64], rows_of_block: list[NDArray[np.int64]], numbers: list[int]
    ) -> Iterator[Piece]:
        """Of the images at places those in some blocks."""
        blocks_alike: dict[Coding, list[int]] = {}
        read = self._values(numbers)
        for i, number in enumerate(numbers):
            blocks_alike.setdefault(read[number][0], []).append(i)
        for coding, chosen in blocks_alike.items():
            rows = [rows_of_block[i] for i in chosen]
            values = [
                read[numbers[i]][1][places[rows_of_block[i]] - self._container.blocks.firsts[numbers[i]]]
                for i in chosen
            ]
            yield Piece(coding=coding, rows=np.concatenate(rows), values=np.concatenate(values))

    def ideal_bits(self, number: int) -> float:
        """The ideal code length of a block's symbols, or of its pixels where it is lossless; 0 for a stored block."""
        coding, values = self._values([number])[number]
        if coding.method == LOSSLESS:
            pixels = values.astype(np.uint8, copy=False)
            network = self._codecs[coding.codec].lossless_network(kind_of(pixels))
            return float(network.bits_per_image(pixels).sum())
        return 0.0 if coding.network is None else coding.network.ideal_bits(values.astype(np.int32), coding.quality)

    def _values(self, numbers: list[int]) -> dict[int, tuple[Coding, Values]]:
        """What some blocks hold, from the cache or decoded together."""
        found: dict[int, tuple[Coding, Values]] = {}
        missing: dict[Coding, dict[int, Block]] = {}
        lossless: dict[tuple[int, int], dict[int, Block]] = {}
        for number in numbers:
            with self._lock:
                cached = self._cache.get(number)
                if cached is not None:
                    self._cache.move_to_end(number)
            if cached is not None:
                found[number] = cached
                continue
            block = self._container.read_block(number)
            if block.method == STORED:
                found[number] = self._read_stored(number, block)
                self._keep(number, found[number])
            elif block.method == LOSSLESS:
                lossless.setdefault((block.kind, block.codec), {})[number] = block
            else:
                missing.setdefault(self._lossy_coding(number, block), {})[number] = block
        for coding, blocks in missing.items():
            assert coding.network is not None
            for number, symbols in self._decode(coding.network, blocks).items():
                found[number] = (coding, symbols)
                self._keep(number, found[number])
        for blocks in lossless.values():
            for number, pixels in self._read_lossless(blocks).items():
                found[number] = (self._lossless_coding(blocks[number]), pixels)
                self._keep(number, found[number])
        return found

    def _read_lossless(self, blocks: dict[int, Block]) -> dict[int, Images]:
        """Pixels of lossless blocks of one kind and codec. Raises CorruptError naming the first bad one."""
        first, block = next(iter(blocks.items()))
        what = f"{self._container.name}: block {first}"
        height, width, channels = self._checked_kind(first, block)
        values = sum(b.images for b in blocks.values()) * height * width * channels
        if values > LOSSLESS_VALUES_LIMIT and len(blocks) > 1:
            return {n: pixels for one, b in blocks.items() for n, pixels in self._read_lossless({one: b}).items()}
        if values > LOSSLESS_VALUES_LIMIT or block.quality != LOSSLESS_QUALITY:
            raise CorruptError(f"{what} is lossless, of quality {block.quality} and {values} values")
        codec = self._codecs[block.codec]
        if not codec.codes_lossless((height, width, channels)):
            kind = f"{height}x{width}x{channels}"
            raise CorruptError(
                f"{what} is lossless, but the codec {codec.name} has no pixel model for images of {kind}"
            )
        network = codec.lossless_network((height, width, channels))
        counts = [b.images for b in blocks.values()]
        try:
            pixels = network.read_payloads([b.payload for b in blocks.values()], counts, (height, width))
        except CorruptError as error:
            if len(blocks) == 1:
                raise CorruptError(f"{what}: {error}") from error
            return {n: pixels for one, b in blocks.items() for n, pixels in self._read_lossless({one: b}).items()}
        return dict(zip(blocks, np.split(pixels, np.cumsum(counts)[:-1]), strict=True))

    @staticmethod
    def _lossless_coding(block: Block) -> Coding:
        return Coding(LOSSLESS, block.kind, block.codec, block.quality, None, 1)

    def _read_stored(self, number: int, block: Block) -> tuple[Coding, Values]:
        """A stored block's pixels. Raises CorruptError."""
        what = f"{self._container.name}: block {number}"
        if block.quality != STORED_QUALITY:
            raise CorruptError(f"{what} is stored and has the quality {block.quality}")
        pixels, step = unpack_stored(block.payload, block.images, self._checked_kind(number, block), what)
        return Coding(STORED, block.kind, block.codec, block.quality, None, step), pixels

    def _lossy_coding(self, number: int, block: Block) -> Coding:
        """The network that a block needs. Raises CorruptError."""
        what = f"{self._container.name}: block {number}"
        if block.method != LOSSY:
            raise CorruptError(
                f"{what} was coded by the method {block.method_name!r}, which this version does not read"
            )
        kind = self._checked_kind(number, block)
        try:
            network = self._codecs[block.codec].network(kind, block.quality)
        except InputError as error:
            raise CorruptError(f"{what}: {error}") from error
        return Coding(LOSSY, block.kind, block.codec, block.quality, network, 1)

    def _checked_kind(self, number: int, block: Block) -> tuple[int, int, int]:
        """A block's (H,W,C). Raises CorruptError where it holds too much."""
        kind = self._container.kinds[block.kind]
        if block.images * kind.height * kind.width * kind.channels > BLOCK_PIXELS_LIMIT:
            raise CorruptError(f"{self._container.name}: block {number} is larger than {BLOCK_PIXELS_LIMIT} values")
        return kind.height, kind.width, kind.channels

    def _decode(self, network: CodecNetwork, blocks: dict[int, Block]) -> dict[int, NDArray[np.int16]]:
        """Symbols of blocks of one kind, codec and quality. Raises CorruptError naming the first bad one."""
        quality = next(iter(blocks.values())).quality
        counts = [block.images for block in blocks.values()]
        try:
            symbols = network.read_payloads([block.payload for block in blocks.values()], counts, quality)
        except CorruptError as error:
            if len(blocks) == 1:
                raise CorruptError(f"{self._container.name}: block {next(iter(blocks))}: {error}") from error
            return {n: s for one, b in blocks.items() for n, s in self._decode(network, {one: b}).items()}
        parts = np.split(symbols.astype(np.int16), np.cumsum(counts)[:-1])
        return dict(zip(blocks, parts, strict=True))

    def _keep(self, number: int, values: tuple[Coding, Values]) -> None:
        with self._lock:
            if number in self._cache or values[1].nbytes > CACHE_BYTES:
                return
            self._cache[number] = values
            self._cache_bytes += values[1].nbytes
            while self._cache_bytes > CACHE_BYTES:
                _, (_, old) = self._cache.popitem(last=False)
                self._cache_bytes -= old.nbytes
