"""The steps from a codec to an archive and advice: quality, writing, reading back, comparing.

    Job -> write_and_check -> Packed and a sample -> with_advice -> Packed

The collection is read once, to be written; the samples that the archive is checked on and rivals
are measured on are kept in passing.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from compressnet import api
from compressnet.adaptive.primer import unpack_primer
from compressnet.archive.archive import Archive
from compressnet.archive.embedding import chosen_quality
from compressnet.archive.writing.comparing import Picked
from compressnet.archive.writing.learning import allowed_error
from compressnet.archive.writing.outcome import Written
from compressnet.bench.rivals.budget import Clock
from compressnet.codec.codec import Codec
from compressnet.coding.coder import LOSSLESS_QUALITY
from compressnet.container.entries import EMBEDDED_PRIMER
from compressnet.images import Collection, evenly_spread
from compressnet.images.kinds import Images
from compressnet.images.modes import Tight
from compressnet.packing.advice import advise
from compressnet.packing.checking import check_picked
from compressnet.packing.error_targets import find_error
from compressnet.packing.options import Packed, PackOptions, Watcher
from compressnet.packing.samples import Tap, positions_in_runs
from compressnet.packing.targets import OutOfReachError, Target, find_quality

ADVISED_IMAGES, RUN_IMAGES = 8192, 32
"""Images on which a collection is compared with rivals, at most; neighbours are taken together."""
ADVISED_PX = {"fast": 1 << 19, "balanced": 1 << 21, "best": 1 << 22}
"""Pixels that rivals are measured on."""
AIMED_IMAGES, BISECTED_IMAGES = 1024, 128
"""Images on which the quality for a target is settled, and those of the bisection before."""
MEASURED_IMAGES = 8192
"""Images that the PSNR of an archive is measured on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What is packed, and how."""

    collection: Collection
    images: int
    """Of the collection that is judged; `collection` has fewer where it is a sample of it."""
    output: Path
    options: PackOptions
    watcher: Watcher
    codec: Codec | None
    """None: all images are stored."""
    tight: Tight
    picked: Picked | None = None
    """What was picked in place of a trained codec."""
    labels: Any = None
    class_names: Sequence[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Images of 8 bits to compare with rivals, and what the archive has besides."""

    sets: list[Images]
    deep_images: int
    """Of 16 bits, which are not compared."""
    deep_bytes: int
    """Of the archive, what these take."""


def write_and_check(job: Job, aimed: Sequence[Images], *, read_with: Codec | None) -> tuple[Packed, Sample]:
    """Choose the quality, write the archive, and read it back to measure its PSNR.

    aimed: images to look for a target's quality on. read_with: a codec to read with; else the
    archive has to find its own. Gives a sample to compare with rivals as well.
    """
    options, collection = job.options, job.collection
    quality, missed = _choose_quality(job, aimed)
    checked = Tap(evenly_spread(collection.count, MEASURED_IMAGES))
    compared = Tap(positions_in_runs(collection.count, ADVISED_IMAGES, RUN_IMAGES) if options.advise else np.arange(0))
    job.watcher.step("pack")
    written = _write(job, quality, checked, compared)
    job.watcher.step("compare")
    with api.open(job.output, read_with, threads=options.threads) as archive:
        psnr = check_picked(archive, checked.picked).psnr
        deep_images, deep_bytes = _sixteen_bits_in(archive)
        trained = [entry for entry in archive.container.codecs if entry.embedded_as != EMBEDDED_PRIMER]
        codec_bytes = sum(len(entry.embedded) for entry in trained if entry.embedded is not None)
    packed = Packed(
        written=written,
        codec_bytes=codec_bytes,
        quality=quality,
        psnr=psnr,
        missed=missed,
        why_untrained=None,
        left_out=[],
        advice=None,
    )
    return packed, Sample(sets=compared.sets(), deep_images=deep_images, deep_bytes=deep_bytes)


def _sixteen_bits_in(archive: Archive) -> tuple[int, int]:
    """How many images of an archive have 16 bits, and how many bytes their blocks take.

    Of a primer it is the share that their values have.
    """
    container = archive.container
    blocks = container.blocks
    is_deep_B = np.array([form.deep for form in container.kinds])[container.kinds_of(np.arange(len(blocks)))]
    blocks_N = container.blocks_of(container.places_of(np.arange(len(archive))))
    deep_bytes = int(blocks.chunk_bytes[is_deep_B].sum())
    for entry in container.codecs:
        if entry.embedded is not None and entry.embedded_as == EMBEDDED_PRIMER:
            shapes = unpack_primer(entry.embedded, f"{container.name}: the primer").shapes
            values = sum(math.prod(shape.axes) for shape in shapes)
            deep = sum(math.prod(shape.axes) for shape in shapes if shape.deep)
            deep_bytes += round(len(entry.embedded) * deep / max(1, values))
    return int(is_deep_B[blocks_N].sum()), deep_bytes


def _choose_quality(job: Job, aimed: Sequence[Images]) -> tuple[int | None, str | None]:
    """The quality; and why a target is missed, None if it is not.

    Without a codec it is 100 less the largest error that is allowed.
    """
    codec, options, picked = job.codec, job.options, job.picked
    quality = options.quality if picked is None else picked.quality
    if picked is not None and picked.by_image:
        return quality, None
    if codec is None:
        error = allowed_error(LOSSLESS_QUALITY if options.loses_nothing else quality, options.bounds)
        if options.target_psnr is not None:
            error = find_error(aimed, Target(measure="psnr", value=options.target_psnr), options.threads)
        return LOSSLESS_QUALITY - error, None
    if options.target_psnr is None:
        return chosen_quality(codec, quality, options.max_error), None
    job.watcher.step("look for the quality")
    target = Target(measure="psnr", value=options.target_psnr)
    try:
        reached = find_quality(
            codec,
            aimed,
            target,
            effort=options.search_effort,
            bisected=BISECTED_IMAGES,
            tight=job.tight,
            collection_images=job.collection.count,
        )
    except OutOfReachError as error:
        return codec.qualities[error.highest], str(error)
    return reached.quality, reached.misses(target)


def _write(job: Job, quality: int | None, checked: Tap, compared: Tap) -> Written:
    """Read the collection and write the archive; two samples are kept in passing."""
    options, collection = job.options, job.collection
    batches = compared.through(checked.through(collection.batches()))
    return api.write(
        batches,
        job.output,
        job.codec,
        options.settings(quality, job.tight, None if job.picked is None else job.picked.network_mse),
        labels=job.labels,
        class_names=job.class_names,
        names=collection.names,
        report=job.watcher.packed,
    )


def with_advice(
    packed: Packed, job: Job, sample: Sample, budget_s: float | None, clock: Clock = time.monotonic
) -> Packed:
    """Compare what the collection takes with what rivals take for a sample. Raises InputError."""
    if not job.options.advise:
        return packed
    compared_images = job.collection.count - sample.deep_images
    if not sample.sets:
        none = "no advice: all images have 16 bits, and rivals are measured on 8"
        return replace(packed, left_out=[*packed.left_out, none])
    payload_bytes = packed.written.archive_bytes - packed.codec_bytes - sample.deep_bytes
    whole = job.images / job.collection.count
    advice = advise(
        sample.sets,
        psnr_db=packed.psnr,
        payload_bytes=round(payload_bytes * whole),
        codec_bytes=packed.codec_bytes,
        sample_px=ADVISED_PX[job.options.preset],
        scale=compared_images * whole / sum(map(len, sample.sets)),
        packed_images=compared_images,
        deep_images=round(sample.deep_images * whole),
        budget_s=budget_s,
        clock=clock,
        report=job.watcher.step,
    )
    return replace(packed, advice=advice)
