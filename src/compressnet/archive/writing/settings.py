"""How an archive is to be written: the one record that the command line, the library and the writer share."""

from __future__ import annotations

from dataclasses import dataclass

from compressnet.archive.writing.bounds import Bounds

BLOCK_IMAGES = 256
WRITE_IMAGES = 4096
"""Images that are encoded together when an archive is written."""
GROUP_BYTES = 1 << 25
"""Of images that are encoded together, where these are large."""
LOSSLESS_BLOCK_VALUES = 1 << 20
"""Of a lossless block that is written, at most; reading one of its images decodes all of it."""
STORED_BLOCK_BYTES = 1 << 22
"""Pixels of a stored block, at most; reading one of its images unpacks all of it."""
WAITING_BYTES = 1 << 29
"""Images and symbols that wait for their groups to fill, at most; then the largest group is written as it is."""
QUALITY_STEPS = (12, 25, 50)
"""By how much more quality an image is coded that missed its bounds, before the highest one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How images are to be written."""

    quality: int
    effort: int
    block_images: int
    bounds: Bounds
    store_unknown: bool
    """Whether images are stored where the codec codes none of them; else that is an error."""
    threads: int = 1
    """Where there is no codec."""
