"""Images by index, as NumPy indexes arrays: what archives and sets of them have in common.

Axes: N images of the collection, H rows, W columns, C channels.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Any, Self, overload

import numpy as np
from numpy.typing import NDArray

from compressnet.archive.indexing import Index, Look, Rows, positions_of
from compressnet.archive.symbols import SymbolView
from compressnet.errors import InputError
from compressnet.images.kinds import Pictures, Symbols

READ_IMAGES = 4096
"""Images that iteration decodes together, about."""


class ImageArray(ABC):
    """Images that are decoded when they are asked for."""

    look: Look | None
    """The shape and type of its images; None where they have several."""
    dtype: np.dtype[np.uint8] | np.dtype[np.uint16]
    """uint8; uint16 where some images have 16 bits, and so have 8 or 16."""

    @property
    @abstractmethod
    def name(self) -> str:
        """Where it was opened from, for errors."""

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def batches(self, images: int = READ_IMAGES, chosen: slice | None = None) -> Iterator[Pictures]:
        """Images in order, all or those of a slice, as arrays (n,H,W[,C]) of one shape and type.

        An array holds consecutive images, up to about `images` of them.
        """

    @abstractmethod
    def read_symbols(self, positions: NDArray[np.int64]) -> Symbols:
        """Symbols (n,D) of images of the collection. Raises InputError where one has none."""

    @abstractmethod
    def close(self) -> None:
        """Close its files."""

    @abstractmethod
    def _block_counts(self) -> NDArray[np.int64]:
        """How many images, one after the other, are quickly read together."""

    @abstractmethod
    def _read_one(self, position: int) -> Pictures:
        """The image at a position in 0..N-1."""

    @abstractmethod
    def _read(self, positions: NDArray[np.int64]) -> Pictures | list[Pictures]:
        """Images at positions in 0..N-1, in their order."""

    @property
    def is_mixed(self) -> bool:
        """Whether its images have several shapes or types."""
        return self.look is None

    @property
    def shape(self) -> tuple[int, ...]:
        """(N,H,W) or (N,H,W,C) where all images have one shape and type, else (N,)."""
        return (len(self), *(() if self.look is None else self.look.shape))

    @property
    def ndim(self) -> int:
        """Axes of `shape`."""
        return len(self.shape)

    @property
    def chunks(self) -> tuple[tuple[int, ...], ...]:
        """How long blocks are along each axis of `shape`, for `dask.array.from_array`.

        Where images lie in another order than their blocks, as equal ones do, blocks as long as
        the longest one. Raises InputError where images have several shapes or types.
        """
        if self.is_mixed:
            raise InputError(f"{self.name}: images of several shapes or types are no chunked array; take those of one")
        return (tuple(self._block_counts().tolist()), *((side,) for side in self.shape[1:]))

    @property
    def symbols(self) -> SymbolView:
        """The images' symbols, int32 (N,D), indexed as the archive is.

        The decoder does not run for them.
        """
        return SymbolView(len(self), self.read_symbols)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @overload
    def __getitem__(self, index: int) -> Pictures: ...
    @overload
    def __getitem__(self, index: slice | Sequence[int] | NDArray[Any]) -> Pictures | list[Pictures]: ...
    @overload
    def __getitem__(self, index: tuple[Any, ...]) -> Pictures: ...
    def __getitem__(self, index: Index) -> Pictures | list[Pictures]:
        """One image; or several as one array, or as a list where their shapes or types differ.

        A tuple takes pixels of images of one shape as well: `archive[8:16, :, :14]`. Raises
        IndexError, and CorruptError for a damaged block.
        """
        if isinstance(index, tuple):
            return self._pixels(*index)
        if isinstance(index, (int, np.integer)):
            if not -len(self) <= index < len(self):
                raise IndexError(f"image {index} of an archive of {len(self)}")
            return self._read_one(int(index) % len(self))
        return self._read(self.positions(index))

    def _pixels(self, rows: Rows = slice(None), *rest: Any) -> Pictures:
        """What a tuple asks for. Raises IndexError."""
        images = self[rows]
        if isinstance(images, list):
            raise IndexError(f"{self.name}: images of several shapes have no axes in common but the first")
        return images[rest] if isinstance(rows, (int, np.integer)) else images[(slice(None), *rest)]

    def array(self) -> Pictures:
        """All images as one array (N,H,W[,C]).

        Raises InputError where they have several shapes, or some 8 and some 16 bits.
        """
        images = self[:]
        if isinstance(images, list):
            raise InputError(
                f"{self.name}: images of several shapes, or of 8 and 16 bits, but one is needed here; take those of one"
            )
        return images

    def __getitems__(self, indices: Sequence[int]) -> list[Pictures]:
        """Several images at once, as torch's DataLoader asks for a batch."""
        return list(self[np.asarray(indices, np.int64)])

    def __iter__(self) -> Iterator[Pictures]:
        for images in self.batches():
            yield from images

    def positions(self, index: slice | Sequence[int] | NDArray[Any]) -> NDArray[np.int64]:
        """What an index selects, as numbers from 0 to N-1. Raises IndexError."""
        return positions_of(index, len(self))
