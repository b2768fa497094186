"""What images look like, and which of their channels are coded: `Form`.

pictures (N,H,W[,C]), 8 or 16 bits -> coded -> bytes (N,H,W,coded channels)
pictures (N,H,W[,C]), 8 or 16 bits <- shown <- bytes (N,H,W,coded channels)

Axes: N images, H rows, W columns, C channels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compressnet.images.kinds import Images, Kind, Pictures


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """What some images have in common: how they are shown, and what is coded of them."""

    shape: tuple[int, ...]
    """(H,W) or (H,W,C): how they came, and how they are shown."""
    deep: bool = False
    """Whether a value has 16 bits; coded are the high bytes of all channels, then the low ones."""
    grey: bool = False
    """Whether red, green and blue, which are equal, are coded once."""
    opaque: bool = False
    """Whether alpha, which is opaque throughout, is not coded."""

    @property
    def channels(self) -> int:
        """As shown."""
        return self.shape[2] if len(self.shape) == 3 else 1

    @property
    def kept_channels(self) -> int:
        """Those that are coded, of 8 or of 16 bits."""
        return self.channels - 2 * self.grey - self.opaque

    @property
    def kind(self) -> Kind:
        """Height, width and channels of bytes, as a coder gets them."""
        return (self.shape[0], self.shape[1], self.kept_channels * (2 if self.deep else 1))

    @property
    def dtype(self) -> np.dtype[Any]:
        """uint8, or uint16 for 16 bits."""
        return np.dtype(np.uint16 if self.deep else np.uint8)

    def coded(self, pictures: Pictures) -> Images:
        """What is coded of pictures (N,H,W[,C]): uint8 (N,H,W,c)."""
        kept: NDArray[Any] = pictures.reshape(len(pictures), *self.shape[:2], self.channels)
        if self.opaque:
            kept = kept[..., :-1]
        if self.grey:
            kept = np.concatenate([kept[..., :1], kept[..., 3:]], axis=-1)
        if self.deep:
            kept = np.concatenate([kept >> 8, kept & 255], axis=-1).astype(np.uint8)
        return kept

    def widened(self, coded_NHWC: Images) -> Pictures:
        """All channels again, of what was coded: (N,H,W,C)."""
        channels: NDArray[Any] = coded_NHWC
        if self.deep:
            high, low = np.split(coded_NHWC.astype(np.uint16), 2, axis=-1)
            channels = (high << 8) | low
        if self.grey:
            channels = np.concatenate([channels[..., :1].repeat(3, axis=-1), channels[..., 1:]], axis=-1)
        if self.opaque:
            alpha = np.full((*channels.shape[:-1], 1), np.iinfo(self.dtype).max, self.dtype)
            channels = np.concatenate([channels, alpha], axis=-1)
        return channels

    def shown(self, coded_NHWC: Images) -> Pictures:
        """The pictures (N,H,W[,C]) again, in the shape that they had."""
        return self.widened(coded_NHWC).reshape(len(coded_NHWC), *self.shape)
