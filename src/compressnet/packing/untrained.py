"""Whether a codec of its own pays for a collection, by measurement.

before training, on a sample: is what is learned from the images far ahead of the codec that
a short training begins from?
after it: an archive with the codec, one with what `compress` picks, at one PSNR -> the smaller
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from compressnet.archive.writing.choosing import SAMPLE_IMAGES, pick
from compressnet.archive.writing.picked import Goal, Picked
from compressnet.codec.shipped import BASES, GENERAL_CODEC, read_bundle
from compressnet.container.entries import PRIMER_NAME
from compressnet.images.kinds import Images, Pictures
from compressnet.packing.options import Packed, PackOptions, Untrained
from compressnet.packing.steps import AIMED_IMAGES, Job, Sample, write_and_check

PSNR_TOLERANCE_DB = 0.1
"""By so much less PSNR an archive without the codec may still be the smaller one."""
OUT_OF_REACH, OUT_OF_REACH_DB = 2.0, 3.0
"""How many times the bytes of what is learned a shipped codec may take, and how much less PSNR it
may have at the same bytes, for a short training to be tried from it. Such trainings save 10 to
15 % (docs/EXPERIMENTS.md)."""


def picked_for(sample: Sequence[Pictures], options: PackOptions) -> Picked:
    """What `compress` would code images like these arrays (n,H,W[,C]) with."""
    goal = None if options.target_psnr is None else Goal(mse=10 ** (-options.target_psnr / 10))
    return pick(sample, options.quality, options.bounds, goal, threads=options.threads)


def base_of(picked: Picked | None) -> str:
    """The shipped codec that a short training begins from: of those for any size, the best one."""
    names = [] if picked is None else [point.codec for point in picked.points]
    return next((base for base in BASES if read_bundle(base).name in names), GENERAL_CODEC)


def why_not_train(picked: Picked) -> str | None:
    """Why a short training would come to nothing; None where it may pay."""
    learned = next((point for point in picked.points if point.codec == PRIMER_NAME), None)
    other = next((point for point in picked.points if point.codec != PRIMER_NAME), None)
    if learned is None or other is None or learned.psnr < other.psnr - PSNR_TOLERANCE_DB:
        return None
    factor = OUT_OF_REACH if learned.psnr < other.psnr + OUT_OF_REACH_DB else 1.0
    if factor * learned.bytes_per_image > other.bytes_per_image:
        return None
    return (
        f"packed without a codec of its own: on a sample, what is learned from the images takes "
        f"{learned.bytes_per_image:.1f} bytes an image at {learned.psnr:.1f} dB, and {other.codec} "
        f"{other.bytes_per_image:.1f} at {other.psnr:.1f} dB; --minutes or --preset balanced trains in any case"
    )


def smaller(
    packed: Packed, sample: Sample, job: Job, aimed: Sequence[Images], picked: Picked | None
) -> tuple[Packed, Sample, Job]:
    """The archive with the trained codec, or one without if that is smaller, and a sample of it.

    Gives the job that the archive was written by as well.

    aimed: images to look for the quality on, if there was a target. picked: what was picked for
    the job before the training, if that was looked at.
    """
    job.watcher.step("pack without the codec")
    untrained_job, aimed = _without(packed, job, picked), aimed or job.collection.sample_sets(AIMED_IMAGES)
    with_bytes = packed.written.archive_bytes
    output = job.output
    other = output.with_name(output.name + ".untrained")
    try:
        found, its_sample = write_and_check(replace(untrained_job, output=other), aimed, read_with=None)
        untrained = Untrained(
            codec=PRIMER_NAME if untrained_job.codec is None else untrained_job.codec.name,
            by_image=untrained_job.picked is not None and untrained_job.picked.by_image,
            archive_bytes=found.written.archive_bytes,
            psnr=found.psnr,
            is_packed=found.written.archive_bytes < with_bytes and _is_as_good(found, packed),
        )
        if not untrained.is_packed:
            return replace(packed, untrained=untrained), sample, job
        other.replace(output)
    finally:
        other.unlink(missing_ok=True)
    why = f"packed without the trained codec: {untrained.archive_bytes} bytes, where it takes {with_bytes} with it"
    return replace(found, why_untrained=why, untrained=untrained), its_sample, untrained_job


def _without(packed: Packed, job: Job, picked: Picked | None) -> Job:
    """The same, with what is picked in place of the trained codec, at the PSNR that it gave."""
    options = job.options
    if options.loses_nothing:
        return replace(job, codec=None)
    if options.target_psnr is None and not options.bounds.are_set:
        options = replace(options, quality=None, target_psnr=packed.psnr)
    if picked is None or options is not job.options:
        picked = picked_for(job.collection.sample_sets(SAMPLE_IMAGES), options)
    return replace(job, codec=picked.codec, picked=picked, options=options)


def _is_as_good(found: Packed, packed: Packed) -> bool:
    """Whether an archive has the PSNR of another."""
    if found.psnr is None or packed.psnr is None:
        return found.psnr is None
    return found.psnr >= packed.psnr - PSNR_TOLERANCE_DB
