"""A part of a codec: one method, one identity; what an archive embeds.

A codec file holds parts. A `Part` is the data of one, proved; `Coders` are the same part ready to
run, and give a `Coder` for a kind of image and a quality.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, cast

import numpy as np
from numpy.typing import NDArray

from compressnet.coding.coder import Coder
from compressnet.errors import CorruptError, InputError
from compressnet.images.kinds import Kind
from compressnet.limits import CODEC_BYTES_LIMIT, DEFAULT_LIMITS, Limits
from compressnet.networks.program import Backend
from compressnet.wire import Reader

Tensors = dict[str, NDArray[Any]]
"""Arrays by the names that they have in a codec file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """What is known of an array before it is read."""

    shape: tuple[int, ...]
    """Of one to four axes."""
    dtype: np.dtype[Any]
    """Of integers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PackedPart:
    """What a packed codec holds of a part: the decoding part, as small as it gets."""

    entries: list[dict[str, Any]]
    """What is not an array, with the shapes of all arrays."""
    hashes: bytes
    """Of the probes."""
    numbers: list[NDArray[Any]]
    """Arrays that do not follow from what is known."""
    elements: int
    """Of all arrays, including those that follow from the rest."""


class PackedPlan(ABC):
    """What the entries of a packed part say of its arrays."""

    layouts: list[Layout]
    """Of `PackedPart.numbers`."""
    hash_bytes: int
    """How many bytes of hashes it has."""
    elements: int

    @abstractmethod
    def tensors(self, hashes: bytes, numbers: list[NDArray[Any]], what: str) -> Tensors:
        """All tensors of the part; `what` names it in errors. Raises CorruptError."""


class Part(ABC):
    """The data of a part; frozen."""

    method: ClassVar[int]
    key: ClassVar[str]
    """What the JSON document of a codec file calls the part's entries."""
    identity: bytes
    """SHA-256 of what decoding needs, 32 bytes."""

    @abstractmethod
    def entries(self) -> list[dict[str, Any]]:
        """What is not an array: an entry for each network, for the JSON document."""

    @abstractmethod
    def tensors(self) -> Tensors:
        """All arrays, probes among them."""

    @abstractmethod
    def without_encoder(self) -> Part:
        """The same part without what only encoding needs, of the same identity."""

    @abstractmethod
    def packed(self, codec_name: str) -> PackedPart:
        """What an archive embeds; codec_name: for errors.

        Raises CodecRefusedError where this machine does not reproduce a probe, so that no wrong
        codec is embedded.
        """

    @staticmethod
    @abstractmethod
    def packed_plan(entries: list[Any], what: str) -> PackedPlan:
        """How a packed part with these entries is read; `what` names it in errors.

        Raises CorruptError, or KeyError, TypeError and their like for entries of another form.
        """

    @abstractmethod
    def coders(self, codec_name: str, backend: Backend, limits: Limits = DEFAULT_LIMITS) -> Coders:
        """The part ready to run on a backend, within limits; codec_name: for errors."""

    @property
    @abstractmethod
    def qualities(self) -> tuple[int, int]:
        """Lowest and highest quality, both included."""

    def has_quality(self, quality: int) -> bool:
        """Whether something of the part is coded at a quality."""
        low, high = self.qualities
        return low <= quality <= high


class Coders(ABC):
    """A part ready to run: the coders that it has."""

    method: ClassVar[int]

    @property
    @abstractmethod
    def kinds(self) -> list[Kind]:
        """The kinds (H,W,C) that it codes, as far as they can be listed."""

    @abstractmethod
    def why_not(self, kind: Kind, quality: int) -> str | None:
        """Why it has no coder for images of a kind at a quality, and the way out.

        None where it has one.
        """

    @abstractmethod
    def find(self, kind: Kind, quality: int) -> Coder:
        """The coder, where `why_not` gives None.

        The same object each time. Raises CodecRefusedError.
        """

    @abstractmethod
    def single_kind(self, kind: Kind) -> tuple[int, bytes]:
        """What a single block says of a kind.

        That is the kind's number, and the bytes that the block's payload begins with.
        """

    @abstractmethod
    def coder_of_single(self, number: int, quality: int, images: int, reader: Reader) -> Coder:
        """The coder of a single block of `images` images.

        Where the payload begins with the images' size, that is read off it.

        Raises CorruptError, CodecRefusedError.
        """

    def coder(self, kind: Kind, quality: int) -> Coder:
        """The coder for images of a kind at a quality. Raises InputError, CodecRefusedError."""
        reason = self.why_not(kind, quality)
        if reason is not None:
            raise InputError(reason)
        return self.find(kind, quality)


def is_shape(shape: Any) -> bool:
    """Whether a value from JSON is the shape of an array: a list of sides."""
    return isinstance(shape, list) and all(
        type(side) is int and 0 <= side <= CODEC_BYTES_LIMIT for side in cast("list[Any]", shape)
    )


def whole_number(value: Any) -> int:
    """A whole number from JSON. Raises CorruptError for anything else."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise CorruptError(f"{value!r} stands where a whole number should")
    return value
