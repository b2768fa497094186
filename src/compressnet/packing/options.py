"""How to pack, who is told how it goes, and what came of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Protocol

from compressnet.archive.writing.bounds import Bounds
from compressnet.archive.writing.outcome import Written
from compressnet.archive.writing.settings import BLOCK_IMAGES, Settings
from compressnet.archive.writing.tightness import Modes
from compressnet.coding.coder import LOSSLESS_QUALITY
from compressnet.images.modes import Tight
from compressnet.packing.advice import Advice

EFFORTS = {"fast": 1, "balanced": 5, "best": 7}
"""How long to search for cheaper symbols, where nothing else is said."""


class Watcher(Protocol):
    """Who is told how the work goes."""

    def training(self, progress: Any, /) -> None:
        """A training's `Progress`."""
        ...

    def step(self, text: str) -> None:
        """What comes next."""
        ...

    def packed(self, images: int) -> None:
        """Images in the archive so far."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PackOptions:
    """How to pack; what is None is chosen by the preset and the codec."""

    preset: str = "balanced"
    quality: int | None = None
    target_psnr: float | None = None
    effort: int | None = None
    max_error: int | None = None
    min_psnr: float | None = None
    exact_alpha: bool = False
    block_images: int = BLOCK_IMAGES
    seed: int = 0
    threads: int | None = None
    minutes: float | None = None
    lossless: bool = False
    """Whether to train for quality 100, and pack at it."""
    modes: Modes | None = None
    """Whether images are coded in fewer channels, where they allow it: see `chosen_tight`."""
    keep_codec: bool = False
    """Whether to pack with a trained codec in any case, and leave it, with its encoder, beside the
    archive: `append` needs it."""
    advise: bool = True

    @property
    def search_effort(self) -> int:
        """The effort, by the preset where none is given."""
        return EFFORTS[self.preset] if self.effort is None else self.effort

    @property
    def loses_nothing(self) -> bool:
        """Whether every value has to come back as it was."""
        return self.lossless or self.quality == LOSSLESS_QUALITY or self.max_error == 0

    @property
    def bounds(self) -> Bounds:
        """What every image has to meet. Raises InputError."""
        return Bounds(max_error=self.max_error, min_psnr=self.min_psnr, exact_alpha=self.exact_alpha)

    def settings(self, quality: int | None, tight: Tight, network_mse: float | None = None) -> Settings:
        """How the archive is written, at a quality; None without a codec. Raises InputError.

        network_mse: as in `Settings`.
        """
        return Settings(
            quality=quality,
            network_mse=network_mse,
            effort=self.search_effort,
            block_images=self.block_images,
            bounds=self.bounds,
            tight=tight,
            threads=self.threads,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Untrained:
    """What a collection takes without a codec of its own, with what `compress` picks for it."""

    codec: str
    """`adaptive` for what is learned from the images while they are coded."""
    by_image: bool
    """Whether each image has what takes less for it, that codec or what is learned."""
    archive_bytes: int
    psnr: float | None
    """In dB; None without loss."""
    is_packed: bool
    """Whether it is what was packed, as it takes less."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """An archive that was made, and what it is worth."""

    written: Written
    codec_bytes: int
    """Of the archive, those of the embedded codec; 0 where no codec was trained."""
    quality: int | None
    """None where all images are stored, and not because nothing may be lost."""
    psnr: float | None
    """In dB, of the images or a sample, hidden colour left out; None for perfect images."""
    missed: str | None
    """Why a target was missed."""
    why_untrained: str | None
    """Why no codec was trained; None where one was."""
    left_out: list[str]
    """Kinds of images that the codec has no network for, or that advice leaves out, and why."""
    advice: Advice | None
    untrained: Untrained | None = None
    """None where no codec was trained, or nothing else was tried."""

    def as_json(self) -> dict[str, Any]:
        """The document that `pack --json` prints."""
        return asdict(self) | {"advice": None if self.advice is None else self.advice.to_json()}
