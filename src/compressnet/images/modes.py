"""Modes that say more than their images need: grey saved as RGB, alpha that is opaque throughout.

An image is coded in the fewest channels that hold it, and comes back in those that it had.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Tight:
    """What is left out of images that allow it: they are coded without it, and come back with it.

    colour: where red, green and blue are equal throughout. alpha: where all of it is opaque.
    """

    colour: bool = False
    alpha: bool = False


AS_IS = Tight()
TIGHT = Tight(colour=True, alpha=True)
