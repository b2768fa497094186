"""What is asked for of a codec that is picked, and what was picked, after which comparison."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from compressnet.codec.codec import Codec
from compressnet.container.entries import PRIMER_NAME
from compressnet.images.kinds import count_text


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """What a codec makes of a sample."""

    codec: str
    quality: int
    """Of what is learned: 100 less the largest error."""
    bytes_per_image: float
    psnr: float
    """In dB, over all values; infinite without loss."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picked:
    """What images are coded with."""

    codec: Codec | None
    """None: what is learned from the images themselves."""
    quality: int | None
    """None: the codec's own, or what bounds leave."""
    points: tuple[Point, ...] = ()
    """What was compared, the best first; nothing where there was no choice."""
    images: int = 0
    """Of the sample."""

    network_mse: float | None = None
    """Where both are used, image by image: as in `Settings`."""

    @property
    def by_image(self) -> bool:
        """Whether both are used, each for the images that take less with it."""
        return self.network_mse is not None

    @property
    def remark(self) -> str | None:
        """What was picked, and why, in a line."""
        if not self.points:
            return None
        best, *others = (
            f"{point.bytes_per_image:.1f} bytes an image {_at(point.psnr)} {_by(point)}" for point in self.points
        )
        both = "; each image as it takes less" if self.by_image else ""
        return f"picked on a sample of {count_text(self.images)}: {best}; {', '.join(others)}{both}"

    def as_json(self) -> dict[str, Any] | None:
        """For `--json`; None where there was no choice."""
        if not self.points:
            return None
        compared = [asdict(point) | {"psnr": _or_none(point.psnr)} for point in self.points]
        return {"images": self.images, "compared": compared, "by_image": self.by_image}


def _at(psnr: float) -> str:
    return "without loss" if math.isinf(psnr) else f"at {psnr:.1f} dB"


def _or_none(psnr: float) -> float | None:
    """JSON has no infinity."""
    return None if math.isinf(psnr) else psnr


def _by(point: Point) -> str:
    return "learned from the images themselves" if point.codec == PRIMER_NAME else f"with {point.codec}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """What is asked for of the error: one of these, or neither where a quality is."""

    mse: float | None = None
    """Pixels in [0,1]."""
    bytes_per_image: float | None = None
