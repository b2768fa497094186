"""The one interface of every way of coding images, bound to one kind of image and one quality.

    images (N,H,W,C) -> values_of -> values -> write -> payloads of blocks
    images (N,H,W,C) <- images_of <- values <- read  <- payloads of blocks

Values are symbols (N,D) where the method has some, else pixels (N,H,W,C). Whatever writes, reads,
measures or searches talks to coders alone; which method is behind them it need not know.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from compressnet.bisection import first_that
from compressnet.images.kinds import Images, Kind
from compressnet.limits import BLOCK_VALUES_LIMIT, DEFAULT_LIMITS, Cost

STORED, LOSSY, LOSSLESS, ADAPTIVE = 0, 1, 2, 3
METHODS = {STORED: "stored", LOSSY: "lossy", LOSSLESS: "lossless", ADAPTIVE: "adaptive"}
WITHOUT_CODEC = frozenset({STORED})
"""Methods whose blocks need no codec."""
LOSSLESS_QUALITY = 100
"""The quality of every block that loses nothing."""

Values = NDArray[Any]
"""Symbols (N,D), integers, or pixels uint8 (N,H,W,C)."""


class Coder(ABC):
    """A way of coding images of one kind at one quality; may be used by several threads."""

    method: ClassVar[int]
    """Which of METHODS: what a block's record says of it."""
    has_symbols: ClassVar[bool]
    """Whether values are symbols; else they are pixels, as `images_of` gives them."""
    written_values: int
    """Pixels times channels of a block that is written, at most."""
    read_values: ClassVar[int] = BLOCK_VALUES_LIMIT
    """Pixels times channels of images that are read together; a block that has more is refused."""
    codes_alone: ClassVar[bool] = False
    """Whether each image of a block is coded alone, so that `read_some` reads no others."""
    ahead_images: int = 1
    """How many images are read at a time where a block is asked for bit by bit, if its images are
    coded alone: so many that those share the steps of a model."""
    kind: Kind
    quality: int

    @property
    @abstractmethod
    def exact(self) -> bool:
        """Whether every image comes back as it was."""

    @property
    def keeps_hidden_colour(self) -> bool:
        """Whether colour under alpha 0 comes back, within the error that there is."""
        return self.exact

    def block_images(self, at_most: int) -> int:
        """How many images a block that is written holds, at most so many and at least one.

        They are so few that whoever reads one of them stays within the default limits.
        """
        at_most = max(1, min(at_most, self.written_values // math.prod(self.kind)))
        if self.codes_alone:
            return at_most
        return first_that(1, at_most, lambda images: not DEFAULT_LIMITS.allow(self.cost_of(images + 1)))

    @abstractmethod
    def cost_of(self, images: int) -> Cost:
        """What reading one image of a block of so many takes, at most.

        Where images are coded alone: what reading so many of them takes.
        """

    @abstractmethod
    def values_of(self, images_NHWC: Images, effort: int = 1) -> Values:
        """The values (N,...) that stand for images.

        effort: 1 to 9, how long to search for cheaper values; a method without a search ignores
        it. Raises CodecError where the codec cannot encode.
        """

    @abstractmethod
    def write(self, values: Values, counts: Sequence[int], bits_N: NDArray[np.float64] | None = None) -> list[bytes]:
        """The payload of each block; block i holds the next `counts[i]` values.

        bits_N: (N,), is filled with what `bits` gives, at hardly any cost beyond that of writing.
        """

    @abstractmethod
    def read(self, payloads: Sequence[bytes], counts: Sequence[int]) -> Values:
        """The values of all blocks, one after the other. Raises CorruptError."""

    def read_some(
        self, payloads: Sequence[bytes], counts: Sequence[int], chosen: Sequence[NDArray[np.int64]]
    ) -> Values:
        """The values of the images chosen[i] of block i, one block after the other.

        Raises CorruptError.
        """
        blocks = np.split(self.read(payloads, counts), np.cumsum(counts)[:-1])
        return np.concatenate([values[images] for values, images in zip(blocks, chosen, strict=True)])

    @abstractmethod
    def images_of(self, values: Values) -> Images:
        """The images (N,H,W,C) that values stand for."""

    @abstractmethod
    def bits(self, values: Values) -> NDArray[np.float64]:
        """The ideal code length of each image (N,), without what a block takes besides."""

    @abstractmethod
    def check_probe(self) -> None:
        """Raises CodecRefusedError where this machine does not reproduce what others decode."""
