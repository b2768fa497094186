"""What is told of an archive that was written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class WorstImage:
    """An image that lost much, and how it was written."""

    image: int
    psnr: float
    quality: int | None
    """None where it was stored."""
    step: int | None
    """Of a stored image: the step of its values, 1 where it is stored as it is."""

    @property
    def way(self) -> str:
        """How it was written, in words."""
        return f"quality {self.quality}" if self.quality is not None else f"stored in steps of {self.step}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What was written. Equal images count once in `stored` and `raised`."""

    images: int
    archive_bytes: int
    duplicates: int = 0
    """Images that are equal to an earlier one."""
    stored: int = 0
    """Images that were stored, without the codec."""
    raised: int = 0
    """Images at a higher quality than was asked for, to meet the bounds."""
    reasons: dict[str, int] = field(default_factory=dict)
    """Why images were stored, and how many for each reason."""
    worst: list[WorstImage] = field(default_factory=list)
    """Where there are bounds, the images with the lowest PSNR, the worst first; none that came back perfect."""

    def as_json(self) -> dict[str, Any]:
        """The document that `compress --json` prints."""
        return asdict(self)

    def remarks(self, names: Sequence[str] | None = None) -> list[str]:
        """What a user should know beside the bytes: what was stored and why, and the worst images."""
        lines: list[str] = []
        if self.duplicates:
            lines.append(f"{self.duplicates} images equal an earlier one and take no bytes")
        if self.raised:
            lines.append(f"{self.raised} images at a higher quality, to meet the bounds")
        lines += [f"{count} images stored: {reason}" for reason, count in self.reasons.items()]
        for worst in self.worst:
            name = str(worst.image) if names is None else names[worst.image]
            lines.append(f"  {worst.psnr:.2f} dB  {name} ({worst.way})")
        if self.worst:
            lines.insert(-len(self.worst), "the worst images:")
        return lines
