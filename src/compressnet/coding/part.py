"""A part of a codec: one method, one identity; what an archive embeds.

A codec file holds parts. A `Part` is the data of one, proved; `Coders` are the same part ready to
run, and give a `Coder` for a kind of image and a quality.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from numpy.typing import NDArray

from compressnet.coding.coder import Coder
from compressnet.errors import InputError
from compressnet.images.kinds import Kind
from compressnet.networks.program import Backend
from compressnet.wire import Reader

Tensors = dict[str, NDArray[Any]]
"""Arrays by the names that they have in a codec file."""


class Part(ABC):
    """The data of a part; frozen."""

    method: ClassVar[int]
    key: ClassVar[str]
    """What the JSON document of a codec file calls the part's entries."""
    identity: bytes
    """SHA-256 of what decoding needs, 32 bytes."""

    @abstractmethod
    def entries(self) -> list[dict[str, Any]]:
        """What is no array, an entry for each network, for the JSON document."""

    @abstractmethod
    def tensors(self) -> Tensors:
        """All arrays, probes among them."""

    @abstractmethod
    def without_encoder(self) -> Part:
        """The same part without what only encoding needs, of the same identity."""

    @abstractmethod
    def coders(self, codec_name: str, backend: Backend) -> Coders:
        """The part ready to run on a backend; codec_name: for errors. Raises CodecRefusedError."""

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
        """Why it has no coder for images of a kind at a quality, and the way out; None where it has one."""

    @abstractmethod
    def find(self, kind: Kind, quality: int) -> Coder:
        """The coder, where `why_not` gives None; the same object each time. Raises CodecRefusedError."""

    @abstractmethod
    def single_kind(self, kind: Kind) -> tuple[int, bytes]:
        """What a single block says of a kind: its number, and the bytes that its payload begins with."""

    @abstractmethod
    def coder_of_single(self, number: int, quality: int, images: int, reader: Reader) -> Coder:
        """The coder of a single block of `images` images; takes off the payload what tells their size.

        Raises CorruptError, CodecRefusedError.
        """

    def coder(self, kind: Kind, quality: int) -> Coder:
        """The coder for images of a kind at a quality. Raises InputError, CodecRefusedError."""
        reason = self.why_not(kind, quality)
        if reason is not None:
            raise InputError(reason)
        return self.find(kind, quality)
