"""How large a pixel model is, and how it is trained."""

from __future__ import annotations

from dataclasses import dataclass

Ranges = tuple[tuple[int, int, int], ...]
"""A template: (rows below, first and last column to the right) for each of its rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PixelDesign:
    """A pixel model to be trained; see `compressnet.pixels` for its parts."""

    near: Ranges = ((-3, -1, 1), (-2, -2, 2), (-1, -3, 3), (0, -4, -1))
    far: Ranges = (*((dy, -6, 6) for dy in range(-5, 0)), (0, -6, -1))
    across: Ranges = ((-1, -1, 1), (0, -1, 1), (1, -1, 1))
    near_columns: int = 6
    far_columns: int = 2
    seen: int = 32
    """Sums over the values that a plane has had."""
    hidden: tuple[int, ...] = (128, 64, 64)
    low: int = 64
    counts: bool = True
    learning_rate: float = 3e-3
