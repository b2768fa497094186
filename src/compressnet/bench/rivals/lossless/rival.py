"""What a lossless rival is, and what comes of a collection that it has coded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from compressnet.bench.rivals.lossless.stacks import Stacks
from compressnet.bench.rivals.rival import can_import
from compressnet.images.kinds import Pictures

Layout = Literal["files", "mosaics", "pixels", "PNG tar", "raw tar"]
"""Where the images stand: `all pixels` are those of one size after those of another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CodedStacks:
    """A collection that a lossless rival has coded."""

    total_bytes: int
    """Of all files, without their names."""
    decode: Callable[[], Sequence[Pictures]]
    """Gives an array (N,H,W,C) for each part of the collection."""
    earlier_s: float = 0.0
    """Seconds of coding that were spent before, for another rival as well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Needed:
    """What has to be installed for a codec."""

    module: str | None = None
    extra: str = "bench"
    """The extra of this package that has the module."""

    def missing(self, title: str) -> str | None:
        """Why this installation cannot measure a codec; None where it can."""
        if can_import(self.module):
            return None
        return f"{title} is not measured: pip install 'compressnet[{self.extra}]'"


NOTHING = Needed()
"""Comes with Python, or with what the package itself needs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LosslessRival:
    """A codec at one setting, and the layout in which it gets the images."""

    key: str
    """As `--rivals` takes it."""
    name: str
    """Codec and setting, as people write them."""
    layout: Layout
    encode: Callable[[Stacks], CodedStacks]
    missing: str | None
    """Why this installation cannot measure it; None where it can."""
    deep: bool = True
    """Whether it holds images of 16 bits."""
    side_px: int | None = None
    """The longest side that it holds; None: any."""

    @property
    def alone(self) -> bool:
        """Whether an image is read without the others."""
        return self.layout == "files"

    def refusal(self, stacks: Stacks) -> str | None:
        """Why it cannot hold all of a collection; None where it can."""
        deep = sum(len(part.places_N) for part in stacks.parts if part.is_deep)
        if deep and not self.deep:
            return f"{self.name} holds no 16 bits, which {deep} of {stacks.images} images have"
        longest = max(max(part.images_NHWC.shape[1:3]) for part in stacks.parts)
        if self.side_px is not None and longest > self.side_px:
            return f"{self.name} holds no side of {longest} pixels, only {self.side_px}"
        return None
