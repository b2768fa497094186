"""An open archive: images by index, decoded block by block; and writing one from a stream of images."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from compressnet.block import Block, require_lossy
from compressnet.codec import SEARCH_IMAGES, Codec, LockstepPart, kind_of, lockstep_parts
from compressnet.container import (
    CodecEntry,
    Container,
    ContainerWriter,
    KindEntry,
    Labels,
)
from compressnet.errors import CorruptError, InputError
from compressnet.limits import BLOCK_IMAGES_LIMIT, BLOCK_PIXELS_LIMIT
from compressnet.network import CodecNetwork, Images, Symbols
from compressnet.threads import spread
from compressnet.wire import LOSSY

CACHE_BYTES = 64 << 20
"""Decoded symbols that an open archive keeps."""
WRITE_IMAGES = 4096
"""Images that are encoded together when an archive is written."""
SUBSET_BLOCK_IMAGES = 256
"""Images of a block that is made anew from parts of others, at most."""
READ_IMAGES = 4096
"""Images that iteration decodes together, about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What was written: images, and bytes in all."""

    images: int
    archive_bytes: int


def _batches(images: Iterable[Images], batch_images: int) -> Iterator[Images]:
    """Regroup arrays (n,H,W[,C]) of one kind into arrays of `batch_images`, the last one shorter."""
    waiting: list[Images] = []
    count = 0
    shape: tuple[int, ...] | None = None
    for array in images:
        if shape is not None and array.shape[1:] != shape:
            raise InputError(
                f"images of two sizes, {shape} and {array.shape[1:]}: an archive takes one size so far; "
                "sort them into one collection for each size"
            )
        shape = array.shape[1:]
        kind_of(array)
        while len(array):
            part = array[: batch_images - count]
            waiting.append(part)
            count += len(part)
            array = array[len(part) :]
            if count == batch_images:
                yield np.concatenate(waiting)
                waiting, count = [], 0
    if count:
        yield np.concatenate(waiting)


def write_archive(
    stream: BinaryIO,
    images: Iterable[Images],
    codec: Codec,
    *,
    quality: int,
    effort: int,
    block_images: int,
    labels: Labels | None,
    embedded: bytes | None,
    report: Callable[[int], None] = lambda _: None,
) -> Written:
    """Write an archive of arrays (n,H,W[,C]) of one kind; `report` is told the images done so far.

    Raises InputError for images that the codec does not code, for none at all, or where labels do not match.
    """
    writer: ContainerWriter | None = None

    def first_seen(array: Images) -> Images:
        nonlocal writer
        if writer is None and len(array):
            kind = kind_of(array)
            codec.network(kind, quality)
            entry = CodecEntry(identity=codec.bundle.identity, name=codec.name, embedded=embedded)
            shape = KindEntry(height=kind[0], width=kind[1], channels=kind[2], channels_axis=array.ndim == 4)
            writer = ContainerWriter(stream, [entry], [shape])
        return array

    for block in encode_blocks(map(first_seen, images), codec, quality, effort=effort, block_images=block_images):
        assert writer is not None
        writer.add(block)
        report(writer.images)
    if writer is None:
        raise InputError("there are no images to compress")
    writer.finish(labels)
    return Written(images=writer.images, archive_bytes=writer.bytes_written)


def encode_blocks(
    images: Iterable[Images], codec: Codec, quality: int, *, effort: int, block_images: int
) -> Iterator[Block]:
    """Arrays (n,H,W[,C]) of one kind to blocks, for an archive of one codec and one kind. Raises InputError."""
    if not 1 <= block_images <= BLOCK_IMAGES_LIMIT:
        raise InputError(f"{block_images} images a block: 1 to {BLOCK_IMAGES_LIMIT} are possible")
    together = WRITE_IMAGES if effort == 1 else SEARCH_IMAGES * codec.threads
    group = max(block_images, together // block_images * block_images)
    for batch in _batches(images, group):
        kind = kind_of(batch)
        for count, payload in codec.write_blocks(batch.reshape(len(batch), *kind), block_images, quality, effort):
            yield Block(method=LOSSY, quality=quality, kind=0, codec=0, images=count, payload=payload)


class SymbolView:
    """The symbols of an archive's images; `Archive.symbols` makes one."""

    __slots__ = ("_archive",)

    def __init__(self, archive: Archive) -> None:
        self._archive = archive

    def __len__(self) -> int:
        return len(self._archive)

    def __getitem__(self, index: int | slice | Sequence[int] | NDArray[Any]) -> Symbols:
        """Symbols int32 (D,) of one image, (n,D) of several. Raises IndexError, InputError, CorruptError."""
        if isinstance(index, (int, np.integer)):
            return self._archive.read_symbols(self._archive.positions([int(index)]))[0]
        return self._archive.read_symbols(self._archive.positions(index))


def _alike(block: Block, other: Block) -> bool:
    """Whether two blocks were coded in the same way."""
    return (block.codec, block.kind, block.quality) == (other.codec, other.kind, other.quality)


class Archive:
    """A collection of images in a file; `compressnet.open` makes one.

    `archive[i]` is an image uint8 (H,W) or (H,W,C); slices, lists and arrays of integers, and boolean arrays give
    (n,H,W[,C]). Reading an image touches the index and one block. May be used by several threads and, also after a
    fork or pickled, by several processes.
    """

    def __init__(
        self,
        container: Container,
        resolve: Callable[[CodecEntry], Codec],
        reopen: Callable[[], Archive] | None = None,
    ) -> None:
        """resolve: gives the codec of a CODC entry; reopen: what pickling stores, None for what has no path.

        Raises CodecError where a codec is not at hand.
        """
        self._container, self._reopen = container, reopen
        self.codecs = [resolve(entry) for entry in container.codecs]
        self._cache: OrderedDict[int, NDArray[np.int16]] = OrderedDict()
        self._cache_bytes = 0
        self._lock = threading.Lock()
        for kind in container.kinds:
            if kind.shape != container.kinds[0].shape:
                raise CorruptError(f"{container.name}: images of several sizes, which this version does not read")

    def __len__(self) -> int:
        return self._container.images

    @property
    def shape(self) -> tuple[int, ...]:
        """(N,H,W) or (N,H,W,C)."""
        return (len(self), *self._container.kinds[0].shape)

    @property
    def dtype(self) -> np.dtype[np.uint8]:
        """uint8."""
        return np.dtype(np.uint8)

    @property
    def labels(self) -> Labels | None:
        """Integers (N,) or texts (N,), or None where the archive has none."""
        return self._container.read_labels()

    def __repr__(self) -> str:
        return f"<Archive {self._container.name} shape={self.shape}>"

    def __reduce__(self) -> tuple[Any, ...]:
        if self._reopen is None:
            raise TypeError("an archive that was opened from bytes cannot be pickled: it has no path to reopen")
        return (self._reopen, ())

    def __enter__(self) -> Archive:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._container.close()

    def __getitem__(self, index: int | slice | Sequence[int] | NDArray[Any]) -> Images:
        """One image, or several as one array. Raises IndexError, and CorruptError for a damaged block."""
        if isinstance(index, (int, np.integer)):
            if not -len(self) <= index < len(self):
                raise IndexError(f"image {index} of an archive of {len(self)}")
            return self._read(np.array([int(index) % len(self)]))[0]
        return self._read(self.positions(index))

    def __getitems__(self, indices: Sequence[int]) -> list[Images]:
        """Several images at once, as torch's DataLoader asks for a batch."""
        return list(self[np.asarray(indices, np.int64)])

    def __iter__(self) -> Iterator[Images]:
        for images in self.batches():
            yield from images

    def batches(self, images: int = READ_IMAGES) -> Iterator[Images]:
        """All images in order, as arrays (n,H,W[,C]) of whole blocks, each of about so many images."""
        start = 0
        for entry in self._container.blocks:
            end = entry.first + entry.images
            if end - start >= images or end == len(self):
                yield self._read(np.arange(start, end))
                start = end

    @property
    def name(self) -> str:
        """Where it was opened from, for errors."""
        return self._container.name

    @property
    def container(self) -> Container:
        """The file's structure."""
        return self._container

    @property
    def symbols(self) -> SymbolView:
        """The images' symbols, int32 (N,D), indexed as the archive is; the decoder does not run for them."""
        return SymbolView(self)

    def positions(self, index: slice | Sequence[int] | NDArray[Any]) -> NDArray[np.int64]:
        """What an index selects, as numbers from 0 to N-1. Raises IndexError."""
        if isinstance(index, slice):
            return np.arange(*index.indices(len(self)), dtype=np.int64)
        array = np.asarray(index)
        if array.dtype == np.bool_:
            if array.shape != (len(self),):
                raise IndexError(f"a boolean index of shape {array.shape} for an archive of {len(self)} images")
            return np.flatnonzero(array)
        if array.size == 0:
            return np.zeros(0, np.int64)
        if array.ndim != 1 or not np.issubdtype(array.dtype, np.integer):
            raise IndexError(f"an archive is indexed by integers, slices or one-dimensional arrays, not {array.dtype}")
        if array.min() < -len(self) or array.max() >= len(self):
            raise IndexError(f"images {array.min()} to {array.max()} of an archive of {len(self)}")
        return array.astype(np.int64) % len(self)

    def _read(self, positions: NDArray[np.int64]) -> Images:
        """Images at positions in 0..N-1, in their order."""
        images = np.empty((len(positions), *self.shape[1:]), np.uint8)
        if not len(positions):
            return images
        block_of = self._block_of(positions)
        numbers = np.unique(block_of)

        def read(part: LockstepPart) -> None:
            chosen = numbers[part.first : part.first + len(part.counts)]
            for network, quality, rows, symbols in self._picked(positions, block_of, chosen):
                images[rows] = network.decode(symbols, quality).reshape(len(rows), *self.shape[1:])

        counts = [self._container.blocks[number].images for number in numbers]
        threads = max((codec.threads for codec in self.codecs), default=1)
        spread(read, lockstep_parts(counts, threads), threads)
        return images

    def _block_of(self, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        """The number of the block that holds each image."""
        firsts = np.array([entry.first for entry in self._container.blocks])
        return np.searchsorted(firsts, positions, side="right") - 1

    def _picked(
        self, positions: NDArray[np.int64], block_of: NDArray[np.int64], numbers: NDArray[np.int64]
    ) -> Iterator[tuple[CodecNetwork, int, NDArray[np.int64], Symbols]]:
        """Of the images at positions those in some blocks: network, quality, their rows, and their symbols (n,D)."""
        firsts = np.array([entry.first for entry in self._container.blocks])
        for (network, quality), symbols in self._symbols(numbers.tolist()).items():
            rows = np.flatnonzero(np.isin(block_of, list(symbols)))
            start_of_block = np.zeros(len(firsts), np.int64)
            start_of_block[list(symbols)] = np.cumsum([0, *map(len, symbols.values())])[:-1]
            together = np.concatenate(list(symbols.values()))
            within = positions[rows] - firsts[block_of[rows]]
            yield network, quality, rows, together[start_of_block[block_of[rows]] + within].astype(np.int32)

    def read_symbols(self, positions: NDArray[np.int64]) -> Symbols:
        """Symbols (n,D) of the images at positions. Raises InputError where networks with different D coded them."""
        block_of = self._block_of(positions)
        parts = list(self._picked(positions, block_of, np.unique(block_of)))
        widths = sorted({symbols.shape[1] for _, _, _, symbols in parts})
        if len(widths) > 1:
            raise InputError(
                f"{self.name}: images with {' and '.join(map(str, widths))} symbols, as they have different qualities; "
                "select those of one quality"
            )
        found = np.zeros((len(positions), *widths), np.int32)
        for _, _, rows, symbols in parts:
            found[rows] = symbols
        return found

    def blocks_of(self, positions: NDArray[np.int64], block_images: int = SUBSET_BLOCK_IMAGES) -> Iterator[Block]:
        """Blocks that hold the images at positions, in that order.

        Blocks that are taken whole are copied, others are made anew from the same symbols.
        """
        block_of = self._block_of(positions)
        start = 0
        while start < len(positions):
            block = self._container.read_block(int(block_of[start]))
            if self._is_whole(positions, block_of, start):
                stop = start + block.images
            else:
                stop = self._end_of_part(positions, block_of, start, block, block_images)
                part, part_block_of = positions[start:stop], block_of[start:stop]
                ((network, quality, _, symbols),) = self._picked(part, part_block_of, np.unique(part_block_of))
                (payload,) = network.write_payloads(symbols, [len(part)], quality)
                block = replace(block, images=len(part), payload=payload)
            yield block
            start = stop

    def _end_of_part(
        self, positions: NDArray[np.int64], block_of: NDArray[np.int64], start: int, block: Block, block_images: int
    ) -> int:
        """How far images from `start` on may go into one new block, `block` being where the first lies."""
        for stop in range(start + 1, min(start + block_images, len(positions))):
            if self._is_whole(positions, block_of, stop):
                return stop
            number = int(block_of[stop])
            if number != block_of[stop - 1] and not _alike(block, self._container.read_block(number)):
                return stop
        return min(start + block_images, len(positions))

    def _is_whole(self, positions: NDArray[np.int64], block_of: NDArray[np.int64], start: int) -> bool:
        """Whether all images of a block follow one another from `start` on."""
        entry = self._container.blocks[int(block_of[start])]
        if positions[start] != entry.first:
            return False
        part = positions[start : start + entry.images]
        return bool(np.array_equal(part, np.arange(entry.first, entry.first + entry.images)))

    def _symbols(self, numbers: list[int]) -> dict[tuple[CodecNetwork, int], dict[int, NDArray[np.int16]]]:
        """Symbols of some blocks, from the cache or decoded together: {(network, quality): {block: symbols}}."""
        found: dict[tuple[CodecNetwork, int], dict[int, NDArray[np.int16]]] = {}
        missing: dict[tuple[int, int, int], dict[int, Block]] = {}
        for number in numbers:
            block = self._container.read_block(number)
            require_lossy(block, f"{self._container.name}: block {number}")
            with self._lock:
                cached = self._cache.get(number)
            if cached is not None:
                found.setdefault(self._network(number, block), {})[number] = cached
            else:
                missing.setdefault((block.codec, block.kind, block.quality), {})[number] = block
        for blocks in missing.values():
            key = self._network(*next(iter(blocks.items())))
            for number, symbols in self._decode(key[0], blocks).items():
                found.setdefault(key, {})[number] = symbols
                self._keep(number, symbols)
        return found

    def _network(self, number: int, block: Block) -> tuple[CodecNetwork, int]:
        """The network that a block needs, and its quality. Raises CorruptError."""
        kind = self._container.kinds[block.kind]
        if block.images * kind.height * kind.width * kind.channels > BLOCK_PIXELS_LIMIT:
            raise CorruptError(f"{self._container.name}: block {number} is larger than {BLOCK_PIXELS_LIMIT} values")
        try:
            codec = self.codecs[block.codec]
            return codec.network((kind.height, kind.width, kind.channels), block.quality), block.quality
        except (InputError, IndexError) as error:
            raise CorruptError(f"{self._container.name}: block {number}: {error}") from error

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

    def _keep(self, number: int, symbols: NDArray[np.int16]) -> None:
        with self._lock:
            if number in self._cache or symbols.nbytes > CACHE_BYTES:
                return
            self._cache[number] = symbols
            self._cache_bytes += symbols.nbytes
            while self._cache_bytes > CACHE_BYTES:
                _, old = self._cache.popitem(last=False)
                self._cache_bytes -= old.nbytes

    def check(self, report: Callable[[int], None] = lambda _: None) -> None:
        """Compare every checksum and decode every block. Raises CorruptError for the first damage found."""
        container = self._container
        done = 0
        for images in self.batches():
            done += len(images)
            report(done)
        seen = [offset for kind, offset, _ in container.walk() if kind == b"BLOK"]
        if seen != [entry.offset for entry in container.blocks]:
            raise CorruptError(f"{container.name}: chunk INDX does not list the blocks that are there")
        container.read_labels()

    def ideal_bytes(self) -> float:
        """The ideal code length of all symbols, in bytes: a diagnostic, not a rate."""
        bits = 0.0
        for number in range(len(self._container.blocks)):
            for (network, quality), symbols in self._symbols([number]).items():
                bits += network.ideal_bits(symbols[number].astype(np.int32), quality)
        return bits / 8
