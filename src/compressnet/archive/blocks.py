"""Blocks of an open archive, decoded together and kept for a while.

Images have two numbers: their position in the collection, and their place among the images in the
blocks (`Container.places_of`). This module knows places alone.
"""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from compressnet.codec.codec import Codec
from compressnet.coding.coder import LOSSLESS_QUALITY, METHODS, WITHOUT_CODEC, Coder, Values
from compressnet.coding.lockstep import LockstepPart, lockstep_parts
from compressnet.coding.stored import StoredCoder
from compressnet.container.block import Block
from compressnet.container.container import Container
from compressnet.errors import CorruptError
from compressnet.images.kinds import Images
from compressnet.threads import spread

CACHE_BYTES = 64 << 20
"""Values that an open archive keeps."""
CODERS = {StoredCoder.method: StoredCoder}
"""What makes a coder for a kind, for each method of WITHOUT_CODEC."""


_FIRST = np.zeros(1, np.int64)


@dataclass(frozen=True, slots=True)
class Coding:
    """How a block was coded: by which coder, and what the archive calls its kind and codec."""

    coder: Coder
    kind: int
    codec: int


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


class BlockReader:
    """Reads the blocks of a container; may be used by several threads."""

    def __init__(self, container: Container, codecs: Sequence[Codec]) -> None:
        self._container, self._codecs = container, codecs
        self._codings: dict[tuple[int, int, int, int], Coding] = {}
        self._cache: OrderedDict[int, tuple[Coding, Values]] = OrderedDict()
        self._cache_bytes = 0
        self._lock = threading.Lock()

    def for_each(self, places: NDArray[np.int64], take: Callable[[Piece], object]) -> None:
        """Call `take` with all images at some places, on all threads.

        Raises CorruptError.
        """
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

    def piece(self, place: int) -> Piece:
        """The image at one place, which takes no more than its block. Raises CorruptError."""
        places = np.array([place])
        number = int(self._container.blocks_of(places)[0])
        return next(self._pieces(places, [_FIRST], [number]))

    def pieces(self, places: NDArray[np.int64]) -> list[Piece]:
        """The images at some places, one piece for each way in which they were coded.

        Raises CorruptError.
        """
        pieces: list[Piece] = []
        self.for_each(places, pieces.append)
        return pieces

    def _pieces(
        self, places: NDArray[np.int64], rows_of_block: list[NDArray[np.int64]], numbers: list[int]
    ) -> Iterator[Piece]:
        """Of the images at some places, those that lie in some blocks."""
        blocks_alike: dict[Coding, list[int]] = {}
        read = self._values(numbers)
        for i, number in enumerate(numbers):
            blocks_alike.setdefault(read[number][0], []).append(i)
        firsts = self._container.blocks.firsts
        for coding, chosen in blocks_alike.items():
            rows = [rows_of_block[i] for i in chosen]
            values = [read[numbers[i]][1][places[rows_of_block[i]] - firsts[numbers[i]]] for i in chosen]
            yield Piece(coding=coding, rows=np.concatenate(rows), values=np.concatenate(values))

    def coding(self, number: int) -> Coding:
        """How a block was coded. Raises CorruptError."""
        return self._coding(number, self._container.read_block(number))

    def ideal_bits(self, number: int) -> float:
        """The ideal code length of a block's values; 0 where no codec coded them."""
        coding, values = self._values([number])[number]
        if coding.coder.method in WITHOUT_CODEC:
            return 0.0
        return float(coding.coder.bits(values).sum())

    def _values(self, numbers: list[int]) -> dict[int, tuple[Coding, Values]]:
        """What some blocks hold, from the cache or decoded together."""
        found: dict[int, tuple[Coding, Values]] = {}
        missing: dict[Coding, dict[int, Block]] = {}
        for number in numbers:
            with self._lock:
                cached = self._cache.get(number)
                if cached is not None:
                    self._cache.move_to_end(number)
            if cached is not None:
                found[number] = cached
            else:
                block = self._container.read_block(number)
                missing.setdefault(self._coding(number, block), {})[number] = block
        for coding, blocks in missing.items():
            for number, values in self._read(coding.coder, blocks).items():
                found[number] = (coding, values)
                self._keep(number, found[number])
        return found

    def _coding(self, number: int, block: Block) -> Coding:
        """How a block was coded, the same object for blocks that were coded alike.

        Raises CorruptError.
        """
        key = (block.method, block.quality, block.kind, block.codec)
        with self._lock:
            known = self._codings.get(key)
        if known is None:
            coder = self._coder(f"{self._container.name}: block {number}", block)
            with self._lock:
                known = self._codings.setdefault(key, Coding(coder, block.kind, block.codec))
        return known

    def _coder(self, what: str, block: Block) -> Coder:
        """The coder that a block needs.

        `what` names it. Raises CorruptError, CodecRefusedError.
        """
        form = self._container.kinds[block.kind]
        kind = form.kind
        if block.method in WITHOUT_CODEC:
            if block.quality != LOSSLESS_QUALITY:
                raise CorruptError(f"{what} is {block.method_name} and has the quality {block.quality}")
            return CODERS[block.method](kind)
        if form.deep:
            raise CorruptError(f"{what} holds images of 16 bits that are not stored, which this version does not read")
        codec = self._codecs[block.codec]
        coders = codec.coders(block.method)
        if coders is None and block.method in METHODS:
            raise CorruptError(
                f"{what} is {block.method_name}, but the codec {codec.name} has no {block.method_name} part"
            )
        if coders is None:
            raise CorruptError(
                f"{what} was coded by the method {block.method_name!r}, which this version does not read"
            )
        reason = coders.why_not(kind, block.quality)
        if reason is not None:
            raise CorruptError(f"{what}: {reason}")
        return codec.coder(kind, block.quality)

    def _read(self, coder: Coder, blocks: dict[int, Block]) -> dict[int, Values]:
        """The values of blocks that were coded alike.

        Raises CorruptError naming the first bad one.
        """
        first = f"{self._container.name}: block {next(iter(blocks))}"
        counts = [block.images for block in blocks.values()]
        count = sum(counts) * math.prod(coder.kind)
        if count > coder.read_values and len(blocks) == 1:
            raise CorruptError(f"{first} holds {count} values, beyond the limit of {coder.read_values}")
        if count <= coder.read_values:
            try:
                values = coder.read([block.payload for block in blocks.values()], counts)
            except CorruptError as error:
                if len(blocks) == 1:
                    raise CorruptError(f"{first}: {error}") from error
            else:
                return dict(zip(blocks, np.split(values, np.cumsum(counts)[:-1]), strict=True))
        return {n: v for one, block in blocks.items() for n, v in self._read(coder, {one: block}).items()}

    def _keep(self, number: int, values: tuple[Coding, Values]) -> None:
        with self._lock:
            if number in self._cache or values[1].nbytes > CACHE_BYTES:
                return
            self._cache[number] = values
            self._cache_bytes += values[1].nbytes
            while self._cache_bytes > CACHE_BYTES:
                _, (_, old) = self._cache.popitem(last=False)
                self._cache_bytes -= old.nbytes
