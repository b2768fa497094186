"""An open archive: images by index, decoded block by block."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compressnet.archive.blocks import BlockReader, Piece
from compressnet.archive.image_array import READ_IMAGES, ImageArray
from compressnet.archive.indexing import Look, batch_stops, look_of, looks_of, runs_of_one_look
from compressnet.codec.codec import Codec
from compressnet.coding.coder import METHODS
from compressnet.container.columns import Labels
from compressnet.container.container import Container
from compressnet.container.entries import CodecEntry
from compressnet.errors import CorruptError, InputError
from compressnet.images.kinds import Pictures, Symbols, count_text, size_text

READ_BYTES = 1 << 27
"""Of the images that iteration decodes together: it takes fewer where images may be large."""


class Archive(ImageArray):
    """A collection of images in a file; `compressnet.open` makes one.

    `archive[i]` is an image (H,W) or (H,W,C), uint8 or, of 16 bits, uint16. Slices, lists and
    arrays of integers, and boolean arrays give one array (n,H,W[,C]) where all chosen images have
    one shape and type, else a list of images. Reading an image touches the index and one block.
    Where this machine does not reproduce the codec's probe, that raises CodecRefusedError. May be
    used by several threads and, also after a fork or pickled, by several processes.
    """

    def __init__(
        self,
        container: Container,
        resolve: Callable[[CodecEntry], Codec],
        reopen: Callable[[], Archive] | None = None,
    ) -> None:
        """resolve: gives the codec of a CODC entry.

        reopen: what pickling stores, None for what has no path.

        Raises CodecError where a codec is not at hand, InputError where there are only codecs.
        """
        if not container.kinds:
            raise InputError(f"{container.name}: has no images, it carries codecs for the archives beside it")
        self._container, self._reopen = container, reopen
        self.codecs = [resolve(entry) for entry in container.codecs]
        self._reader = BlockReader(container, self.codecs, container.limits)
        self._looks = looks_of(container.kinds)
        self.look = self._looks[0] if len(self._looks) == 1 else None
        self.dtype = np.result_type(*(look.dtype for look in self._looks))
        self._look_of_kind = np.array([self._looks.index(look_of(form)) for form in container.kinds], np.int64)

    def __len__(self) -> int:
        return self._container.images

    @property
    def name(self) -> str:
        """Where it was opened from, for errors."""
        return self._container.name

    @property
    def container(self) -> Container:
        """The file's structure."""
        return self._container

    @property
    def reader(self) -> BlockReader:
        """What reads its blocks."""
        return self._reader

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        """The shape of each image, (H,W) or (H,W,C). Raises CorruptError for a damaged block."""
        shapes = [kind.shape for kind in self._container.kinds]
        return [shapes[kind] for kind in self._kinds(np.arange(len(self))).tolist()]

    @property
    def labels(self) -> Labels | None:
        """Integers (N,) or texts (N,), or None where the archive has none."""
        return self._container.read_labels()

    @property
    def names(self) -> Sequence[str] | None:
        """The images' names, or None where the archive has none."""
        return self._container.read_names()

    @property
    def class_names(self) -> list[str] | None:
        """What the labels 0, 1, 2 and so on stand for, or None where the archive does not say."""
        return self._container.read_class_names()

    def __repr__(self) -> str:
        return f"<Archive {self._container.name} shape={self.shape}>"

    def _repr_html_(self) -> str:
        """What notebooks show: figures, and the first images with their names and labels."""
        from compressnet.archive.gallery import html_of  # Pillow draws it; reading does without

        return html_of(self)

    def __reduce__(self) -> tuple[Any, ...]:
        if self._reopen is None:
            raise TypeError("an archive that was opened from bytes cannot be pickled: it has no path to reopen")
        return (self._reopen, ())

    def close(self) -> None:
        """Close the file."""
        self._container.close()

    def batches(self, images: int = READ_IMAGES, chosen: slice | None = None) -> Iterator[Pictures]:
        """Images in order, all or those of a slice, as arrays (n,H,W[,C]) of one shape and type.

        An array holds consecutive images, up to about `images` of them, and fewer where the
        archive has images so large that these would take more than `READ_BYTES`.
        """
        largest_bytes = max(math.prod(look.shape) * look.dtype.itemsize for look in self._looks)
        images = max(1, min(images, READ_BYTES // largest_bytes))
        positions = self.positions(slice(None) if chosen is None else chosen)
        start, blocks = 0, self._container.blocks
        ends = blocks.firsts + blocks.counts if self._container.positions_N is None else None
        for stop in batch_stops(positions, images, ends, most=max(1, READ_BYTES // largest_bytes)):
            read = self._read(positions[start:stop])
            if isinstance(read, np.ndarray):
                yield read
            else:
                yield from runs_of_one_look(read)
            start = stop

    def _block_counts(self) -> NDArray[np.int64]:
        counts = self._container.blocks.counts
        if self._container.positions_N is None:
            return counts
        return np.diff(np.append(np.arange(0, len(self), int(counts.max())), len(self)))

    def _kinds(self, positions: NDArray[np.int64]) -> NDArray[np.int32]:
        """The kind of each image."""
        return self._container.kinds_of(self._container.blocks_of(self._container.places_of(positions)))

    def _read_one(self, position: int) -> Pictures:
        """The image at a position in 0..N-1."""
        places = self._container.places_of(np.array([position]))
        piece = self._reader.piece(int(places[0]))
        return self._container.kinds[piece.coding.kind].shown(piece.images())[0]

    def _read(self, positions: NDArray[np.int64]) -> Pictures | list[Pictures]:
        """Images at positions in 0..N-1, in their order."""
        looks = self._look_of_kind[self._kinds(positions)]
        images_of: dict[int, Pictures] = {}
        row_of = np.zeros(len(positions), np.int64)
        for look in set(looks.tolist()):
            rows = np.flatnonzero(looks == look)
            row_of[rows] = np.arange(len(rows))
            images_of[look] = self._room(len(rows), self._looks[look])

        def take(piece: Piece) -> None:
            kind = piece.coding.kind
            shown = self._container.kinds[kind].shown(piece.images())
            images_of[int(self._look_of_kind[kind])][row_of[piece.rows]] = shown

        self._reader.for_each(self._container.places_of(positions), take)
        if len(images_of) == 1:
            return next(iter(images_of.values()))
        if self.is_mixed:
            return [images_of[look][row] for look, row in zip(looks.tolist(), row_of.tolist(), strict=True)]
        return np.empty((0, *self.shape[1:]), self.dtype)

    def _room(self, images: int, look: Look) -> Pictures:
        """An array for so many images. Raises InputError where there is no memory for it."""
        try:
            return np.empty((images, *look.shape), look.dtype)
        except MemoryError as error:
            what = f"{count_text(images)} of {size_text(look.shape)}"
            raise InputError(f"{self.name}: {what} do not fit in memory; read fewer at a time") from error

    def read_symbols(self, positions: NDArray[np.int64]) -> Symbols:
        """Symbols (n,D) of images of the collection.

        Raises InputError where one is stored, or where networks with different D coded them.
        """
        pieces = self._reader.pieces(self._container.places_of(positions))
        for piece in pieces:
            coder = piece.coding.coder
            if not coder.has_symbols:
                image = positions[piece.rows.min()]
                raise InputError(
                    f"{self.name}: image {image} is {METHODS[coder.method]} and has no symbols; leave it out "
                    "(with_symbols() tells which have some)"
                )
        widths = sorted({piece.values.shape[1] for piece in pieces})
        if len(widths) > 1:
            raise InputError(
                f"{self.name}: images with {' and '.join(map(str, widths))} symbols, as they have different kinds or "
                "qualities; select those of one quality"
            )
        found = np.zeros((len(positions), *widths), np.int32)
        for piece in pieces:
            found[piece.rows] = piece.values
        return found

    def with_symbols(self) -> NDArray[np.bool_]:
        """Which images have symbols, (N,): a network coded them, the others were kept as pixels.

        Reads every block, and decodes none. Raises CorruptError.
        """
        numbers = range(len(self._container.blocks))
        of_block = np.array([self._reader.coding(number).coder.has_symbols for number in numbers], np.bool_)
        return of_block[self._container.blocks_of(self._container.places_of(np.arange(len(self))))]

    def check(self, report: Callable[[int], None] = lambda _: None) -> None:
        """Compare every checksum and decode every block.

        `report` is told how many images of the blocks are done.

        Raises CorruptError for the first damage found.
        """
        container = self._container
        for start in range(0, container.images_in_blocks, READ_IMAGES):
            stop = min(start + READ_IMAGES, container.images_in_blocks)
            self._reader.for_each(np.arange(start, stop), Piece.images)
            report(stop)
        seen = [offset for kind, offset, _ in container.walk() if kind == b"BLOK"]
        if seen != container.blocks.offsets.tolist():
            raise CorruptError(f"{container.name}: chunk INDX does not list the blocks that are there")
        container.read_labels()
        container.read_names()
        container.read_class_names()

    def ideal_bytes(self) -> float:
        """The ideal code length of all symbols, in bytes: a diagnostic, not a rate."""
        return sum(self._reader.ideal_bits(number) for number in range(len(self._container.blocks))) / 8
