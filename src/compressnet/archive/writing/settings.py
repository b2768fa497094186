"""How an archive is to be written: one record, passed from the command line down to the router."""

from __future__ import annotations

from dataclasses import dataclass, field

from compressnet.archive.writing.bounds import Bounds
from compressnet.codec.codec import check_effort
from compressnet.coding.coder import LOSSLESS_QUALITY
from compressnet.errors import InputError
from compressnet.images.modes import AS_IS, Tight
from compressnet.limits import BLOCK_IMAGES_LIMIT, whole

BLOCK_IMAGES = 256
LEARNING_EFFORT = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How images are to be written. Raises InputError for what is impossible."""

    quality: int | None = None
    """0 to 99, or 100 without loss.

    None: the codec's own; or 100 where the bounds leave no error.
    """
    effort: int = 1
    """1 to 9: how long to search for cheaper symbols."""
    learning_effort: int = LEARNING_EFFORT
    """1 to 9: with how many contexts a collection is learned, where there is no trained codec."""
    solid: bool = False
    """Whether all of a collection is learned as one stream, so that no image can be read alone."""
    block_images: int = BLOCK_IMAGES
    """Images of a block, at most."""
    bounds: Bounds = field(default_factory=Bounds)
    """What every image has to meet."""
    network_mse: float | None = None
    """Where a codec has a network and what was learned from the collection: the largest mean
    squared error, pixels in [0,1], of an image that the network codes.

    None: what the codec has a network for is coded by it.
    """
    store_unknown: bool = False
    """Whether images are stored where the codec codes none of them.

    Otherwise that is an error, but not where nothing may be lost.
    """
    tight: Tight = AS_IS
    """What is not coded of images that can do without it."""
    embed_codec: bool | None = None
    """Whether the archive carries its codec; None: where it did not come with the package."""
    shared: frozenset[bytes] = frozenset()
    """Identities of parts of the codec that the archive names and does not carry, as a file beside
    it has them (`compressnet.archive.sharing`)."""
    threads: int | None = None
    """Where there is no codec, which has threads of its own. None: all processors."""

    @property
    def loses_nothing(self) -> bool:
        """Whether every value has to come back as it was."""
        return self.quality == LOSSLESS_QUALITY or self.bounds.max_error == 0

    def __post_init__(self) -> None:
        check_effort(self.effort)
        check_effort(self.learning_effort)
        if self.quality is not None:
            whole(self.quality, "a quality")
        if not 1 <= whole(self.block_images, "a number of images a block") <= BLOCK_IMAGES_LIMIT:
            raise InputError(f"{self.block_images} images a block: 1 to {BLOCK_IMAGES_LIMIT} are possible")
