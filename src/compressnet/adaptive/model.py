"""What an adaptive model is to those that use it: settings, pictures, and the four verbs.

Axes: H rows, W columns, B bytes of a pixel.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from compressnet.errors import CorruptError, InputError
from compressnet.limits import CHANNELS_LIMIT, SIDE_LIMIT_PX

FLAG_CONTEXTS = 6
BYTE_CONTEXTS = 16
HISTOGRAMS = 13
TABLE_BITS = range(10, 23)
"""How many buckets the table of a model may have, as powers of two."""
FRESH_PAID = 64
"""Bytes of pixels that are not foretold, for each byte of a payload: these are what takes time."""
SEEN_PIXELS_LIMIT = 1 << 27
"""Pixels that a model may learn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdaptiveSettings:
    """Which contexts a model uses, and how large its table is. Raises InputError."""

    table_bits: int
    """2^this buckets of 16 bytes; 10 to 22."""
    flags: int
    """A set of bits: contexts of whether a pixel is the foretold one, 1 to 2^6 - 1."""
    bytes: int
    """A set of bits: contexts of the bytes of a pixel that is not, 1 to 2^16 - 1."""
    histograms: int
    """A set of bits: histograms of those bytes, 0 to 2^13 - 1."""

    def __post_init__(self) -> None:
        fault = _fault(self.table_bits, self.flags, self.bytes, self.histograms)
        if fault:
            raise InputError(f"settings of an adaptive model: {fault}")

    @property
    def table_bytes(self) -> int:
        """How large its table is."""
        return 16 << self.table_bits

    @classmethod
    def read(cls, numbers: Sequence[int], what: str) -> AdaptiveSettings:
        """Settings from table_bits, flags, bytes and histograms as a file has them.

        what: the file's part that has them. Raises CorruptError, which names it.
        """
        table_bits, flags, bytes_, histograms = numbers
        fault = _fault(table_bits, flags, bytes_, histograms)
        if fault:
            raise CorruptError(f"{what}: {fault}")
        return cls(table_bits=table_bits, flags=flags, bytes=bytes_, histograms=histograms)


def _fault(table_bits: int, flags: int, bytes_: int, histograms: int) -> str | None:
    """What is wrong with settings."""
    if table_bits not in TABLE_BITS:
        return f"table_bits {table_bits} is not between {TABLE_BITS[0]} and {TABLE_BITS[-1]}"
    for name, given, least, count in (
        ("flags", flags, 1, FLAG_CONTEXTS),
        ("bytes", bytes_, 1, BYTE_CONTEXTS),
        ("histograms", histograms, 0, HISTOGRAMS),
    ):
        if not least <= given < 1 << count:
            return f"{name} {given} is not between {least} and {(1 << count) - 1}"
    return None


def bits_of(numbers: int) -> list[int]:
    """The numbers in a set of bits, in ascending order."""
    return [i for i in range(numbers.bit_length()) if numbers >> i & 1]


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureShape:
    """What has to be known of a picture to read it. Raises InputError."""

    height: int
    width: int
    channels: int
    """1 to 4: grey, grey and alpha, RGB, RGBA."""
    deep: bool
    """Whether values have 16 bits."""

    def __post_init__(self) -> None:
        if not (1 <= self.height <= SIDE_LIMIT_PX and 1 <= self.width <= SIDE_LIMIT_PX):
            raise InputError(f"a picture of {self.height}x{self.width} pixels; sides are 1 to {SIDE_LIMIT_PX}")
        if not 1 <= self.channels <= CHANNELS_LIMIT:
            raise InputError(f"a picture with {self.channels} channels; there may be 1 to {CHANNELS_LIMIT}")

    @property
    def pixels(self) -> int:
        """How many pixels it has."""
        return self.height * self.width

    @property
    def axes(self) -> tuple[int, int, int]:
        """Height, width and bytes of a pixel."""
        return self.height, self.width, self.pixel_bytes

    @property
    def pixel_bytes(self) -> int:
        """Bytes of a pixel."""
        return self.channels * (2 if self.deep else 1)


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture's values, as bytes. Raises InputError."""

    values_HWB: NDArray[np.uint8]
    """(H,W,B): a byte a channel; in deep pictures the high bytes of all channels, then the low
    ones."""
    shape: PictureShape

    def __post_init__(self) -> None:
        wanted = (self.shape.height, self.shape.width, self.shape.pixel_bytes)
        if self.values_HWB.dtype != np.uint8 or self.values_HWB.shape != wanted:
            given = f"{self.values_HWB.dtype} of shape {self.values_HWB.shape}"
            raise InputError(f"a picture's values are {given}, not uint8 of shape {wanted}")


class AdaptiveCoderModel(ABC):
    """A model that learns from pictures while it codes them; used by one thread at a time.

    All of its implementations give the same bytes. Any payload reads as some picture.
    """

    @abstractmethod
    def allow(self, fresh_bytes: int) -> None:
        """Set what a payload may take: bytes of pixels that are not foretold.

        Besides, it may have FRESH_PAID of them for each of its own bytes. Reading one that has
        more raises BeyondLimitsError; writing fills up what is too short with zeros, which change
        nothing. At first, any number is allowed.
        """

    @abstractmethod
    def learn_write(self, pictures: Sequence[Picture]) -> tuple[bytes, list[int]]:
        """One payload of some pictures, which the model learns from.

        Also, for each picture, how many bytes were written after it: about where it ends, and for
        the last one the payload's length. Raises InputError where there is no room for so many
        pixels.
        """

    @abstractmethod
    def learn_read(self, payload: bytes, shapes: Sequence[PictureShape]) -> list[Picture]:
        """The pictures of `learn_write`, learned from as they were when written.

        Raises InputError where there is no room for so many pixels.
        """

    @abstractmethod
    def write(self, picture: Picture) -> bytes:
        """The payload of a picture alone; the model is then as it was.

        Raises InputError where there is no room for so many pixels.
        """

    @abstractmethod
    def read(self, payload: bytes, shape: PictureShape) -> Picture:
        """The picture of `write`; the model is then as it was.

        Raises InputError where there is no room for so many pixels.
        """

    def write_all(self, shape: PictureShape, images_NHWB: NDArray[np.uint8]) -> list[bytes]:
        """The payload of each of some images of a shape (N,H,W,B), each alone."""
        return [self.write(Picture(image, shape)) for image in images_NHWB]

    def read_all(self, shape: PictureShape, payloads: Sequence[bytes]) -> NDArray[np.uint8]:
        """The images (N,H,W,B) of payloads, each alone."""
        images_NHWB = np.empty((len(payloads), *shape.axes), np.uint8)
        for image, payload in zip(images_NHWB, payloads, strict=True):
            image[...] = self.read(payload, shape).values_HWB
        return images_NHWB

    @abstractmethod
    def copy(self, pixels: int) -> Self:
        """A model for another thread, which has learned what this one has.

        pixels: room, for what was learned and what comes; see `require_room`.
        Raises InputError where it is less than what was learned.
        """


def require_room(learned: int, more: int, room: int) -> None:
    """Raises InputError where there is no room for more pixels than were learned."""
    if learned + more > room:
        raise InputError(
            f"an adaptive model with room for {room:,} pixels, of which {learned:,} were learned, "
            f"cannot take {more:,} more; make it larger"
        )


class AdaptiveBackend(ABC):
    """A backend that has adaptive models of its own; those of all others run in Python."""

    @abstractmethod
    def adaptive_model(self, settings: AdaptiveSettings, pixels: int) -> AdaptiveCoderModel:
        """A model that has learned nothing, with room for so many pixels."""
