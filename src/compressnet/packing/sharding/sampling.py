"""A sample of many inputs, on which codec and quality are chosen, and from which is learned."""

from __future__ import annotations

from collections.abc import Sequence

from compressnet.images import Collection, Reading, evenly_spread
from compressnet.packing.sharding.engine import Engine
from compressnet.packing.sharding.plan import Survey
from compressnet.packing.sharding.tasks import SampleTask, take_sample

SAMPLED_INPUTS = 64
"""Inputs that are read for it, at most, evenly spread."""
RUN_IMAGES = 32
"""Neighbours that are taken together."""


def sampled(
    surveys: Sequence[Survey], reading: Reading, engine: Engine, *, most_images: int, most_bytes: int
) -> Collection:
    """About so many images of all inputs, or all images where they are no more; held in memory.

    An input gives as much of it as it has of the images. Raises InputError.
    """
    chosen = [surveys[i] for i in evenly_spread(len(surveys), SAMPLED_INPUTS).tolist()]
    total = sum(survey.images for survey in chosen)
    tasks = [
        SampleTask(
            source=survey.source,
            reading=reading,
            images=max(1, survey.images * min(most_images, total) // total),
            most_bytes=max(1, most_bytes * survey.images // total),
            run=RUN_IMAGES,
        )
        for survey in chosen
    ]
    parts = dict(engine.each(take_sample, tasks))
    arrays = [array for i in range(len(tasks)) for array in parts[i]]
    return Collection(name="a sample of the inputs", count=sum(map(len, arrays)), batches=lambda: iter(arrays))
