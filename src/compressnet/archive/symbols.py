"""The symbols of an archive's images, by the images' numbers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from compressnet.archive.indexing import Rows, positions_of
from compressnet.images.kinds import Symbols


class SymbolView:
    """The symbols of an archive's images; `Archive.symbols` makes one."""

    __slots__ = ("_images", "_read")

    def __init__(self, images: int, read: Callable[[NDArray[np.int64]], Symbols]) -> None:
        """read: gives the symbols (n,D) of images at positions (n,)."""
        self._images, self._read = images, read

    def __len__(self) -> int:
        return self._images

    def __getitem__(self, index: Rows) -> Symbols:
        """Symbols int32 (D,) of one image, (n,D) of several.

        Raises IndexError, InputError, CorruptError.
        """
        if isinstance(index, (int, np.integer)):
            return self._read(positions_of([int(index)], self._images))[0]
        return self._read(positions_of(index, self._images))
