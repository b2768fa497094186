"""What was measured: a point for each codec and setting, failures, and details of an archive."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compressnet.images.kinds import Images

SHOWN_IMAGES = 12
COMPRESSNET = "compressnet"


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One codec at one setting."""

    codec: str
    mode: str
    """`archive`, or a rival's (`rivals.rival.Mode`)."""
    setting: str
    lossless: bool
    effort: int | None
    quality: int | None
    images: int
    total_bytes: int
    mse: float
    psnr: float | None
    ssim: float | None
    encode_s: float
    decode_s: float
    shown: Images = field(repr=False)
    """The first images decoded."""

    @property
    def bytes_per_image(self) -> float:
        """Bytes on disk over images."""
        return self.total_bytes / self.images

    @property
    def curve(self) -> str:
        """What this point is a part of: a codec in a mode, and at an effort."""
        if self.effort is not None:
            return f"{COMPRESSNET}, effort {self.effort}"
        return f"{self.codec}, {self.mode}{', lossless' if self.lossless else ''}"

    def as_json(self) -> dict[str, Any]:
        """A point of bench.json."""
        names = ("codec", "mode", "setting", "lossless", "effort", "quality", "images", "mse", "psnr", "ssim")
        return {name: getattr(self, name) for name in names} | {
            "bytes": self.total_bytes,
            "bytes_per_image": self.bytes_per_image,
            "encode_s": self.encode_s,
            "decode_s": self.decode_s,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A rival that could not do it."""

    codec: str
    mode: str
    setting: str
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspected:
    """An archive looked into."""

    block_bytes: NDArray[np.int64]
    """Of each block."""
    worst: list[tuple[int, float, Images, Images]]
    """The ten images of the highest error: index, MSE, original, decoded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """All that was measured."""

    source: str
    codec: str
    images: int
    originals: Images
    """The first images."""
    points: list[Point]
    failures: list[Failure]
    inspected: Inspected | None
    """At default quality and effort 1; None where lossless codecs alone were measured."""
