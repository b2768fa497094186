"""How an archive is to be written: one record, passed from the command line down to the router."""

from __future__ import annotations

from dataclasses import dataclass, field

from compressnet.archive.writing.bounds import Bounds
from compressnet.codec.codec import check_effort
from compressnet.errors import InputError
from compressnet.limits import BLOCK_IMAGES_LIMIT

BLOCK_IMAGES = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How images are to be written. Raises InputError for what is impossible."""

    quality: int | None = None
    """0 to 99, or 100 without loss.

    None: the codec's own; or 100 where the bounds leave no error.
    """
    effort: int = 1
    """1 to 9: how long to search for cheaper symbols."""
    block_images: int = BLOCK_IMAGES
    """Images of a block, at most."""
    bounds: Bounds = field(default_factory=Bounds)
    """What every image has to meet."""
    store_unknown: bool = False
    """Whether images are stored where the codec codes none of them; otherwise that is an error."""
    embed_codec: bool | None = None
    """Whether the archive carries its codec; None: where it did not come with the package."""
    threads: int | None = None
    """Where there is no codec, which has threads of its own. None: all processors."""

    def __post_init__(self) -> None:
        check_effort(self.effort)
        if not 1 <= self.block_images <= BLOCK_IMAGES_LIMIT:
            raise InputError(f"{self.block_images} images a block: 1 to {BLOCK_IMAGES_LIMIT} are possible")
