"""How large a pixel model is, and how it is trained."""

from __future__ import annotations

from dataclasses import dataclass, replace

Ranges = tuple[tuple[int, int, int], ...]
"""A template: (rows below, first and last column to the right) for each of its rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PixelDesign:
    """A pixel model to be trained; see `compressnet.lossless.model` for its parts."""

    near: Ranges = ((-3, -1, 1), (-2, -2, 2), (-1, -3, 3), (0, -4, -1))
    far: Ranges = (*((dy, -6, 6) for dy in range(-5, 0)), (0, -6, -1))
    across: Ranges = ((-1, -1, 1), (0, -1, 1), (1, -1, 1))
    near_columns: int = 6
    far_columns: int = 2
    seen: int = 32
    """Sums over the values that came before a pixel in its plane."""
    hidden: tuple[int, ...] = (128, 64, 64)
    low: int = 64
    counts: bool = True
    learning_rate: float = 3e-3


SMALL = PixelDesign(seen=16, hidden=(64, 48, 48), low=48)
PIXEL_DESIGNS = {
    "fast": PixelDesign(hidden=(128, 64, 64), low=64),
    "balanced": PixelDesign(hidden=(192, 96, 96), low=128),
    "best": PixelDesign(hidden=(256, 128, 96), low=128),
}
"""By preset."""
FEW_VALUES = 1 << 24
"""In an archive of fewer pixels times channels (about 20,000 grey images of 28x28) the codec is a
large part, so models are smaller."""
COUNTED_PX = 1 << 12
"""Images of more pixels are too large for counts, whose cost in training grows with the square."""


def pixel_design(preset: str, collection_values: int, largest_px: int) -> PixelDesign:
    """The pixel model for a collection of so many values, with images of up to so many pixels."""
    design = PIXEL_DESIGNS[preset] if collection_values >= FEW_VALUES else SMALL
    return replace(design, counts=largest_px <= COUNTED_PX)
