"""How a collection is compressed: with which codec, at which quality, with which settings.

a collection, what is asked for -> picked on a sample -> channels -> quality -> Settings
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from compressnet.archive.embedding import chosen_quality
from compressnet.archive.writing.bounds import Bounds
from compressnet.archive.writing.choosing import pick
from compressnet.archive.writing.learning import allowed_error, looked_at
from compressnet.archive.writing.picked import Goal, Picked
from compressnet.archive.writing.settings import BLOCK_IMAGES, LEARNING_EFFORT, Settings
from compressnet.archive.writing.tightness import Modes, chosen_tight
from compressnet.codec.codec import BackendName, Codec
from compressnet.coding.coder import LOSSLESS_QUALITY
from compressnet.images import Collection
from compressnet.images.kinds import Pictures
from compressnet.images.modes import tightened
from compressnet.packing.error_targets import find_error
from compressnet.packing.targets import Target, besides_images, sample_sizes


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is asked for of an archive; what is None is chosen."""

    codec: Codec | None = None
    quality: int | None = None
    target: Target | None = None
    bounds: Bounds = field(default_factory=Bounds)
    effort: int | None = None
    modes: Modes | None = None
    solid: bool = False
    block_images: int = BLOCK_IMAGES
    embed_codec: bool | None = None
    backend: BackendName | None = None
    threads: int | None = None

    def as_json(self) -> dict[str, Any]:
        """All of it that changes what is written."""
        return asdict(replace(self, codec=None)) | {
            "codec": None if self.codec is None else [part.identity.hex() for part in self.codec.bundle.parts],
            "backend": None,
            "threads": None,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """What a collection is compressed with."""

    codec: Codec | None
    """None: what is learned from the images themselves."""
    settings: Settings
    picked: Picked | None
    """What was compared, where no codec was asked for."""


Reach = Callable[[Target, Codec, list[Pictures]], int]
"""Finds the quality of a codec that comes nearest to a target on some images."""


def choose(collection: Collection, asked: Asked, reach: Reach) -> Chosen:
    """What a collection is compressed with. Raises InputError, CodecError."""
    codec, quality, target, bounds = asked.codec, asked.quality, asked.target, asked.bounds
    picked = None
    if codec is None:
        sample, _ = looked_at(collection.batches())
        shapes = {array.shape[1:] for array in sample}
        goal = None if target is None else goal_of(target, besides_images(collection.count, len(shapes)))
        picked = pick(sample, quality, bounds, goal, backend=asked.backend, threads=asked.threads)
        codec, quality = picked.codec, picked.quality
    known = quality if codec is None else chosen_quality(codec, quality, bounds.max_error)
    tight = chosen_tight(collection.batches, codec, known, asked.modes)
    if picked is not None and picked.by_image:
        known = picked.quality
    elif target is not None:
        aimed = list(tightened(collection.sample_sets(sample_sizes(asked.effort or 1)[1]), tight))
        if codec is None:
            known = LOSSLESS_QUALITY - find_error(aimed, target, asked.threads)
        else:
            known = reach(target, codec, aimed)
    elif codec is None:
        known = LOSSLESS_QUALITY - allowed_error(quality, bounds)
    settings = Settings(
        quality=known,
        network_mse=None if picked is None else picked.network_mse,
        effort=asked.effort or 1,
        learning_effort=asked.effort or LEARNING_EFFORT,
        solid=asked.solid,
        block_images=asked.block_images,
        bounds=bounds,
        tight=tight,
        embed_codec=asked.embed_codec,
        threads=asked.threads,
    )
    return Chosen(codec=codec, settings=settings, picked=picked)


def goal_of(target: Target, besides_bytes: float) -> Goal:
    """What a target asks of the codec that is picked.

    besides_bytes: what an archive takes for each image besides what images are coded to.
    """
    if target.measure == "bytes":
        return Goal(bytes_per_image=max(0.0, target.value - besides_bytes))
    return Goal(mse=target.value if target.measure == "mse" else 10 ** (-target.value / 10))
