"""Train a codec, or refine the encoder of one.

images (N,H,W,C) -> a training for each design, with checkpoints -> join -> NAME.codec
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from compressnet.codec.bundle import Bundle
from compressnet.codec.file import to_bytes
from compressnet.codec.shipped import GENERAL_CODEC, read_bundle
from compressnet.errors import InputError
from compressnet.files import atomic_write
from compressnet.images.alpha import fill_hidden
from compressnet.images.kinds import Images, Pictures, kind_of
from compressnet.lossy.network import Network
from compressnet.lossy.promotion import network_channels
from compressnet.lossy.sizeless import AnyNetwork, SizelessNetwork
from compressnet.training.common.gather import Gathered, TooFewImagesError, gather, holdout_of
from compressnet.training.common.options import (
    Options,
    Progress,
    Report,
    TrainingInterrupted,
    checkpoint_path,
    log_path,
    logged,
)
from compressnet.training.freeze.thaw import design_of, hash_of, thaw
from compressnet.training.join import join
from compressnet.training.lossy.design import ADAPTING_RATE, DESIGNS, PRESETS, Design, Preset, pictures
from compressnet.training.lossy.workers import Job, run_jobs
from compressnet.training.refine import refined_bundle
from compressnet.training.train_lossless import train_lossless

__all__ = [
    "DESIGNS",
    "PRESETS",
    "Gathered",
    "Options",
    "Progress",
    "TooFewImagesError",
    "TrainingInterrupted",
    "gather",
    "holdout_of",
    "log_path",
    "refine",
    "refine_gathered",
    "train",
    "train_collection",
    "train_gathered",
    "train_lossless",
]


def train(
    images_NHWC: Images,
    output: Path,
    options: Options,
    *,
    designs: Sequence[Design] = DESIGNS["detail"],
    resume: bool = False,
    report: Report = lambda _: None,
) -> Bundle:
    """Train a codec on images (N,H,W,C) of one kind; write it to `output`, with a log beside it.

    designs: one network, or two whose qualities overlap; those without a quality in
    `options.qualities` are left out. Two are trained side by side in processes that are spawned: a
    script that calls this needs the usual `if __name__ == "__main__":`.

    Raises InputError for images or options that cannot be trained on. On Ctrl-C it writes
    checkpoints and raises TrainingInterrupted; `resume` goes on from them.
    """
    _require_trainable(images_NHWC, options)
    images_NHWC = fill_hidden(images_NHWC)
    chosen = [design for design in designs if _has_qualities(design, options)]
    jobs = [Job(sets=[images_NHWC], output=output, options=options, design=design) for design in chosen]
    return _train(jobs, output, resume, report)


def train_collection(
    batches: Iterable[Pictures],
    output: Path,
    options: Options,
    preset: Preset,
    *,
    resume: bool = False,
    report: Report = lambda _: None,
) -> Bundle:
    """Train one network for all sizes and modes of a collection, and write the codec to `output`.

    batches: arrays uint8 (n,H,W) or (n,H,W,C). Of `options.holdout`, at most a tenth of the images
    is held out. Raises the same errors as `train`, and TooFewImagesError.
    """
    return train_gathered(gather(batches, options.seed), output, options, preset, resume=resume, report=report)


def train_gathered(
    gathered: Gathered,
    output: Path,
    options: Options,
    preset: Preset,
    *,
    base: str = GENERAL_CODEC,
    resume: bool = False,
    report: Report = lambda _: None,
) -> Bundle:
    """Train as `train_collection` does, on what was gathered.

    base: the shipped codec, of `codec.shipped.BASES`, that a preset which adapts one begins from.
    """
    options = _fitted(options, gathered)
    if preset.adapts:
        job = _adapting(gathered, output, options, base)
    else:
        channels = network_channels({images.shape[3] for images in gathered.sets})
        design = pictures(preset, channels, gathered.pixels, several_kinds=gathered.several_kinds)
        job = Job(sets=gathered.sets, output=output, options=options, design=design)
    return _train([job], output, resume, report)


def _fitted(options: Options, gathered: Gathered) -> Options:
    """Options with at most a tenth of the images held out. Raises InputError without a length."""
    options.require_length()
    return replace(options, holdout=min(options.holdout, gathered.distinct // 10))


def _adapting(gathered: Gathered, output: Path, options: Options, base: str) -> Job:
    """A training that begins from a network for images of any size that comes with the package.

    What an archive embeds is then its difference from that.
    """
    (network,) = read_bundle(base).networks
    design = replace(design_of(network, "adapted"), learning_rate=ADAPTING_RATE)
    return Job(
        sets=gathered.sets,
        output=output,
        options=options,
        design=design,
        thawed=partial(thaw, network, design, kind_of(gathered.sets[0])),
        origin=hash_of(network),
    )


def _train(jobs: list[Job], output: Path, resume: bool, report: Report) -> Bundle:
    """Bring jobs to their end, and write the codec of their networks."""
    trainers = run_jobs(jobs, resume=resume, report=logged(output, report))
    return _finish(join(trainers, _name_of(output)), output, jobs)


def refine(
    bundle: Bundle,
    images_NHWC: Images,
    output: Path,
    options: Options,
    *,
    resume: bool = False,
    report: Report = lambda _: None,
) -> Bundle:
    """Improve the encoder of a codec for images (N,H,W,C) and write the codec anew to `output`.

    What decodes stays as it is, and so does the codec's identity: archives made with either codec
    can be read with the other. Raises InputError for a codec without an encoder, or for another
    kind of images, and the same errors as `train`.
    """
    if not bundle.networks:
        raise InputError(f"the codec {bundle.name!r} is lossless, and has no encoder to refine")
    _require_trainable(images_NHWC, options)
    images_NHWC = fill_hidden(images_NHWC)
    kind = images_NHWC.shape[1:]
    chosen = {
        i: network for i, network in enumerate(bundle.networks) if isinstance(network, Network) and network.kind == kind
    }
    if not chosen:
        raise InputError(f"the codec {bundle.name!r} has no network for images of {'x'.join(map(str, kind))}")
    return _refine(bundle, chosen, [images_NHWC], output, options, resume, report)


def refine_gathered(
    bundle: Bundle,
    gathered: Gathered,
    output: Path,
    options: Options,
    *,
    resume: bool = False,
    report: Report = lambda _: None,
) -> Bundle:
    """Improve the encoder of a codec for images of any size, as `refine` does.

    Raises InputError for a codec without an encoder, or with networks for one size alone.
    """
    options = _fitted(options, gathered)
    chosen = {i: network for i, network in enumerate(bundle.networks) if isinstance(network, SizelessNetwork)}
    if not chosen:
        raise InputError(f"the codec {bundle.name!r} has no network for images of any size")
    return _refine(bundle, chosen, gathered.sets, output, options, resume, report)


def _refine(
    bundle: Bundle,
    chosen: Mapping[int, AnyNetwork],
    sets: list[Images],
    output: Path,
    options: Options,
    resume: bool,
    report: Report,
) -> Bundle:
    """Train the encoders of some of a codec's networks, given by their numbers."""
    jobs: list[Job] = []
    for network in chosen.values():
        design = design_of(network, f"refined-{len(jobs)}")
        kind = None
        if isinstance(network, SizelessNetwork):
            design = replace(design, encoder_alone=True, learning_rate=ADAPTING_RATE)
            kind = kind_of(sets[0])
        thawed, origin = partial(thaw, network, design, kind), hash_of(network)
        jobs.append(Job(sets=sets, output=output, options=options, design=design, thawed=thawed, origin=origin))
    trainers = run_jobs(jobs, resume=resume, report=logged(output, report))
    by_network = dict(zip(chosen, trainers, strict=True))
    return _finish(refined_bundle(bundle, by_network, _name_of(output)), output, jobs)


def _require_trainable(images_NHWC: Images, options: Options) -> None:
    if len(images_NHWC) < options.holdout + options.batch:
        raise InputError(
            f"{len(images_NHWC)} images are too few to train on with {options.holdout} held out; "
            f"at least {options.holdout + options.batch} are needed, or a smaller --holdout"
        )
    options.require_length()


def _name_of(output: Path) -> str:
    """The name of the codec in a file."""
    return output.name.removesuffix(".codec")


def _finish(bundle: Bundle, output: Path, jobs: Sequence[Job]) -> Bundle:
    """Write the codec, then delete the checkpoints."""
    atomic_write(output, to_bytes(bundle))
    for job in jobs:
        checkpoint_path(output, job.design.name).unlink(missing_ok=True)
    return bundle


def _has_qualities(design: Design, options: Options) -> bool:
    low, high = design.within(options.qualities)
    return low <= high
