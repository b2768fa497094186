"""What codes images adaptively, whoever runs it: the interface of the core and of the definition.

A model learns from images while it codes them, or codes each one alone, beginning with what it has
learned. FORMAT.md, "Adaptive payload".
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from compressnet.images.kinds import Images

TABLE_BITS = (10, 22)
FLAG_CONTEXTS, BYTE_CONTEXTS, HISTOGRAMS = 6, 16, 13
"""How many there are."""
INPUTS_LIMIT = 32
"""Of contexts and histograms of bytes that are used, and one more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdaptiveSettings:
    """Which contexts a model uses, and how large its table is."""

    table_bits: int
    """2^10 to 2^22 buckets of 16 bytes."""
    flags: int
    """The contexts of a pixel that is foretold: bit i for number i; at least one."""
    bytes: int
    """The contexts of bytes, likewise."""
    histograms: int
    """The histograms that are used, likewise; may be none."""

    def why_not(self) -> str | None:
        """What is impossible about it; None where nothing is."""
        low, high = TABLE_BITS
        if not low <= self.table_bits <= high:
            return f"a table of 2^{self.table_bits} buckets"
        if not 0 < self.flags < 1 << FLAG_CONTEXTS or not 0 < self.bytes < 1 << BYTE_CONTEXTS:
            return f"the contexts {self.flags:#x} and {self.bytes:#x}"
        if not 0 <= self.histograms < 1 << HISTOGRAMS:
            return f"the histograms {self.histograms:#x}"
        if self.bytes.bit_count() + self.histograms.bit_count() >= INPUTS_LIMIT:
            return f"{self.bytes.bit_count()} contexts and {self.histograms.bit_count()} histograms"
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Of an image: what its values (H,W,bytes) are."""

    height: int
    width: int
    channels: int
    """1 to 4: L, LA, RGB, RGBA."""
    deep: bool
    """Two bytes a value: those above of all channels, then those below."""

    @property
    def axes(self) -> tuple[int, int, int]:
        """Height, width and bytes of a pixel."""
        return self.height, self.width, self.channels * (2 if self.deep else 1)


class AdaptiveModel(ABC):
    """A model; serves one thread at a time."""

    @abstractmethod
    def learn_write(self, images: Sequence[tuple[Shape, Images]]) -> bytes:
        """Images (H,W,bytes) in one payload; the model learns from them."""

    @abstractmethod
    def learn_read(self, shapes: Sequence[Shape], payload: bytes) -> list[Images]:
        """The images (H,W,bytes) again, of their shapes; the model learns from them."""

    @abstractmethod
    def write(self, shape: Shape, images_NHWC: Images) -> list[bytes]:
        """Images (N,H,W,bytes) of a shape, each alone; the model is then as it was."""

    @abstractmethod
    def read(self, shape: Shape, payloads: Sequence[bytes]) -> Images:
        """The images (N,H,W,bytes) of payloads; the model is then as it was."""

    @abstractmethod
    def copy(self) -> AdaptiveModel:
        """Another one that has learned the same."""


class AdaptiveBackend(ABC):
    """A backend that has adaptive models of its own; those of all others run in Python."""

    @abstractmethod
    def adaptive_model(self, settings: AdaptiveSettings, pixels: int) -> AdaptiveModel:
        """A model that has learned nothing, with room to learn images of so many pixels."""
